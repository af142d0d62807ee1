"""SSH: OpenSSH's server and client, a command and a file copied.

Options of a scenario: port.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, Served

__all__ = ["PROGRAM", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    port: int = 22

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")


def play(lab: Lab, options: Options) -> list[Served]:
    """Run a command, then fetch 20 kB, each over a connection of its own."""
    (lab.server.folder / "over-run" / "sshd").mkdir(mode=0o755)
    lab.server.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "host_key")
    lab.client.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "user_key")
    public = (lab.client.folder / "user_key.pub").read_text(encoding="utf-8")
    keys = lab.server.write("authorized_keys", public)
    configuration = lab.server.write(
        "sshd_config",
        f"""Port {options.port}
ListenAddress {lab.server.address}
HostKey {lab.server.folder}/host_key
AuthorizedKeysFile {keys}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
""",
    )
    daemon = lab.server.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", configuration)
    daemon.wait_for("Server listening")
    login = [
        *("ssh", "-F", "none", "-q", "-T", "-p", str(options.port), "-i", "user_key", "-o", "IdentitiesOnly=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", f"root@{lab.server.address}"),
    ]
    lab.client.run(*login, "echo hello; sleep 0.5; echo bye")
    lab.client.run(*login, "head -c 20000 /dev/zero")
    return [Served(address=lab.server.address, port=options.port, ip_proto=TCP, family="ssh", flows=2)]


PROGRAM = Program(
    name="ssh",
    options=Options,
    requirements=(
        Requirement(name="sshd", executable="/usr/sbin/sshd", package="apt: openssh-server", version=("ssh", "-V")),
        Requirement(name="ssh", executable="ssh", package="apt: openssh-client", version=("ssh", "-V")),
    ),
    play=play,
)
