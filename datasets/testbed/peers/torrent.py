"""A BitTorrent peer on libtorrent, that shares one torrent over TCP only or uTP only.

Usage: ``torrent.py TORRENT FOLDER ADDRESS:PORT tcp|utp plain|encrypted``. It prints ``announced`` when it has started,
and shares until it is stopped.
"""

# libtorrent's types are not known where it is not installed; then its classes are of type Any.
# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import sys
import time
from typing import Any

import libtorrent


def _share(torrent: str, folder: str, where: str, transport: str, cipher: str) -> None:
    encrypted = cipher == "encrypted"
    settings: Any = {
        "listen_interfaces": where,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_tcp": transport == "tcp",
        "enable_incoming_tcp": transport == "tcp",
        "enable_outgoing_utp": transport == "utp",
        "enable_incoming_utp": transport == "utp",
        # Encryption: 0 demands it, 2 refuses it; of the two levels, 2 is RC4 for everything, 1 for the handshake.
        "out_enc_policy": 0 if encrypted else 2,
        "in_enc_policy": 0 if encrypted else 2,
        "allowed_enc_level": 2 if encrypted else 1,
        "allow_multiple_connections_per_ip": True,
        "peer_connect_timeout": 3,
        "min_reconnect_time": 2,
        "outgoing_interfaces": "",
    }
    session = libtorrent.session(settings)
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent)
    parameters.save_path = folder
    handle = session.add_torrent(parameters)
    print("announced", flush=True)
    while True:
        time.sleep(0.5)
        state = handle.status()
        print(f"{state.state} {state.progress:.2f} {state.num_peers} peers", flush=True)


if __name__ == "__main__":
    _share(*sys.argv[1:])
