"""What octets prove the labels of tunnels and proxies: mesh VPNs, DNS and ICMP tunnels, SOCKS, overlays."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

Label = dict[str, Any]
Messages = list[bytes]


def tinc_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Lines of the protocol's version 17; in UDP whole blocks of a cipher of 16 octets and 4 of a digest."""
    if label["ip_proto"] == 6:
        lines = [way[0].split(b"\n")[0].split(b" ") for way in (sent, received)]
        return all(line[0] == b"0" and line[2] == b"17" for line in lines)
    return all(len(message) % 16 == 4 for message in sent + received) and looks_random(sent + received)


def fastd_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Handshakes 1, 2 and 3 in turn, bare or behind 12 octets in the form of L2TP; they say how long they are."""
    shakes: list[list[int]] = []
    for way in (sent, received):
        bodies = [message[12:] if message[:2] == b"\xc8\x03" else message for message in way]
        shaking = [body for body in bodies if body[:2] == b"\x01\x00" and body[4:8] == b"\0\0\1\0"]
        if any(int.from_bytes(body[2:4], "big") != len(body) - 4 for body in shaking):
            return False
        shakes.append([body[8] for body in shaking])
    return {1, 3} <= set(shakes[0]) and 2 in shakes[1]


def n2n_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Version 1, a community of 16 octets, and types: registrations, their answers, packets."""
    return all(
        message[0] == 1 and 1 <= message[1] <= 5 and message[4:20] == b"village".ljust(16, b"\0")
        for message in sent + received
    )


def nebula_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """A handshake's two messages, counted 1 and 2; version 1 and known types everywhere."""
    first = sent[0][:2] == b"\x10\x00" and sent[0][4:16] == bytes(11) + b"\1"
    second = received[0][:2] == b"\x10\x00" and received[0][8:16] == bytes(7) + b"\2"
    return first and second and all(m[0] >> 4 == 1 and m[0] & 15 <= 5 for m in sent + received)


def vtun_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """The server's greeting and the client's choice in blocks of 50 octets; in UDP lengths behind flags of 4 bits."""
    if label["ip_proto"] == 6:
        return received[0].startswith(b"VTUN server ver 3.X") and sent[0].startswith(b"HOST: office\n")
    return all(frame_fits(message) for message in sent + received)


def frame_fits(message: bytes) -> bool:
    first = int.from_bytes(message[:2], "big")
    return first & 0xF000 in (0x1000, 0x2000, 0x4000, 0x8000) or first == len(message) - 2


def iodine_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """The version 0x502 in the first question and a login in the second; raw packets have their own first octets."""
    if sent[0][12:19] != b"\x0bvaaaak" or sent[1][12:14] != b"\x20l" or received[0][:2] != sent[0][:2]:
        return False
    raw = [m for m in sent + received if m[:3] == b"\x10\xd1\x9e"]
    return label["variant"] == ("raw" if len(raw) > 10 else "dns") and not 0 < len(raw) <= 10


def dns2tcp_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Every question is for a name in the tunnel's domain, of the record's type; answers repeat the identifier."""
    kind = {"txt": 16, "key": 25}[label["variant"]].to_bytes(2, "big")
    asked = {message[:2] for message in sent}
    return all(b"\1t\7example\3net\0" + kind + b"\0\1" in message for message in sent) and all(
        message[:2] in asked for message in received
    )


def socks_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Version, methods and a request that is granted."""
    if label["variant"] == "socks5":
        methods = sent[0][0] == 5 and len(sent[0]) == 2 + sent[0][1] and received[0][0] == 5
        at = 2 if received[0][1] == 2 else 1
        return methods and sent[at][:3] == b"\5\1\0" and received[at][:2] == b"\5\0"
    name = sent[0][4:7] == b"\0\0\0" and sent[0][7] != 0
    return sent[0][:2] == b"\4\1" and received[0][:2] == b"\0\x5a" and name == (label["variant"] == "socks4a")


def http_proxy_proof(label: Label, sent: Messages, received: Messages) -> bool:
    start = b"CONNECT " if label["family"] == "http-connect" else b"GET http://"
    return sent[0].startswith(start) and received[0][:7] == b"HTTP/1." and received[0][9:12] == b"200"


def icmp_tunnel_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """ptunnel's magic behind the echo header, both ways."""
    return all(message[8:12] == b"\xd5\x20\x08\x80" or message[8:12] == b"\xde\xad\xc0\xde" for message in sent)


def vxlan_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """The network's flag and a last octet of zero; what follows is Ethernet, or IP where the extension says so."""
    flags = {"vxlan": 0x08, "gbp": 0x88, "gpe": 0x0C}[label["variant"]]
    if not all(message[0] == flags and message[7] == 0 for message in sent):
        return False
    if label["variant"] == "gpe":
        return all(message[3] == 1 and message[8] >> 4 == 4 for message in sent)
    return all(message[20:22].hex() in ("0800", "0806", "86dd") for message in sent)


def geneve_proof(label: Label, sent: Messages, received: Messages) -> bool:
    return all(m[:4] == b"\0\0\x65\x58" and m[20:22].hex() in ("0800", "0806", "86dd") for m in sent)


def gre_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Flags and the protocol carried, which the variant names; a sequence number in ERSPAN."""
    start = {"ethernet": "20006558", "ip": "20000800", "erspan-1": "100088be", "erspan-3": "100022eb"}
    for way in (sent, received):
        if any(message[:4].hex() != start[label["variant"]] for message in way):
            return False
        if label["variant"].startswith("erspan"):
            counts = [int.from_bytes(message[4:8], "big") for message in way]
            if counts != list(range(len(way))):
                return False
    return True


def ip_in_ip_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """An inner header whose length is that of the packet; 6to4's and ISATAP's addresses hold the outer one."""
    outer = ipaddress.ip_address(label["src_ip"]).packed
    for message in sent + received:
        if label["ip_proto"] == 4 and (message[0] != 0x45 or int.from_bytes(message[2:4], "big") != len(message)):
            return False
        if label["ip_proto"] == 41 and int.from_bytes(message[4:6], "big") != len(message) - 40:
            return False
    if label["variant"] == "6to4":
        return sent[0][8:14] == b"\x20\x02" + outer
    if label["variant"] == "isatap":
        return sent[0][18:24] == b"\x5e\xfe" + outer
    return label["variant"] == ("ipv4" if label["ip_proto"] == 4 else "ipv6")


def gtp_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """Version 1, a length that fits; user packets hold IPv4 from the subscriber."""
    fits = all(m[0] >> 4 == 3 and int.from_bytes(m[2:4], "big") == len(m) - 8 for m in sent + received)
    if label["family"] == "gtp-u":
        packets = [message[12:] for message in sent if message[1] == 0xFF]
        return fits and bool(packets) and all(p[0] == 0x45 and p[12:14] == b"\xac\x10" for p in packets)
    return fits and {0x10, 0x11} <= {message[1] for message in sent + received}


def teredo_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """A solicitation behind an authentication, whose number is repeated; or packets of an address of 2001::/32."""
    if label["variant"] == "qualification":
        return sent[0][:4] == bytes((0, 1, 0, 0)) and sent[0][13] >> 4 == 6 and received[0][:12] == sent[0][:12]
    return all(message[0] >> 4 == 6 and message[8:12] == b"\x20\1\0\0" for message in sent if len(message) > 39)


def looks_random(messages: Messages) -> bool:
    """As many ones as zeros, within four standard deviations: text has eight too few in a few hundred octets."""
    octets = b"".join(messages)
    bits = 8 * len(octets)
    ones = int.from_bytes(octets, "big").bit_count()
    return len(octets) > 400 and abs(ones - bits / 2) < 4 * math.sqrt(bits / 4)


def other_proof(label: Label, sent: Messages, received: Messages) -> bool:
    """QuickTun's packets begin with a time (nacltai), or repeat their key stream behind a tag (nacl0: IPv4 inside)."""
    if label["family"] == "other-proxy":
        return len(sent[0]) > 32 and len(received[0]) > 32 and looks_random(sent + received)
    if sent[0][:4] == b"\x40\0\0\0":  # TAI64N, then four octets of zero or a counter
        seconds = [int.from_bytes(message[:8], "big") - 2**62 for message in sent + received]
        return max(seconds) - min(seconds) < 60 and min(seconds) > 1_700_000_000
    return len({message[16:18] for message in sent + received if len(message) > 20}) == 1


# Each end sends to the other's port from a port of its own: a flow has one direction.
UNANSWERED = {"vxlan", "geneve"}
PROOFS = {
    "tinc": tinc_proof,
    "fastd": fastd_proof,
    "n2n": n2n_proof,
    "nebula": nebula_proof,
    "vtun": vtun_proof,
    "iodine": iodine_proof,
    "dns2tcp": dns2tcp_proof,
    "socks": socks_proof,
    "http-connect": http_proxy_proof,
    "http-proxy": http_proxy_proof,
    "icmp-tunnel": icmp_tunnel_proof,
    "vxlan": vxlan_proof,
    "geneve": geneve_proof,
    "gre": gre_proof,
    "ip-in-ip": ip_in_ip_proof,
    "gtp-c": gtp_proof,
    "gtp-u": gtp_proof,
    "teredo": teredo_proof,
    "other-tunnel": other_proof,
    "other-proxy": other_proof,
}
