"""DNS over TLS: Unbound as the server; asked by kdig, or by dig through Stubby, which stands on the client.

Options of a scenario: client (kdig, stubby), port.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..errors import TestbedError
from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]

_NAME = "resolver.example.org"
_DATA = (
    "www.example.org. A 198.51.100.80",
    "www.example.org. AAAA 2001:db8:a:80::80",
    "example.org. MX 10 mail.example.org.",
    "example.org. TXT v=spf1",
)
_QUESTIONS = (("www.example.org", "A"), ("www.example.org", "AAAA"), ("example.org", "MX"), ("example.org", "TXT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    client: str = "kdig"
    port: int = 853

    def __post_init__(self) -> None:
        if self.client not in ("kdig", "stubby"):
            raise ValueError(f"client {self.client!r} is neither kdig nor stubby")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask four questions: kdig opens a connection for each, Stubby keeps one."""
    authority = Authority(lab.server.folder / "pki")
    identity = authority.issue(_NAME, usage="serverAuth", address=lab.server.address)
    data = "\n".join(f'  local-data: "{line}"' for line in _DATA)
    configuration = lab.server.write(
        "unbound.conf",
        f"""server:
  interface: {lab.server.address}@{options.port}
  tls-port: {options.port}
  tls-service-key: "{identity.key}"
  tls-service-pem: "{identity.certificate}"
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  username: ""
  chroot: ""
  directory: "{lab.server.folder}"
  pidfile: "{lab.server.folder}/unbound.pid"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "example.org." static
{data}
remote-control:
  control-enable: no
""",
        mode=0o644,
    )
    lab.server.start("unbound", "unbound", "-d", "-v", "-c", configuration).wait_for("start of service")
    if options.client == "kdig":
        common = ["kdig", f"@{lab.server.address}", "-p", str(options.port), f"+tls-ca={authority.certificate}"]
        common.append(f"+tls-hostname={_NAME}")
    else:
        common = ["dig", "@127.0.0.1", "-p", "5300", "+tries=1", "+time=5"]
        _start_stubby(lab, options, authority)
    for name, kind in _QUESTIONS:
        said = lab.client.run(*common, name, kind)
        if "NOERROR" not in said:
            raise TestbedError(f"{options.client} got no answer:\n{said[-1000:]}")
    flows = len(_QUESTIONS) if options.client == "kdig" else 1
    return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="tls", flows=flows)]


def _start_stubby(lab: Lab, options: Options, authority: Authority) -> None:
    configuration = lab.client.write(
        "stubby.yml",
        f"""resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list:
  - GETDNS_TRANSPORT_TLS
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 128
tls_ca_file: "{authority.certificate}"
idle_timeout: 10000
listen_addresses:
  - 127.0.0.1@5300
appdata_dir: "{lab.client.folder}"
upstream_recursive_servers:
  - address_data: {lab.server.address}
    tls_auth_name: "{_NAME}"
    tls_port: {options.port}
""",
        mode=0o644,
    )
    lab.client.start("stubby", "stubby", "-C", configuration, "-v", "6").wait_for("Starting DAEMON")


PROGRAM = Program(
    name="dns_tls",
    options=Options,
    requirements=(
        Requirement(name="unbound", executable="unbound", package="apt: unbound", version=("unbound", "-V")),
        Requirement(name="kdig", executable="kdig", package="apt: knot-dnsutils", version=("kdig", "-V")),
        Requirement(name="stubby", executable="stubby", package="apt: stubby", version=("stubby", "-V")),
        Requirement(name="dig", executable="dig", package="apt: bind9-dnsutils", version=("dig", "-v")),
        OPENSSL,
    ),
    play=play,
)
