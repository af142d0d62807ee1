"""A WebRTC peer on aiortc; descriptions are exchanged in two files.

Usage: ``webrtc.py offer|answer OFFER ANSWER media|data MESSAGES SECONDS``.
The one that offers sends messages over a data channel (and a tone, if media is wanted), and prints the other's address
and port as JSON; the other sends every message back, and prints ``received`` after the last one.
"""

# aiortc's types are not known where it is not installed; then its classes are of type Any.
# mypy: disable-error-code="misc,no-any-unimported,untyped-decorator"
from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

_WAIT_SECONDS = 20.0


async def _read(path: Path) -> RTCSessionDescription:
    end = time.monotonic() + _WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > end:
            sys.exit(f"{path.name} did not come")
        await asyncio.sleep(0.05)
    return RTCSessionDescription(**json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, description: Any) -> None:
    partly = path.with_suffix(".part")
    partly.write_text(json.dumps({"sdp": description.sdp, "type": description.type}), encoding="utf-8")
    partly.rename(path)


def _chosen_pair(peer: RTCPeerConnection) -> tuple[str, int]:
    """Give the far end of the pair that ICE nominated."""
    sctp: Any = peer.sctp
    connection = sctp.transport.transport._connection
    pair = connection._nominated[1]
    return pair.remote_candidate.host, pair.remote_candidate.port


async def _offer(offer: str, answer: str, kind: str, messages: str, seconds: str) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("chat")
    opened, done = asyncio.Event(), asyncio.Event()
    channel.on("open", opened.set)
    received: list[str] = []

    @channel.on("message")
    def _on_message(message: str) -> None:
        received.append(message)
        if len(received) == int(messages):
            done.set()

    if kind == "media":
        peer.addTrack(AudioStreamTrack())
    await peer.setLocalDescription(await peer.createOffer())
    _write(Path(offer), peer.localDescription)
    await peer.setRemoteDescription(await _read(Path(answer)))
    await asyncio.wait_for(opened.wait(), _WAIT_SECONDS)
    for number in range(int(messages)):
        channel.send(f"message {number} of {messages}")
        await asyncio.sleep(0.05)
    await asyncio.wait_for(done.wait(), _WAIT_SECONDS)
    await asyncio.sleep(float(seconds))
    address, port = _chosen_pair(peer)
    print(json.dumps({"address": address, "port": port}), flush=True)
    await peer.close()


async def _answer(offer: str, answer: str, kind: str, messages: str, seconds: str) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    count = 0

    @peer.on("datachannel")
    def _on_channel(channel: Any) -> None:
        @channel.on("message")
        def _on_message(message: str) -> None:
            nonlocal count
            count += 1
            channel.send(message)
            if count == int(messages):
                print("received", flush=True)

    await peer.setRemoteDescription(await _read(Path(offer)))
    if kind == "media":
        peer.addTrack(AudioStreamTrack())
    await peer.setLocalDescription(await peer.createAnswer())
    _write(Path(answer), peer.localDescription)
    await asyncio.sleep(_WAIT_SECONDS + float(seconds))
    await peer.close()


if __name__ == "__main__":
    asyncio.run(_offer(*sys.argv[2:]) if sys.argv[1] == "offer" else _answer(*sys.argv[2:]))
