"""A few small captures that the package carries, for trying it without any of one's own."""

from __future__ import annotations

from pathlib import Path

from flowclass.errors import SourceError

FOLDER = Path(__file__).resolve().parent / "samples"


def samples() -> Path:
    """Give the folder of the captures that the package carries.

    Returns
    -------
    Path
        Of a folder: WireGuard, OpenVPN, IKEv2, DNS and TLS on OpenVPN's port, recorded from the real programs.

    Raises
    ------
    SourceError
        When the package was installed without them.

    Examples
    --------
    >>> import flowclass
    >>> sorted(path.suffix for path in flowclass.samples().iterdir())
    ['.pcap', '.pcap', '.pcap', '.pcap', '.pcap']
    """
    if not FOLDER.is_dir():
        raise SourceError(f"{FOLDER}: the package carries no captures here: install it anew, or give captures of yours")
    return FOLDER
