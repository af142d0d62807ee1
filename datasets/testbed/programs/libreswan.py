"""libreswan: IKEv1 and IKEv2 of a second implementation. Its ESP needs the kernel's, so that there may be IKE alone.

Options of a scenario: version (1, 2), aggressive (IKEv1), authentication (psk, certificate), move (whether IKE moves
to port 4500 after the first exchange), ike (libreswan's words for the proposals),
idle (seconds before the end). What passes on 4500 is all IKE: the ESP that the kernel
refuses is never sent, and the negotiation ends where the first of the two learns of it.

Debian's package excludes strongSwan's: ``python -m datasets.testbed unpack`` puts it elsewhere and links
/usr/libexec/ipsec to its folder of that name.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..errors import TestbedError
from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import silence

__all__ = ["PROGRAM", "Options"]

_FOLDER = "/usr/libexec/ipsec"
_NAMES = {"client": "road.example.net", "server": "gate.example.net"}
_NETS = {"client": "10.92.1.0/24", "server": "10.92.2.0/24"}
_SOCKET = "/run/pluto/pluto.ctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: int
    aggressive: bool = False
    authentication: str = "psk"
    move: bool = True
    ike: str = ""
    idle: int = 4

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"version {self.version} is neither 1 nor 2")
        if self.authentication not in ("psk", "certificate"):
            raise ValueError(f"authentication {self.authentication!r} is neither psk nor certificate")
        if self.version == 2 and self.aggressive:
            raise ValueError("aggressive goes with version 1 only")


def play(lab: Lab, options: Options) -> list[Served]:
    """Negotiate, wait, take it down."""
    authority = Authority(lab.server.folder / "pki", "Example Gateway CA")
    daemons: dict[str, Daemon] = {}
    for host in (lab.server, lab.client):
        _store_identity(host, options, authority)
        daemons[host.role] = _start(lab, host, options)
    client = daemons["client"]
    lab.client.run(f"{_FOLDER}/whack", "--initiate", "--name", "gate", "--asynchronous")
    client.wait_until(lambda: " established" in client.output(), "agreeing on keys")
    silence(options.idle)
    lab.client.run(f"{_FOLDER}/whack", "--delete", "--name", "gate")
    variant = f"ikev{options.version}"
    ports = (500, 4500) if options.move else (500,)
    return [
        Served(address=lab.server.address, port=port, ip_proto=UDP, family="ike", variant=variant) for port in ports
    ]


def _store_identity(host: Host, options: Options, authority: Authority) -> None:
    """Make the key database; with certificates, put the host's own and the authority's into it."""
    (host.folder / "nss").mkdir()
    store = f"sql:{host.folder}/nss"
    host.run("certutil", "-N", "-d", store, "--empty-password")
    if options.authentication != "certificate":
        return
    name = _NAMES[host.role]
    identity = authority.issue(name, usage="serverAuth" if host.role == "server" else "clientAuth")
    bundle = host.folder / "identity.p12"
    host.run(
        *("openssl", "pkcs12", "-export", "-in", identity.certificate, "-inkey", identity.key, "-name", name),
        *("-certfile", authority.certificate, "-passout", "pass:x", "-out", bundle),
    )
    host.run("pk12util", "-i", bundle, "-d", store, "-W", "x", "-K", "")
    host.run("certutil", "-A", "-d", store, "-n", "authority", "-t", "CT,,", "-i", authority.certificate)


def _start(lab: Lab, host: Host, options: Options) -> Daemon:
    (host.folder / "over-run" / "pluto").mkdir()
    configuration = host.write("ipsec.conf", _configuration(lab, host, options))
    secrets = host.write("ipsec.secrets", ': PSK "correct horse battery staple"\n')
    daemon = host.start(
        "pluto",
        *(f"{_FOLDER}/pluto", "--nofork", "--stderrlog", "--config", configuration, "--secretsfile", secrets),
        *("--nssdir", host.folder / "nss", "--rundir", "/run/pluto", "--no-dnssec", "--nhelpers", "1"),
    )
    daemon.wait_for("listening for IKE messages")
    daemon.wait_for("loading secrets from")
    host.run(f"{_FOLDER}/addconn", "--config", configuration, "--ctlsocket", _SOCKET, "gate")
    if "added" not in daemon.output():
        raise TestbedError(f"{daemon.name} did not take the connection:\n{daemon.output()[-1000:]}")
    return daemon


def _configuration(lab: Lab, host: Host, options: Options) -> str:
    peer = lab.server if host is lab.client else lab.client
    certificate = options.authentication == "certificate"
    identity = f"  leftcert={_NAMES[host.role]}\n  rightca=%same\n" if certificate else ""
    return f"""config setup
  {"ikev1-policy=accept" if options.version == 1 else ""}
conn gate
  left={host.address}
  right={peer.address}
  leftid=@{_NAMES[host.role]}
  rightid=@{_NAMES[peer.role]}
{identity}  leftsubnet={_NETS[host.role]}
  rightsubnet={_NETS[peer.role]}
  authby={("ecdsa" if options.version == 2 else "rsasig") if certificate else "secret"}
  ikev2={"insist" if options.version == 2 else "no"}
  aggressive={"yes" if options.aggressive else "no"}
  encapsulation={"yes" if options.move else "no"}
  {f"ike={options.ike}" if options.ike else ""}
  dpddelay=1
  dpdtimeout=10
  dpdaction=hold
  auto=ignore
"""


PROGRAM = Program(
    name="libreswan",
    options=Options,
    requirements=(
        Requirement(
            name="pluto",
            executable=f"{_FOLDER}/pluto",
            package="unpack: libreswan",
            version=(f"{_FOLDER}/pluto", "--version"),
        ),
        Requirement(
            name="certutil",
            executable="certutil",
            # With it the libraries of a libreswan that was unpacked, not installed.
            package="apt: libnss3-tools dns-root-data libcurl3-nss libevent-core-2.1-7 libevent-pthreads-2.1-7 "
            "libldns3 libunbound8",
            version=("dpkg-query", "-W", "libnss3-tools"),
        ),
        OPENSSL,
    ),
    play=play,
)
