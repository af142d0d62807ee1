"""The version of the package; the build file says the same."""

from __future__ import annotations

__version__ = "0.1.0"
