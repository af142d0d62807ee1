"""DNS: BIND as the authority of a zone, asked by dig over UDP or TCP.

Options of a scenario: port, transport (udp, tcp), awkward (queries whose first bytes look like a WireGuard header:
identifiers 0x0100 to 0x0400 without any flag).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_ZONE = """$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 2026110101 7200 900 1209600 3600
@ IN NS ns1
@ IN MX 10 mail
@ IN TXT "v=spf1 mx -all"
ns1 IN A 203.0.113.53
www IN A 198.51.100.80
www IN AAAA 2001:db8:a:80::80
mail IN A 198.51.100.25
_sip._udp IN SRV 10 5 5060 sip
"""
_QUESTIONS = (
    ("www.example.org", "A"),
    ("www.example.org", "AAAA"),
    ("example.org", "MX"),
    ("example.org", "TXT"),
    ("_sip._udp.example.org", "SRV"),
    ("nowhere.example.org", "A"),
)
_AWKWARD = (0x0100, 0x0200, 0x0300, 0x0400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str
    port: int = 53
    awkward: bool = False

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask six questions, each from a port of its own."""
    lab.server.write("example.org.zone", _ZONE, mode=0o644)
    listen = "listen-on-v6" if lab.ip_version == 6 else "listen-on"
    silent = "listen-on" if lab.ip_version == 6 else "listen-on-v6"
    configuration = lab.server.write(
        "named.conf",
        f"""options {{
  directory "{lab.server.folder}";
  pid-file "{lab.server.folder}/named.pid";
  session-keyfile "{lab.server.folder}/session.key";
  {listen} port {options.port} {{ {lab.server.address}; }}; {silent} {{ none; }};
  recursion no; dnssec-validation no; empty-zones-enable no; minimal-responses yes;
}};
controls {{ }};
zone "example.org" {{ type primary; file "example.org.zone"; }};
""",
        mode=0o644,
    )
    daemon = lab.server.start(
        "named", "named", "-g", "-4" if lab.ip_version == 4 else "-6", "-n", "1", "-c", configuration
    )
    daemon.wait_for("running")
    common = ["dig", f"@{lab.server.address}", "-p", str(options.port), "+tries=1", "+time=5"]
    if options.awkward:
        questions = [
            [*common, f"+qid={number}", "+norecurse", "+noad", "+noedns", *_QUESTIONS[0]] for number in _AWKWARD
        ]
    else:
        questions = [[*common, *question] for question in _QUESTIONS]
    for question in questions:
        lab.client.run(*question, "+tcp" if options.transport == "tcp" else "+notcp")
    return [
        Served(
            address=lab.server.address,
            port=options.port,
            ip_proto=TCP if options.transport == "tcp" else UDP,
            family="dns",
            flows=len(questions),
        )
    ]


PROGRAM = Program(
    name="dns",
    options=Options,
    requirements=(
        Requirement(name="named", executable="named", package="apt: bind9", version=("named", "-v")),
        Requirement(name="dig", executable="dig", package="apt: bind9-dnsutils", version=("dig", "-v")),
    ),
    play=play,
)
