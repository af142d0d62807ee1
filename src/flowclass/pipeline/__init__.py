"""From sources through the engine to sinks: the only room that pumps."""
