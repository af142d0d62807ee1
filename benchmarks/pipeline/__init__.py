"""The whole pipeline, timed: stage by stage in C++, and end to end through the Python engine."""
