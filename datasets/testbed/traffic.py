"""What people do over a link: ping, download, say nothing for a while. Used inside tunnels and outside."""

from __future__ import annotations

import random
import time

from .host import Host
from .lab import Requirement

__all__ = ["CURL", "NGINX", "PING", "ping", "silence", "start_web_server", "use_tunnel"]

PING = Requirement(name="ping", executable="ping", package="apt: iputils-ping", version=("ping", "-V"))
CURL = Requirement(name="curl", executable="curl", package="apt: curl", version=("curl", "--version"))
NGINX = Requirement(name="nginx", executable="nginx", package="apt: nginx-light", version=("nginx", "-v"))

_PAGE = 40_000
_WORDS = ("river", "market", "winter", "carpet", "lantern", "orchard", "harbour", "violin", "meadow", "granite")


def ping(host: Host, address: str, *, count: int = 3, size: int = 56) -> None:
    """Send `count` echo requests, five a second, and fail if none is answered."""
    host.run("ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-s", str(size), "-W", "3", address)


def silence(seconds: float) -> None:
    """Let time pass, so that keepalives are seen."""
    time.sleep(seconds)


def start_web_server(host: Host, listen: str, *, server_lines: str = "", size: int = _PAGE) -> None:
    """Start nginx with one page of `size` bytes, `/page.html`, and an index.

    Parameters
    ----------
    host : Host
        Where it runs.
    listen : str
        The arguments of nginx's ``listen``: ``10.8.0.1:8080`` or ``[::1]:443 ssl http2``.
    server_lines : str
        More lines for the ``server`` block.
    size : int
        Length of the page, in bytes.
    """
    words = random.Random(host.seed)  # the same words every time, so that sizes are repeatable
    text = " ".join(words.choice(_WORDS) for _ in range(size // 4))[:size]
    page = host.write("www/page.html", text, mode=0o644)
    host.write("www/index.html", "<!doctype html><title>Example</title><p>It works.\n", mode=0o644)
    configuration = host.write(
        "nginx.conf",
        f"""daemon off; user root; worker_processes 1; pid {host.folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type text/html; server_tokens on;
  server {{ listen {listen}; root {page.parent}; {server_lines} }}
}}
""",
    )
    daemon = host.start("nginx", "nginx", "-e", "stderr", "-c", configuration)
    pid = host.folder / "nginx.pid"
    daemon.wait_until(lambda: pid.exists() and bool(pid.read_text()), "writing its pid file")


def use_tunnel(client: Host, server: Host, address: str, *, idle: float = 0) -> None:
    """Do in a tunnel what a user does: ping the far end, load a page from it, be silent, ping again.

    Parameters
    ----------
    client, server : Host
        The two ends.
    address : str
        The server's address inside the tunnel.
    idle : float
        Seconds of silence.
    """
    shown = f"[{address}]" if ":" in address else address
    start_web_server(server, f"{shown}:8080")
    ping(client, address, count=4)
    for path in ("", "page.html"):
        client.run("curl", "-sS", "-o", "/dev/null", "--fail", "--max-time", "20", f"http://{shown}:8080/{path}")
    silence(idle)
    ping(client, address, count=2, size=1000)
