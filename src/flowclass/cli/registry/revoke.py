"""``flowclass registry revoke``."""

from __future__ import annotations

from flowclass.cli.registry.at_desk import decision

revoke = decision(
    "revoke",
    "Revoke what is approved or suspended, for good.",
    "Revoke the approved or suspended registrations ID... for good, with --why: all of them or none.",
)
