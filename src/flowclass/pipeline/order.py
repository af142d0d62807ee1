"""Takes sources. Gives them in the order in which one run reads them as one stream."""

from __future__ import annotations

from flowclass.engine import first_packet_time
from flowclass.sources import ByteSource, Source


def by_first_packet(sources: list[Source]) -> list[tuple[Source, int | None]]:
    """Order sources by their first packets.

    Those without a packet come last; where nothing decides, the order given does. Frames that are in no capture
    cannot be looked at beforehand: as long as one such source is in the list, the order given stands. One source
    alone is not looked at either.

    Returns
    -------
    list of (Source, int or None)
        Each with the time of its first packet in ns since 1970 UTC, where that is known.
    """
    timed: list[tuple[Source, int | None]] = []
    for source in sources:
        prefix = source.prefix() if isinstance(source, ByteSource) and len(sources) > 1 else None
        timed.append((source, None if prefix is None else first_packet_time(prefix)))
    if any(not isinstance(source, ByteSource) for source in sources):
        return timed
    return sorted(timed, key=lambda pair: (pair[1] is None, pair[1] or 0))
