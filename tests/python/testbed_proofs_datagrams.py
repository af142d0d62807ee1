"""What octets prove ordinary traffic of datagrams, media, peer-to-peer and management."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

Label = dict[str, Any]
COOKIE = b"\x21\x12\xa4\x42"  # STUN, RFC 8489 5


def stun(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Answers echo the transactions of requests; a relay was allocated where the label says so."""
    asked = {message[8:20] for message in sent if message[4:8] == COOKIE}
    echoed = received[0][4:8] == COOKIE and received[0][8:20] in asked
    allocated = any(message[:2] == b"\x01\x03" and message[4:8] == COOKIE for message in received)
    return echoed and (label["variant"] != "turn" or allocated or label["ip_proto"] == 6)


def dtls(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Records of a ClientHello and of a ServerHello; where ICE found the way, STUN before them."""
    both = [[one for one in way if one[:1] == b"\x16" and one[1:2] == b"\xfe"] for way in (sent, received)]
    hellos = {one[13] for way in both for one in way if one[3:5] == bytes(2)}
    return {1, 2} <= hellos and (not label["accept"] or any(one[4:8] == COOKIE for one in sent))


def rtp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Version 2; sequence numbers of one source count on by one; what came back is what was sent."""
    packets = [one for one in sent if one[1] & 0x7F not in range(72, 77)]
    numbers = [int.from_bytes(one[2:4], "big") for one in packets]
    counted = all((b - a) % 65536 == 1 for a, b in itertools.pairwise(numbers))
    return all(one[0] >> 6 == 2 for one in packets) and counted and len(packets) > 20 and set(received) <= set(sent)


def sip(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return sent[0].startswith(b"INVITE sip:") and any(one.startswith(b"SIP/2.0 200") for one in received)


def bittorrent(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """The handshake names the protocol; uTP packets of both ways carry it, with the connection ids a step apart."""
    said, answered = b"".join(sent[:4]), b"".join(received[:4])
    if label["variant"] == "utp":
        ids = [int.from_bytes(way[0][2:4], "big") for way in (sent, received)]
        return sent[0][:1] == b"\x41" and ids[0] == ids[1] and b"BitTorrent protocol" in said + answered
    return any(one.startswith(b"\x13BitTorrent protocol") for one in sent[:9] + received[:9])


def snmp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A sequence whose first element is the integer of the version (RFC 3411, RFC 1901, RFC 1157)."""
    version = {"v1": b"\x02\x01\x00", "v2c": b"\x02\x01\x01", "v3": b"\x02\x01\x03"}[label["variant"]]
    return all(one[0] == 0x30 and version in one[2:7] for one in sent + received)


def syslog(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return all(one[:1] == b"<" and one[1 : one.index(b">")].isdigit() for one in sent) and not received


def mqtt(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    name = {"3.1": b"\x00\x06MQIsdp\x03", "3.1.1": b"\x00\x04MQTT\x04", "5": b"\x00\x04MQTT\x05"}[label["variant"]]
    return sent[0][:1] == b"\x10" and sent[0][2:].startswith(name) and received[0][:1] == b"\x20"


def coap(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Version 1; the answer has the token of the request (RFC 7252)."""
    length = sent[0][0] & 15
    token = sent[0][4 : 4 + length]
    same = any(one[0] & 15 == length and one[4 : 4 + length] == token for one in received)
    return all(one[0] >> 6 == 1 for one in sent + received) and same and sent[0][1] == 1


def enet(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Connect from a peer that has no id yet (0x0FFF), then its verification (low bits of the command, protocol.h)."""
    return sent[0][:2] == b"\x8f\xff" and sent[0][4] & 15 == 2 and any(one[4] & 15 == 3 for one in received)


def raknet(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A ping, its pong, a request and its reply, each with the magic in its place (RakPeer.cpp)."""
    magic = bytes.fromhex("00ffff00fefefefefdfdfdfd12345678")
    pinged = (sent[0][0], sent[0][9:25]) == (1, magic) and (received[0][0], received[0][17:33]) == (0x1C, magic)
    return pinged and (sent[1][0], sent[1][1:17]) == (5, magic) and (received[1][0], received[1][1:17]) == (6, magic)


def tftp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A request in mode octet, or (from the server's other port) data and acknowledgements of the same block."""
    if label["dst_port"] == 69:
        return sent[0][:2] in (b"\x00\x01", b"\x00\x02") and b"\x00octet\x00" in sent[0]
    return {one[:2] for one in sent + received} <= {b"\x00\x03", b"\x00\x04", b"\x00\x06"} and len(sent) > 3


def radius(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A request and an answer of its kind, of the same identifier; lengths agree (RFC 2865, 2866)."""
    codes = {1: (2, 3), 4: (5,)}[sent[0][0]]
    fits = all(int.from_bytes(one[2:4], "big") == len(one) for one in sent + received)
    return fits and received[0][0] in codes and received[0][1] == sent[0][1]


def collectd(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Parts of type and length, of which the first names the host, fill the datagram."""
    for one in sent:
        at = 0
        while at + 4 <= len(one) and int.from_bytes(one[at + 2 : at + 4], "big") >= 4:
            at += int.from_bytes(one[at + 2 : at + 4], "big")
        if at != len(one) or one[:2] != bytes(2) or one[4:].find(b"client.example.org") != 0:
            return False
    return not received


def bgp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return all(way[0].startswith(b"\xff" * 16) and way[0][18] == 1 for way in (sent, received))


def bfd(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Version 1, 24 octets and a length that says so (RFC 5880); each way is a flow of its own."""
    return all(one[0] >> 5 == 1 and one[3] == len(one) == 24 for one in sent) and not received


def memcached(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Over UDP request numbers come back and reserved octets are zero; over TCP words (doc/protocol.txt)."""
    if label["ip_proto"] == 6:
        return sent[0].startswith(b"version\r\nset town") and b"STORED\r\nVALUE town" in b"".join(received)
    return sent[0][4:].startswith(b"\x00\x01\x00\x00set river") and received[0] == sent[0][:8] + b"STORED\r\n"


def vrrp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """An advertisement of the version, of the router and of its address (RFC 3768, RFC 5798)."""
    first = int(label["variant"][1:]) << 4 | 1
    return all(one[:2] == bytes((first, 77)) and bytes((169, 254, 77, 1)) in one for one in sent)


def mdns(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return all(one[:2] == bytes(2) and b"\x05local\x00" in one for one in sent) and any(one[2] == 0x84 for one in sent)


def igmp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Reports of version 3 that name the group."""
    return all(one[0] == 0x22 and bytes((224, 0, 0, 251)) in one for one in sent)


def entropy(octets: bytes) -> float:
    counts = Counter(octets)
    return -sum(n / len(octets) * math.log2(n / len(octets)) for n in counts.values())


def other(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Protocols that have no fingerprint: each by its own sign."""
    match label["variant"]:
        case "random":  # no two messages begin alike, and all octets are about as frequent
            octets = b"".join(sent + received)
            longer = [one[:4] for one in sent + received if len(one) >= 4]
            return len(set(longer)) == len(longer) and entropy(octets) > 0.8 * min(8.0, math.log2(len(octets)))
        case "iperf3":  # a control connection begins with a cookie of letters; data over TCP with the same one
            if label["ip_proto"] == 6:
                return sent[0][:36].isalnum() and sent[0][36] == 0
            return len(max(sent + received, key=len)) > 500
        case "syslog-tcp":
            return sent[0][:1] == b"<" or (sent[0].split(b" ")[0].isdigit() and b" <" in sent[0][:6])
        case "bittorrent-tracker":  # BEP 15: the constant, then an answer with the same transaction
            return sent[0][:8].hex() == "0000041727101980" and received[0][4:8] == sent[0][12:16]
        case "ftp-data":  # one way: the notes, numbered from 0, or a list that names them
            lines = b"".join(sent + received)
            return not (sent and received) and (lines.startswith(b"0 0.") or lines.endswith(b" notes.txt\r\n"))
        case "bittorrent-encrypted":
            return b"BitTorrent protocol" not in b"".join(sent[:2] + received[:2])
    return False


PROOFS = {
    "stun": stun,
    "dtls": dtls,
    "rtp": rtp,
    "sip": sip,
    "bittorrent": bittorrent,
    "snmp": snmp,
    "syslog": syslog,
    "mqtt": mqtt,
    "coap": coap,
    "enet": enet,
    "raknet": raknet,
    "tftp": tftp,
    "radius": radius,
    "collectd": collectd,
    "bgp": bgp,
    "bfd": bfd,
    "memcached": memcached,
    "vrrp": vrrp,
    "mdns": mdns,
    "igmp": igmp,
    "other-app": other,
}
# Of these one side says nothing; random datagrams and TFTP's request (the answer comes from another port) may.
UNANSWERED = {"syslog", "collectd", "bfd", "tftp", "vrrp", "mdns", "igmp", "other-app"}
