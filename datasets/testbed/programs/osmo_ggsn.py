"""GTP: OsmoGGSN and its SGSN emulator, control messages (GTP-C) and a subscriber's packets (GTP-U).

Options of a scenario: idle (seconds of silence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import USE, give_address, use_path, wait_for_path

__all__ = ["PROGRAM", "Options"]

_INSIDE = "10.68.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    idle: int = 2


def play(lab: Lab, options: Options) -> list[Served]:
    """Attach one subscriber and use the path."""
    configuration = lab.server.write(
        "ggsn.cfg",
        f"""log stderr
 logging filter all 1
 logging level ggsn info
ggsn ggsn0
 gtp state-dir {lab.server.folder}
 gtp bind-ip {lab.server.address}
 apn internet
  gtpu-mode tun
  tun-device tun4
  type-support v4
  ip prefix dynamic 172.16.222.0/24
  ip ifconfig 172.16.222.0/24
  no shutdown
 default-apn internet
 no shutdown ggsn
""",
    )
    gateway = lab.server.start("osmo-ggsn", "osmo-ggsn", "-c", configuration)
    gateway.wait_until(lambda: "tun4" in lab.server.run("ip", "link"), "making its device")
    give_address(lab.server, f"{_INSIDE}/32")
    phone = lab.client.start(
        *("sgsnemu", "sgsnemu", "-l", lab.client.address, "-r", lab.server.address, "-a", "internet"),
        *("--createif", "--tun-device=tun5", "-i", "001010123456789", "-m", "15550100", "-q", "0x000b921f"),
        *(f"--statedir={lab.client.folder}", f"--pidfile={lab.client.folder}/sgsnemu.pid"),
    )
    phone.wait_until(lambda: "172.16.222." in lab.client.run("ip", "-o", "address"), "getting an address")
    lab.client.run("ip", "link", "set", "tun5", "mtu", "1400")
    lab.server.run("ip", "link", "set", "tun4", "mtu", "1400")
    lab.client.run("ip", "route", "replace", f"{_INSIDE}/32", "dev", "tun5")
    wait_for_path(phone, lab.client, _INSIDE)
    use_path(lab.client, lab.server, _INSIDE, idle=options.idle)
    phone.stop()
    return [
        Served(address=lab.server.address, port=2123, ip_proto=UDP, family="gtp-c", variant="v1"),
        Served(address=lab.server.address, port=2152, ip_proto=UDP, family="gtp-u", variant="g-pdu"),
    ]


PROGRAM = Program(
    name="osmo_ggsn",
    options=Options,
    requirements=(
        Requirement(name="osmo-ggsn", executable="osmo-ggsn", package="apt: osmo-ggsn", version=("osmo-ggsn", "-V")),
        *USE,
    ),
    play=play,
    needs_tun=True,
)
