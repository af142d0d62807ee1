"""``flowclass registry suspend``."""

from __future__ import annotations

from flowclass.cli.registry.at_desk import decision

suspend = decision(
    "suspend",
    "Suspend what is approved.",
    "Suspend the approved registrations ID..., with --why: all of them or none.",
)
