"""Servers of files: Samba, vsftpd, rsync, git and NFS-Ganesha (with rpcbind), each with its usual client.

Options of a scenario: service (``smb``, ``ftp``, ``rsync``, ``git``, ``nfs``), port (of ``nfs`` the server's own;
rpcbind has 111), active (ftp: the server opens the data connections), tls (ftp: AUTH TLS), version (nfs: 3 or 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..certificates import OPENSSL, Authority
from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_PORTS = {"smb": 445, "ftp": 21, "rsync": 873, "git": 9418, "nfs": 2049}
_FTP_DATA, _PASSIVE, _RPCBIND, _MOUNT = 20, 40021, 111, 20048


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose; a port of 0 is the usual one."""

    service: str
    port: int = 0
    active: bool = False
    tls: bool = False
    version: int = 3

    def __post_init__(self) -> None:
        if self.service not in _PORTS:
            raise ValueError(f"service {self.service!r} is not one of {', '.join(_PORTS)}")
        if self.version not in (3, 4):
            raise ValueError(f"version {self.version} is neither 3 nor 4")


def play(lab: Lab, options: Options) -> list[Served]:
    """List a folder, fetch a file and, where that is usual, store one."""
    lab.server.folder.chmod(0o755)
    shared = lab.server.folder / "shared"
    shared.mkdir()
    lines = lab.random("notes")
    (shared / "notes.txt").write_text("".join(f"{n} {lines.random():.12f}\n" for n in range(400)))
    return _SERVICES[options.service](lab, options, options.port or _PORTS[options.service])


def _smb(lab: Lab, options: Options, port: int) -> list[Served]:
    at = lab.server.folder / "samba"
    at.mkdir()
    folders = "".join(
        f"{name} = {at}\n"
        for name in ("private dir", "lock directory", "state directory", "cache directory", "pid directory")
    )
    configuration = lab.server.write(
        "smb.conf",
        f"""[global]
{folders}ncalrpc dir = {at}/rpc
smb ports = {port}
interfaces = {lab.server.address}
bind interfaces only = yes
disable netbios = yes
load printers = no
printcap name = /dev/null
server role = standalone server
[files]
path = {lab.server.folder}/shared
read only = no
""",
    )
    lab.server.run("smbpasswd", "-c", configuration, "-s", "-a", "root", stdin="green-apple-7\n" * 2)
    server = lab.server.start("smbd", "smbd", "-F", "--debug-stdout", "-s", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    own = lab.client.write("smb.conf", f"[global]\nlock directory = {lab.client.folder}\ndisable netbios = yes\n")
    where = ("smbclient", f"//{lab.server.address}/files", "-s", own, "-p", str(port), "-U", "root%green-apple-7")
    lab.client.run(*where, "-c", "ls; get notes.txt got.txt; put got.txt back.txt; ls")
    lab.client.run(*where, "-m", "SMB2", "-c", "ls")
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family="smb", flows=2)]


def _ftp(lab: Lab, options: Options, port: int) -> list[Served]:
    lab.server.folder.joinpath("empty").mkdir()
    version = "listen=YES\nlisten_address" if lab.ip_version == 4 else "listen=NO\nlisten_ipv6=YES\nlisten_address6"
    secured, asking = "", ["--disable-epsv"] if lab.ip_version == 4 else []
    if options.tls:
        identity = Authority(lab.server.folder / "ca").issue("ftp.example.org", usage="serverAuth")
        secured = (
            f"ssl_enable=YES\nallow_anon_ssl=YES\nssl_tlsv1=YES\nrequire_ssl_reuse=NO\n"
            f"rsa_cert_file={identity.certificate}\nrsa_private_key_file={identity.key}\n"
        )
        asking += ["--ssl-reqd", "--insecure"]
    configuration = lab.server.write(
        "vsftpd.conf",
        f"""{version}={lab.server.address}
listen_port={port}
background=NO
anonymous_enable=YES
anon_root={lab.server.folder}/shared
no_anon_password=YES
secure_chroot_dir={lab.server.folder}/empty
pasv_min_port={_PASSIVE}
pasv_max_port={_PASSIVE}
connect_from_port_20=YES
ftp_data_port={_FTP_DATA}
seccomp_sandbox=NO
{secured}""",
    )
    server = lab.server.start("vsftpd", "vsftpd", configuration)
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    if options.active:
        asking += ["--ftp-port", lab.client.address, "--disable-eprt"]
    url = f"ftp://{_shown(lab.server.address)}:{port}/"
    for path in ("", "notes.txt"):
        lab.client.run("curl", "-sS", *asking, url + path)
    data = _FTP_DATA if options.active else _PASSIVE
    family = "tls" if options.tls else "other-app"
    return [
        Served(address=lab.server.address, port=port, ip_proto=TCP, family="ftp", flows=2),
        Served(
            address=lab.server.address,
            port=data,
            ip_proto=TCP,
            family=family,
            variant=None if options.tls else "ftp-data",
            flows=2,
            scope="gate" if options.tls else "hint",
        ),
    ]


def _rsync(lab: Lab, options: Options, port: int) -> list[Served]:
    configuration = lab.server.write(
        "rsyncd.conf",
        "use chroot = no\nreverse lookup = no\nuid = 0\ngid = 0\n[files]\n"
        f"path = {lab.server.folder}/shared\nread only = no\n",
    )
    server = lab.server.start(
        "rsync",
        *("rsync", "--daemon", "--no-detach", f"--config={configuration}", f"--address={lab.server.address}"),
        f"--port={port}",
    )
    server.wait_until(lambda: f":{port} " in lab.server.run("ss", "-Hlnt"), "listening")
    url = f"rsync://{_shown(lab.server.address)}:{port}/"
    lab.client.run("rsync", url)
    lab.client.run("rsync", "-a", url + "files/", "fetched/")
    lab.client.run("rsync", "-az", "fetched/notes.txt", url + "files/back.txt")
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family="rsync", flows=3)]


def _git(lab: Lab, options: Options, port: int) -> list[Served]:
    who = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    as_ada = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", "shared")
    for asked in (("init", "-q", "-b", "main"), ("add", "notes.txt"), ("commit", "-q", "-m", "Notes")):
        lab.server.run(*as_ada, *asked, environment=who)
    where = (f"--listen={lab.server.address}", f"--port={port}", f"--base-path={lab.server.folder}")
    server = lab.server.start("git", "git", "daemon", "--export-all", "--verbose", *where)
    server.wait_for("Ready to rumble")
    url = f"git://{_shown(lab.server.address)}:{port}/shared"
    lab.client.run("git", "ls-remote", url, environment=who)
    lab.client.run("git", "-c", "protocol.version=0", "clone", "-q", url, "fetched", environment=who)
    return [Served(address=lab.server.address, port=port, ip_proto=TCP, family="git", flows=2)]


def _nfs(lab: Lab, options: Options, port: int) -> list[Served]:
    rpcbind = lab.server.start("rpcbind", "rpcbind", "-f", "-w", "-h", lab.server.address)
    rpcbind.wait_until(lambda: f":{_RPCBIND} " in lab.server.run("ss", "-Hlnt"), "listening")
    configuration = lab.server.write(
        "ganesha.conf",
        f"""NFS_CORE_PARAM {{
  NFS_Port = {port}; MNT_Port = {_MOUNT}; Enable_NLM = false; Enable_RQUOTA = false; Protocols = 3, 4;
  Bind_addr = {lab.server.address};
}}
NFSv4 {{ Graceless = true; RecoveryRoot = {lab.server.folder}; }}
EXPORT {{
  Export_Id = 1; Path = {lab.server.folder}/shared; Pseudo = /shared; Access_Type = RW; Squash = No_Root_Squash;
  SecType = sys; Protocols = 3, 4; Transports = UDP, TCP; PrivilegedPort = false; FSAL {{ Name = VFS; }}
}}
""",
    )
    folders = ("-p", lab.server.folder / "ganesha.pid", "-L", "STDOUT", "-N", "EVENT")
    server = lab.server.start("ganesha", "ganesha.nfsd", "-F", *folders, "-f", configuration)
    server.wait_for("NFS SERVER INITIALIZED")
    path = f"{lab.server.folder}/shared" if options.version == 3 else "/shared"
    wanted = f"?version={options.version}" + (f"&nfsport={port}" if options.version == 4 else "")
    if options.version == 3:
        lab.client.run("rpcinfo", "-p", lab.server.address)
        lab.client.run("rpcinfo", "-T", "udp", lab.server.address, "100003", "3", may_fail=True)
    lab.client.run("nfs-ls", f"nfs://{lab.server.address}{path}{wanted}")
    lab.client.run("nfs-cp", f"nfs://{lab.server.address}{path}/notes.txt{wanted}", "got.txt")
    portmapped = 1 if options.version == 3 else 0
    here = lab.server.address
    return [
        Served(address=here, port=port, ip_proto=TCP, family="sunrpc", flows=2),
        Served(address=here, port=port, ip_proto=UDP, family="sunrpc", flows=0),
        Served(address=here, port=_RPCBIND, ip_proto=TCP, family="sunrpc", flows=portmapped),
        Served(address=here, port=_RPCBIND, ip_proto=UDP, family="sunrpc", flows=0),
        Served(address=here, port=_MOUNT, ip_proto=TCP, family="sunrpc", flows=portmapped),
    ]


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_SERVICES: dict[str, Callable[[Lab, Options, int], list[Served]]] = {
    "smb": _smb,
    "ftp": _ftp,
    "rsync": _rsync,
    "git": _git,
    "nfs": _nfs,
}

PROGRAM = Program(
    name="file_servers",
    options=Options,
    requirements=(
        Requirement(name="smbd", executable="smbd", package="apt: samba", version=("smbd", "-V")),
        Requirement(name="smbclient", executable="smbclient", package="apt: smbclient", version=("smbclient", "-V")),
        Requirement(name="vsftpd", executable="vsftpd", package="apt: vsftpd", version=("dpkg-query", "-W", "vsftpd")),
        Requirement(name="curl", executable="curl", package="apt: curl", version=("curl", "-V")),
        Requirement(name="rsync", executable="rsync", package="apt: rsync", version=("rsync", "--version")),
        Requirement(
            name="git", executable="/usr/lib/git-core/git-daemon", package="apt: git", version=("git", "--version")
        ),
        Requirement(
            name="ganesha",
            executable="ganesha.nfsd",
            package="apt: nfs-ganesha nfs-ganesha-vfs",
            version=("ganesha.nfsd", "-v"),
        ),
        Requirement(
            name="rpcbind", executable="rpcbind", package="apt: rpcbind", version=("dpkg-query", "-W", "rpcbind")
        ),
        Requirement(
            name="libnfs",
            executable="nfs-ls",
            package="apt: libnfs-utils",
            version=("dpkg-query", "-W", "libnfs-utils"),
        ),
        OPENSSL,
    ),
    play=play,
)
