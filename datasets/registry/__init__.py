"""Registries: a small sample that fits the recorded captures, and a generator of large ones."""
