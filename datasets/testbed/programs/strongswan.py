"""strongSwan: IKEv1 and IKEv2, with ESP in user space (plugin kernel-libipsec), hence always inside UDP.

Options of a scenario: version (1, 2), aggressive (IKEv1), authentication (psk, certificate, xauth), refused (the
client has the wrong key, so that there is IKE but no ESP), move (whether IKE moves to port 4500 after the first
exchange; if not, charon runs without its ESP), server_proposals (for a client that guesses the server's group
wrongly), idle.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority, Identity
from ..errors import TestbedError
from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import CURL, NGINX, PING, use_tunnel

__all__ = ["PROGRAM", "Options"]

_CHARON = "/usr/lib/ipsec/charon"
_INNER = {"client": "10.91.1.1", "server": "10.91.2.1"}
_NETS = {"client": "10.91.1.0/24", "server": "10.91.2.0/24"}
_NAMES = {"client": "road.example.net", "server": "gate.example.net"}
_PLUGINS = (
    "random nonce aes sha1 sha2 hmac pem x509 pubkey pkcs1 pkcs8 kdf constraints openssl curve25519 gcm gmp "
    "kernel-libipsec kernel-netlink socket-default vici updown xauth-generic"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    version: int
    aggressive: bool = False
    authentication: str = "psk"
    refused: bool = False
    move: bool = True
    server_proposals: str = "default"
    idle: int = 2

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"version {self.version} is neither 1 nor 2")
        if self.authentication not in ("psk", "certificate", "xauth"):
            raise ValueError(f"authentication {self.authentication!r} is not psk, certificate or xauth")
        if self.version == 2 and (self.aggressive or self.authentication == "xauth"):
            raise ValueError("aggressive and xauth go with version 1 only")
        if not self.move and not self.refused:
            raise ValueError("ESP needs port 4500 here: move = false goes with refused = true only")


def play(lab: Lab, options: Options) -> list[Served]:
    """Negotiate, use the tunnel (unless the client is refused), take it down."""
    authority = Authority(lab.server.folder / "pki", "Example Gateway CA")
    daemons: dict[str, Daemon] = {}
    for host in (lab.server, lab.client):
        identity = authority.issue(_NAMES[host.role], usage="serverAuth" if host is lab.server else "clientAuth")
        daemons[host.role] = _start(host, options)
        settings = host.own("/etc/swanctl")
        (settings / "private").mkdir()
        shutil.copy(identity.key, settings / "private")
        host.run("ip", "address", "add", f"{_INNER[host.role]}/24", "dev", "lo")
        text = _configuration(lab, host, options, authority, identity)
        (settings / "swanctl.conf").write_text(text, encoding="utf-8")
        host.run("swanctl", "--load-all", "--noprompt")
    lab.client.run(
        *("swanctl", "--initiate", "--child", "net", "--timeout", "15"), may_fail=options.refused, seconds=40
    )
    variant = f"ikev{options.version}"
    gate = Served(address=lab.server.address, port=500, ip_proto=UDP, family="ike", variant=variant)
    moved = Served(address=lab.server.address, port=4500, ip_proto=UDP, family="ike", variant=variant)
    if options.refused:
        if "established between" in daemons["client"].output():
            raise TestbedError("strongswan: the client was to be refused, but it was let in")
        return [gate, moved] if options.move else [gate]
    use_tunnel(lab.client, lab.server, _INNER["server"], idle=options.idle)
    lab.client.run("swanctl", "--terminate", "--ike", "gate", "--timeout", "10")
    esp = Served(address=lab.server.address, port=4500, ip_proto=UDP, family="esp", variant="nat-t")
    return [gate, esp]


def _start(host: Host, options: Options) -> Daemon:
    plugins = _PLUGINS if options.move else _PLUGINS.replace("kernel-libipsec ", "")
    settings = host.write(
        "strongswan.conf",
        f"""charon {{
  load = {plugins}
  install_virtual_ip = no
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  filelog {{ stderr {{ default = 1
 ike = 2
 cfg = 2 }} }}
  plugins {{ kernel-libipsec {{ allow_peer_ts = yes }} }}
}}
swanctl {{ load = pem pkcs1 pkcs8 x509 pubkey openssl random }}
""",
    )
    daemon = host.start("charon", "env", f"STRONGSWAN_CONF={settings}", _CHARON)
    socket = host.folder / "over-run" / "charon.vici"
    daemon.wait_until(socket.exists, "opening its control socket")
    return daemon


def _configuration(lab: Lab, host: Host, options: Options, authority: Authority, identity: Identity) -> str:
    peer = lab.server if host is lab.client else lab.client
    secret = "a wrong secret" if options.refused and host is lab.client else "correct horse battery staple"
    proposals = options.server_proposals if host is lab.server else "default"
    certificate = options.authentication == "certificate"
    auth = "pubkey" if certificate else "psk"
    extra = ""
    if options.authentication == "xauth":
        own = "remote-xauth" if host is lab.server else "local-xauth"
        user = "xauth_id = carol\n" if host is lab.client else ""
        extra = f"{own} {{ auth = xauth\n {user} }}"
    return f"""connections {{ gate {{
  version = {options.version}
  aggressive = {"yes" if options.aggressive else "no"}
  local_addrs = {host.address}
  remote_addrs = {peer.address if host is lab.client else lab.client_from_outside}
  proposals = {proposals}
  encap = {"yes" if options.move and lab.nat is None else "no"}
  mobike = {"yes" if options.move else "no"}
  local {{ auth = {auth}
 id = {_NAMES[host.role]}
 {f"certs = {identity.certificate}" if certificate else ""} }}
  remote {{ auth = {auth}
 id = {_NAMES[peer.role]} }}
  {extra}
  children {{ net {{
    local_ts = {_NETS[host.role]}
    remote_ts = {_NETS[peer.role]}
    esp_proposals = aes128gcm16,aes256-sha256
  }} }}
}} }}
secrets {{
  ike-gate {{ secret = "{secret}" }}
  xauth-carol {{ id = carol
 secret = "green parrot" }}
}}
authorities {{ example {{ cacert = {authority.certificate} }} }}
"""


PROGRAM = Program(
    name="strongswan",
    options=Options,
    requirements=(
        Requirement(
            name="charon",
            executable=_CHARON,
            package="apt: strongswan-charon libcharon-extra-plugins libstrongswan-standard-plugins "
            "libstrongswan-extra-plugins libcharon-extauth-plugins",
            version=(_CHARON, "--version"),
        ),
        Requirement(
            name="swanctl", executable="swanctl", package="apt: strongswan-swanctl", version=("swanctl", "--version")
        ),
        OPENSSL,
        NGINX,
        CURL,
        PING,
    ),
    play=play,
    needs_tun=True,
)
