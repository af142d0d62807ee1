"""MQTT: Mosquitto's broker, with one subscriber and some publishers.

Options of a scenario: version (``3.1``, ``3.1.1``, ``5``), port.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_NAMES = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5": "mqttv5"}
_COUNT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: str
    port: int = 1883

    def __post_init__(self) -> None:
        if self.version not in _NAMES:
            raise ValueError(f"version {self.version!r} is not 3.1, 3.1.1 or 5")


def play(lab: Lab, options: Options) -> list[Served]:
    """Publish some readings, each over a connection of its own, to one subscriber."""
    configuration = lab.server.write(
        "mosquitto.conf",
        f"listener {options.port} {lab.server.address}\nallow_anonymous true\nlog_dest stderr\nuser root\n",
    )
    broker = lab.server.start("mosquitto", "mosquitto", "-v", "-c", configuration)
    broker.wait_for("running")
    where = ["-h", lab.server.address, "-p", str(options.port), "-V", _NAMES[options.version]]
    subscriber = lab.client.start(
        "mosquitto_sub", "mosquitto_sub", *where, "-C", str(_COUNT), "-q", "1", "-t", "house/+/temperature"
    )
    broker.wait_for("Sending SUBACK")
    for number in range(_COUNT):
        reading = f"{20 + number}.5 degrees"
        lab.client.run(
            "mosquitto_pub", *where, "-q", str(number % 3), "-t", f"house/room{number}/temperature", "-m", reading
        )
    subscriber.wait_until(lambda: not subscriber.alive(), "taking every reading")
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP,
            family="mqtt",
            variant=options.version,
            flows=_COUNT + 1,
        )
    ]


PROGRAM = Program(
    name="mqtt",
    options=Options,
    requirements=(
        Requirement(name="mosquitto", executable="mosquitto", package="apt: mosquitto", version=("mosquitto", "-h")),
        Requirement(
            name="mosquitto_pub",
            executable="mosquitto_pub",
            package="apt: mosquitto-clients",
            version=("mosquitto_pub", "--version"),
        ),
    ),
    play=play,
)
