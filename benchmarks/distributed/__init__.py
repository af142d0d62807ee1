"""Many files on many workers: the same records, and how much sooner."""
