"""Measurements of flowclass: each first asserts the answer, then times."""
