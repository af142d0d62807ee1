"""What octets prove L2TP, PPTP, SSTP, AnyConnect and SoftEther."""

from __future__ import annotations

from typing import Any


def l2tp_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """SCCRQ and SCCRP (RFC 2661 §6.1, §6.2), and data messages of version 2."""
    ask, answer = sent[0], received[0]
    if ask[:2] != b"\xc8\x02" or ask[2:4] != len(ask).to_bytes(2, "big") or ask[4:8] != bytes(4):
        return False
    # The first attribute is the message type; the answer goes to the tunnel that the question assigned (attribute 9).
    if (ask[12:20], answer[12:20]) != (b"\x80\x08" + bytes(5) + b"\x01", b"\x80\x08" + bytes(5) + b"\x02"):
        return False
    assigned = ask.index(b"\x80\x08\x00\x00\x00\x09") + 6
    data = [message for message in sent + received if not message[0] & 0x80]
    return ask[assigned : assigned + 2] == answer[4:6] and len(data) > 20 and all(one[1] & 15 == 2 for one in data)


def pptp_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """Start-Control-Connection and its magic cookie (RFC 2637 §2.1), or version 1 of GRE with PPP in it (§4.1)."""
    if label["variant"] == "gre":
        messages = sent + received
        return all(one[1] & 7 == 1 and one[2:4] == b"\x88\x0b" and one[0] & 0x20 for one in messages)
    magic = bytes.fromhex("1a2b3c4d")
    ask, answer = b"".join(sent), b"".join(received)
    return (ask[2:10], answer[2:10]) == (b"\0\1" + magic + b"\0\1", b"\0\1" + magic + b"\0\2")


def sstp_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """In clear: the request of MS-SSTP §3.2.4.1 and, after the answer's header, an acknowledgement (§2.2.10)."""
    if label["variant"] == "tls":
        return _tls_proof(sent, received)
    ask, answer = b"".join(sent), b"".join(received)
    body = answer[answer.index(b"\r\n\r\n") + 4 :]
    return ask.startswith(b"SSTP_DUPLEX_POST /sra_") and body[:6] == b"\x10\x01\x00\x30\x00\x02"


def anyconnect_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """TLS; or DTLS whose client hello (RFC 6347 §4.2) stands at the flow's beginning."""
    if label["variant"] == "tls":
        return _tls_proof(sent, received)
    hello = sent[0][:2] == b"\x16\xfe" and sent[0][13] == 1
    return hello and received[0][:2] == b"\x16\xfe" and received[0][13] in (2, 3)


def softether_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """TLS; or datagrams that are like random octets: no two begin alike."""
    if label["variant"] == "tls":
        return _tls_proof(sent, received)
    both = sent + received
    return len(both) > 4 and len({one[:8] for one in both}) == len(both)


def _tls_proof(sent: list[bytes], received: list[bytes]) -> bool:
    return sent[0][:2] == b"\x16\x03" and sent[0][5] == 1 and received[0][:2] == b"\x16\x03" and received[0][5] == 2


PROOFS = {
    "l2tp": l2tp_proof,
    "pptp": pptp_proof,
    "sstp": sstp_proof,
    "anyconnect": anyconnect_proof,
    "softether": softether_proof,
}
