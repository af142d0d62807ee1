"""Open vSwitch's user-space switch: Geneve, GRE, ERSPAN and VXLAN ports.

Options of a scenario: kind (see `KINDS`), network (the tunnel's key), idle (seconds of silence).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..tunnels import IPTABLES, USE, check_choice, served_at_both, use_path

__all__ = ["KINDS", "PROGRAM", "Options"]

_GRE = 47
# The port's type and more of its options; IP protocol, port, family and variant of what it sends.
KINDS: Mapping[str, tuple[tuple[str, ...], int, int, str, str | None]] = {
    "geneve": (("type=geneve",), UDP, 6081, "geneve", None),
    "gre-ethernet": (("type=gre",), _GRE, 0, "gre", "ethernet"),
    "gre-ip": (("type=gre", "options:packet_type=legacy_l3"), _GRE, 0, "gre", "ip"),
    "erspan-1": (("type=erspan", "options:erspan_ver=1", "options:erspan_idx=7"), _GRE, 0, "gre", "erspan-1"),
    "erspan-2": (
        ("type=erspan", "options:erspan_ver=2", "options:erspan_dir=1", "options:erspan_hwid=4"),
        *(_GRE, 0, "gre", "erspan-3"),
    ),
    "vxlan": (("type=vxlan",), UDP, 4789, "vxlan", "vxlan"),
}
# These carry IP without Ethernet.
_BARE = ("gre-ip",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    kind: str
    network: int = 77
    idle: int = 2

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, tuple(KINDS))


def play(lab: Lab, options: Options) -> list[Served]:
    """Join both ends by a bridge each and use the path between the bridges."""
    words, protocol, port, family, variant = KINDS[options.kind]
    for host, far, inside in ((lab.server, lab.client, "10.49.0.1"), (lab.client, lab.server, "10.49.0.2")):
        _switch(host, lab)
        host.run(
            *("ovs-vsctl", "--no-wait", *_bridge("br-in"), "--", "add-port", "br-in", "tunnel0", "--", "set"),
            *("interface", "tunnel0", *words, f"options:remote_ip={far.address}", f"options:local_ip={host.address}"),
            f"options:key={options.network}",
        )
        host.run("ovs-vsctl", "--timeout=10", "--", "wait-until", "interface", "tunnel0", "ofport>0")
        host.run("ip", "address", "add", f"{inside}/24", "dev", "br-in")
        host.run("ip", "link", "set", "br-in", "mtu", "1400", "up")
        if options.kind in _BARE:
            _join_bare(host, inside)
    use_path(lab.client, lab.server, "10.49.0.1", idle=options.idle)
    if protocol == UDP:
        return served_at_both(lab, port, UDP, family, variant)
    return [Served(address=lab.server.address, port=0, ip_proto=protocol, family=family, variant=variant)]


def _join_bare(host: Host, inside: str) -> None:
    """Let IP packets through a port that carries no Ethernet: addresses of the segment are set by hand."""
    far = {"10.49.0.1": "10.49.0.2", "10.49.0.2": "10.49.0.1"}[inside]
    mac = host.run("cat", "/sys/class/net/br-in/address").strip()
    host.run("ip", "neighbour", "replace", far, "lladdr", "02:00:00:00:00:01", "dev", "br-in")
    host.run("ovs-ofctl", "del-flows", "br-in")
    for flow in (f"in_port=tunnel0,actions=mod_dl_dst:{mac},LOCAL", "in_port=LOCAL,ip,actions=output:tunnel0"):
        host.run("ovs-ofctl", "add-flow", "br-in", flow)


def _bridge(name: str) -> tuple[str, ...]:
    return "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "fail-mode=standalone"


def _switch(host: Host, lab: Lab) -> None:
    """Start the switch and hand it the host's interface, with its addresses and its gateway."""
    host.own("/etc/openvswitch")
    (host.folder / "over-run" / "openvswitch").mkdir()
    database = host.folder / "conf.db"
    host.run("ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
    server = host.start(
        "ovsdb-server", "ovsdb-server", database, "--remote=punix:/run/openvswitch/db.sock", "-vconsole:info"
    )
    server.wait_until((host.folder / "over-run/openvswitch/db.sock").exists, "making its socket")
    host.run("ovs-vsctl", "--no-wait", "init")
    version = "-6" if lab.ip_version == 6 else "-4"
    gateway = host.run("ip", version, "route", "show", "default").split()[2]
    width = 64 if lab.ip_version == 6 else 24
    mac = host.run("cat", "/sys/class/net/eth0/address").strip()
    if lab.ip_version == 4:
        host.run("sh", "-c", "printf 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
    # The kernel still sees what the switch reads from the interface, and would answer it a second time.
    host.run("ip6tables" if lab.ip_version == 6 else "iptables", "-A", "INPUT", "-i", "eth0", "-j", "DROP")
    host.start("ovs-vswitchd", "ovs-vswitchd", "unix:/run/openvswitch/db.sock", "-vconsole:info")
    host.run(
        *(
            "ovs-vsctl",
            "--timeout=10",
            *_bridge("br-out"),
            f"other-config:hwaddr={mac}",
            "--",
            "add-port",
            "br-out",
            "eth0",
        )
    )
    host.run("ip", "address", "flush", "dev", "eth0")
    host.run("ip", "address", "add", f"{host.address}/{width}", "dev", "br-out")
    host.run("ip", "link", "set", "br-out", "up")
    host.run("ip", version, "route", "replace", "default", "via", gateway)


PROGRAM = Program(
    name="openvswitch",
    options=Options,
    requirements=(
        Requirement(
            name="openvswitch",
            executable="ovs-vswitchd",
            package="apt: openvswitch-switch",
            version=("ovs-vswitchd", "--version"),
        ),
        IPTABLES,
        *USE,
    ),
    play=play,
    needs_tun=True,
)
