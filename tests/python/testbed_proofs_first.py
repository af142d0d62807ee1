"""What octets prove OpenVPN, WireGuard, IKE and ESP, and the first kinds of ordinary traffic."""

from __future__ import annotations

from typing import Any


def openvpn_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """Lengths of the two resets (with wire offsets of the session identifiers) by mode; see the wire protocol."""
    skip = 2 if label["ip_proto"] == 6 else 0
    if label["variant"] == "static-key":
        return static_key_proof(label, sent, received)
    hmac = {"tls-auth-sha1": 20, "tls-auth-sha256": 32, "tls-auth-sha512": 64}.get(label["variant"], 0)
    ask, answer = sent[0][skip:], received[0][skip:]
    if label["variant"] == "plain":
        return ask[0] == 0x38 and len(ask) == 14 and answer[14:22] == ask[1:9]
    if hmac:
        echo = 9 + hmac + 8 + 1 + 4
        return ask[0] == 0x38 and len(ask) == 22 + hmac and answer[echo : echo + 8] == ask[1:9]
    if label["variant"] == "tls-crypt":
        return ask[0] == 0x38 and len(ask) == 54 and int.from_bytes(ask[9:13], "big") & 0xFFFFFF == 1
    return label["variant"] == "tls-crypt-v2" and ask[0] == 0x50 and ask[-2:] == (len(ask) - 54).to_bytes(2, "big")


def static_key_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """HMAC-SHA1 (20), vector (16) and blocks of 16; over TCP the first segment begins with its packet's length."""
    if label["ip_proto"] == 6:
        return all(len(way[0]) >= int.from_bytes(way[0][:2], "big") + 2 >= 54 for way in (sent, received))
    return all(len(message) % 16 == 4 and len(message) >= 52 for message in sent + received)


def ike_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    version = {"ikev1": 0x10, "ikev2": 0x20}[label["variant"]]
    skip = 4 if label["dst_port"] == 4500 else 0
    messages = [message for message in sent + received if message != b"\xff"]
    return all(
        message[:skip] == bytes(skip)
        and message[skip + 17] == version
        and message[skip + 24 : skip + 28] == (len(message) - skip).to_bytes(4, "big")
        for message in messages
    )


def esp_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """Sequence numbers of each way count from 1 without a gap, with one identifier; after a change of address too."""
    least = 4 if label["capture"].startswith("ikev2-mobike") else 10
    for way in (sent, received):
        esp = [message for message in way if message[:4] != bytes(4) and len(message) > 1]
        counts = [int.from_bytes(message[4:8], "big") for message in esp]
        if counts != list(range(1, len(esp) + 1)) or len(esp) < least or len({message[:4] for message in esp}) != 1:
            return False
    return True


def wireguard_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    """The answer to a handshake (or the cookie) names the first message's sender; who roamed sends data."""
    if sent[0][0] == 4:
        return all(one[:4] == b"\x04\0\0\0" and len(one) % 16 == 0 for one in sent + received)
    if received[0][0] == 3:
        return len(received[0]) == 64 and received[0][4:8] == sent[0][4:8] and sent[1][132:] != bytes(16)
    if len(sent[0]) != 148 or len(received[0]) != 92:
        return False
    return sent[0][:4] == b"\x01\x00\x00\x00" and received[0][8:12] == sent[0][4:8]


def ordinary_proof(label: dict[str, Any], sent: list[bytes], received: list[bytes]) -> bool:
    match label["family"]:
        case "tls":
            return sent[0][:2] == b"\x16\x03" and sent[0][5] == 1 and received[0][:2] == b"\x16\x03"
        case "http":
            if sent[0].startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
                return received[0][3] == 4  # the server's settings
            return sent[0].startswith(b"GET /") and received[0][:12] in (b"HTTP/1.1 200", b"HTTP/1.0 200")
        case "ssh":
            return sent[0].startswith(b"SSH-2.0-") and received[0].startswith(b"SSH-2.0-")
        case "dns":
            skip = 2 if label["ip_proto"] == 6 else 0
            return sent[0][skip : skip + 2] == received[0][skip : skip + 2] and bool(received[0][skip + 2] & 0x80)
        case "ntp":
            return sent[0][0] & 7 == 3 and received[0][0] & 7 == 4 and received[0][24:32] == sent[0][40:48]
        case "quic":
            return sent[0][0] & 0xC0 == 0xC0 and sent[0][1:5].hex() in ("00000001", "6b3343cf")
        case "icmp":
            if sent[0][0] == 3:  # unreachable: quotes a packet that went the other way; nobody answers it
                return not received and all(each[0] == 3 and each[8] >> 4 == 4 for each in sent)
            return len(sent) == len(received) and all(a[4:] == b[4:] for a, b in zip(sent, received, strict=True))
    return False


UNANSWERED = {"icmp"}  # errors are; echo requests have their answers counted
PROOFS = {
    "openvpn": openvpn_proof,
    "wireguard": wireguard_proof,
    "ike": ike_proof,
    "esp": esp_proof,
    **dict.fromkeys(("tls", "http", "ssh", "dns", "ntp", "quic", "icmp"), ordinary_proof),
}
