"""Directories: OpenLDAP with its own tools, MIT Kerberos with kinit and kvno.

Options of a scenario: service (``ldap``, ``kerberos``), transport (``tcp``, ``udp``: kerberos alone), port, tls (ldap
alone: StartTLS on the same connection).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..host import Host
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_PORTS = {"ldap": 389, "kerberos": 88}
_REALM, _PASSWORD = "EXAMPLE.ORG", "green-apple-7"
_BASE = "dc=example,dc=org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    transport: str = "tcp"
    port: int = 0
    tls: bool = False

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is neither ldap nor kerberos")
        if self.transport not in ("tcp", "udp") or (self.service == "ldap" and self.transport == "udp"):
            raise ValueError(f"{self.service} does not go over {self.transport!r} here")
        if self.tls and self.service != "ldap":
            raise ValueError("Kerberos has no TLS")


def play(lab: Lab, options: Options) -> list[Served]:
    """Ask the directory for some people, or for tickets."""
    port = options.port or _PORTS[options.service]
    flows = _ldap(lab, port, options.tls) if options.service == "ldap" else _kerberos(lab, port, options.transport)
    protocol = UDP if options.transport == "udp" else TCP
    return [Served(address=lab.server.address, port=port, ip_proto=protocol, family=options.service, flows=flows)]


def _ldap(lab: Lab, port: int, tls: bool) -> int:
    (lab.server.folder / "data").mkdir()
    secured = ""
    asking: tuple[str, ...] = ()
    environment = {"LDAPNOINIT": "1"}
    if tls:
        authority = Authority(lab.server.folder / "ca")
        identity = authority.issue("ldap.example.org", usage="serverAuth", address=lab.server.address)
        secured = f"TLSCertificateFile {identity.certificate}\nTLSCertificateKeyFile {identity.key}\n"
        asking = ("-ZZ",)
        environment = {"LDAPTLS_CACERT": str(authority.certificate)}
    configuration = lab.server.write(
        "slapd.conf",
        f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {lab.server.folder}/slapd.pid
{secured}database mdb
maxsize 10485760
suffix "{_BASE}"
rootdn "cn=admin,{_BASE}"
rootpw {_PASSWORD}
directory {lab.server.folder}/data
""",
    )
    url = f"ldap://{_shown(lab.server.address)}:{port}"
    server = lab.server.start("slapd", "slapd", "-h", url, "-f", configuration, "-d", "256")
    server.wait_for("slapd starting")
    people = "".join(
        f"dn: cn={name},{_BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nmail: {name}@example.org\n\n"
        for name in ("Ada", "Emmy", "Grace")
    )
    entries = f"dn: {_BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n{people}"
    as_admin = ("-x", "-H", url, *asking, "-D", f"cn=admin,{_BASE}", "-w", _PASSWORD)
    lab.client.run("ldapadd", *as_admin, stdin=entries, environment=environment)
    lab.client.run("ldapsearch", "-x", "-H", url, *asking, "-b", _BASE, "(mail=*)", environment=environment)
    lab.client.run("ldapwhoami", *as_admin, environment=environment)
    return 3


def _kerberos(lab: Lab, port: int, transport: str) -> int:
    files = {host.role: _realm(host, lab.server.address, port, transport) for host in (lab.server, lab.client)}
    on_server = files["server"]
    lab.server.run("kdb5_util", "create", "-s", "-r", _REALM, "-P", "master-" + _PASSWORD, environment=on_server)
    for asked in (f"addprinc +requires_preauth -pw {_PASSWORD} ada", "addprinc -randkey host/files.example.org"):
        lab.server.run("kadmin.local", "-r", _REALM, "-q", asked, environment=on_server)
    server = lab.server.start("krb5kdc", "krb5kdc", "-n", "-r", _REALM, environment=on_server)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnu"), "listening")
    lab.client.run("kinit", "ada", stdin=_PASSWORD + "\n", environment=files["client"])
    lab.client.run("kvno", "host/files.example.org", environment=files["client"])
    return 3  # a ticket without and with pre-authentication, then one for a service: each over a socket of its own


def _realm(host: Host, server: str, port: int, transport: str) -> Mapping[str, str]:
    limit = 1 if transport == "tcp" else 4000
    configuration = host.write(
        "krb5.conf",
        f"""[libdefaults]
default_realm = {_REALM}
udp_preference_limit = {limit}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
[realms]
{_REALM} = {{
  kdc = {_shown(server)}:{port}
}}
""",
    )
    profile = host.write(
        "kdc.conf",
        f"""[kdcdefaults]
kdc_listen = {_shown(server)}:{port}
kdc_tcp_listen = {_shown(server)}:{port}
[realms]
{_REALM} = {{
  database_name = {host.folder}/principal
  key_stash_file = {host.folder}/stash
  acl_file = {host.folder}/kadm5.acl
}}
[logging]
kdc = STDERR
""",
    )
    return {
        "KRB5_CONFIG": str(configuration),
        "KRB5_KDC_PROFILE": str(profile),
        "KRB5CCNAME": f"FILE:{host.folder}/tickets",
    }


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


PROGRAM = Program(
    name="directory",
    options=Options,
    requirements=(
        Requirement(name="slapd", executable="slapd", package="apt: slapd", version=("dpkg-query", "-W", "slapd")),
        Requirement(
            name="ldapsearch", executable="ldapsearch", package="apt: ldap-utils", version=("ldapsearch", "-VV")
        ),
        Requirement(
            name="krb5kdc", executable="krb5kdc", package="apt: krb5-kdc", version=("dpkg-query", "-W", "krb5-kdc")
        ),
        Requirement(
            name="kadmin.local",
            executable="kadmin.local",
            package="apt: krb5-admin-server",
            version=("dpkg-query", "-W", "krb5-admin-server"),
        ),
        Requirement(name="kinit", executable="kinit", package="apt: krb5-user", version=("klist", "-V")),
        OPENSSL,
    ),
    play=play,
)
