"""strongSwan: IKEv1 and IKEv2, with ESP in user space (plugin kernel-libipsec), hence always inside UDP.

Options of a scenario: version (1, 2), aggressive (IKEv1), authentication (psk, certificate, xauth, eap-mschapv2,
eap-tls), refused (the client has the wrong key, so that there is IKE but no ESP), move (whether IKE moves to port 4500
after the first exchange; if not, charon runs without its ESP), server_proposals (for a client that guesses the
server's group wrongly), fragment (IKE messages are cut at so many bytes, 0: where they must), rekey (seconds until
IKE has new keys, 0: none), roam (MOBIKE: the client goes on from its second address), idle.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority, Identity
from ..errors import TestbedError
from ..host import Daemon, Host
from ..lab import Lab, Program, Requirement
from ..labels import UDP, Served
from ..traffic import CURL, NGINX, PING, ping, silence, use_tunnel

__all__ = ["PROGRAM", "Options"]

_CHARON = "/usr/lib/ipsec/charon"
_INNER = {"client": "10.91.1.1", "server": "10.91.2.1"}
_NETS = {"client": "10.91.1.0/24", "server": "10.91.2.0/24"}
_NAMES = {"client": "road.example.net", "server": "gate.example.net"}
_AUTHENTICATIONS = ("psk", "certificate", "xauth", "eap-mschapv2", "eap-tls")
_PLUGINS = (
    "random nonce aes sha1 sha2 hmac pem x509 pubkey pkcs1 pkcs8 kdf constraints openssl curve25519 gcm gmp "
    "kernel-libipsec kernel-netlink socket-default vici updown xauth-generic eap-identity eap-mschapv2 eap-tls"
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
    fragment: int = 0
    rekey: int = 0
    roam: bool = False
    idle: int = 2

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"version {self.version} is neither 1 nor 2")
        if self.authentication not in _AUTHENTICATIONS:
            raise ValueError(f"authentication {self.authentication!r} is not one of {', '.join(_AUTHENTICATIONS)}")
        if self.version == 2 and (self.aggressive or self.authentication == "xauth"):
            raise ValueError("aggressive and xauth go with version 1 only")
        if self.version == 1 and (self.roam or self.authentication.startswith("eap")):
            raise ValueError("roam and eap go with version 2 only")
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
    if options.roam:
        _roam(lab.client, daemons["client"])
        ping(lab.client, _INNER["server"], count=4)
    lab.client.run("swanctl", "--terminate", "--ike", "gate", "--timeout", "10")
    esp = Served(
        address=lab.server.address,
        port=4500,
        ip_proto=UDP,
        family="esp",
        variant="nat-t",
        flows=2 if options.roam else 1,
    )
    return [gate, esp]


def _roam(client: Host, daemon: Daemon) -> None:
    """Take the client's first address away; charon tells the server of the other one."""
    version, width = ("-6", "64") if ":" in client.address else ("-4", "24")
    route = client.run("ip", version, "route", "show", "default").split()
    client.run("ip", "address", "delete", f"{client.address}/{width}", "dev", "eth0")
    client.run("ip", "address", "replace", f"{client.addresses[1]}/{width}", "dev", "eth0")
    client.run("ip", version, "route", "replace", "default", "via", route[route.index("via") + 1], "dev", "eth0")
    daemon.wait_until(
        lambda: "updating to new local address" in daemon.output() or "N(UPD_SA_ADDR)" in daemon.output(),
        "telling the server of its new address",
    )
    silence(1)


def _start(host: Host, options: Options) -> Daemon:
    plugins = _PLUGINS if options.move else _PLUGINS.replace("kernel-libipsec ", "")
    settings = host.write(
        "strongswan.conf",
        f"""charon {{
  load = {plugins}
  install_virtual_ip = no
  {f"fragment_size = {options.fragment}" if options.fragment else ""}
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
    certificate = options.authentication in ("certificate", "eap-tls", "eap-mschapv2")
    auth = {host.role: "pubkey" if certificate else "psk", peer.role: "pubkey" if certificate else "psk"}
    if options.authentication.startswith("eap"):
        auth["client"] = options.authentication
    extra = ""
    if options.authentication == "xauth":
        own = "remote-xauth" if host is lab.server else "local-xauth"
        user = "xauth_id = carol\n" if host is lab.client else ""
        extra = f"{own} {{ auth = xauth\n {user} }}"
    return f"""connections {{ gate {{
  version = {options.version}
  aggressive = {"yes" if options.aggressive else "no"}
  local_addrs = {"%any" if options.roam and host is lab.client else host.address}
  remote_addrs = {peer.address if host is lab.client else lab.client_from_outside}
  proposals = {proposals}
  {"fragmentation = force" if options.fragment else ""}
  {f"rekey_time = {options.rekey}s" if options.rekey and host is lab.client else ""}
  over_time = 30s
  rand_time = 0s
  encap = {"yes" if options.move and lab.nat is None else "no"}
  mobike = {"yes" if options.move else "no"}
  local {{ auth = {auth[host.role]}
 id = {_NAMES[host.role]}
 {f"certs = {identity.certificate}" if certificate else ""} }}
  remote {{ auth = {auth[peer.role]}
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
  eap-road {{ id = {_NAMES["client"]}
 secret = "green parrot" }}
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
