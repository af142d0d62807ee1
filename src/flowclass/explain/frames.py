"""Takes captures and what is known of some frames. Gives the frames, with the place of a flow's payload in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowclass import _core
from flowclass.errors import SourceError
from flowclass.sources import ByteSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two ends of a flow, as in its record.

    Parameters
    ----------
    src_ip, dst_ip : str
        Addresses, RFC 5952.
    src_port, dst_port : int or None
        None where there are no ports.
    ip_proto : int
        IANA number.
    """

    src_ip: str
    src_port: int | None
    dst_ip: str
    dst_port: int | None
    ip_proto: int

    @property
    def turned(self) -> Ends:
        """The same flow seen from the other end."""
        return Ends(
            src_ip=self.dst_ip,
            src_port=self.dst_port,
            dst_ip=self.src_ip,
            dst_port=self.src_port,
            ip_proto=self.ip_proto,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame found in a capture.

    Parameters
    ----------
    source : str
        The capture's name.
    number : int
        1-based, as tshark counts.
    time : int
        ns since 1970 UTC.
    octets : bytes
        As captured.
    sender : Ends
        Who sent the packet that was looked for.
    payload_offset, payload_captured : int
        Where that packet's payload lies in ``octets``, and how much of it was captured.
    payload_length : int
        What it had on the wire.
    """

    source: str
    number: int
    time: int
    octets: bytes
    sender: Ends
    payload_offset: int
    payload_captured: int
    payload_length: int


def find_frames(sources: Iterable[ByteSource], ends: Ends, times: Iterable[int]) -> list[Frame]:
    """Find the frames of one flow that were captured at given times.

    Parameters
    ----------
    sources : iterable of ByteSource
        Any copies or parts of the capture.
    ends : Ends
        The flow.
    times : iterable of int
        ns since 1970 UTC.

    Returns
    -------
    list of Frame
        In the order of the captures; only frames with payload.
    """
    wanted = sorted(set(times))
    frames: list[Frame] = []
    for source in sources:
        finder = _core.FrameFinder(wanted)
        try:
            for chunk in source.slices():
                finder.push(chunk)
        except SourceError:
            pass  # what lies before the damage may hold what is looked for
        finder.finish()
        for found in finder.found():
            for layer in found["layers"]:
                sender = Ends(
                    src_ip=layer["src_ip"],
                    src_port=layer["src_port"],
                    dst_ip=layer["dst_ip"],
                    dst_port=layer["dst_port"],
                    ip_proto=layer["ip_proto"],
                )
                if sender in (ends, ends.turned) and layer["payload_length"] > 0:
                    frames.append(
                        Frame(
                            source=source.name,
                            number=found["frame"],
                            time=found["time"],
                            octets=found["octets"],
                            sender=sender,
                            payload_offset=layer["payload_offset"],
                            payload_captured=layer["payload_captured"],
                            payload_length=layer["payload_length"],
                        )
                    )
    return frames
