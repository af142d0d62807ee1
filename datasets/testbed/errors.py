"""What the testbed raises; every message says what is wrong and what to do about it."""

from __future__ import annotations

__all__ = ["MissingError", "ScenarioError", "TestbedError"]


class TestbedError(Exception):
    """A scenario that could not be recorded."""

    __test__ = False  # the name begins with "Test", but it is no test class


class MissingError(TestbedError):
    """Something the machine lacks: root, a device or a program."""


class ScenarioError(TestbedError):
    """A scenario file that does not say what it must."""
