"""``flowclass registry reject``."""

from __future__ import annotations

from flowclass.cli.registry.at_desk import decision

reject = decision(
    "reject",
    "Reject what is pending.",
    "Reject the pending applications ID..., with --why: all of them or none.",
)
