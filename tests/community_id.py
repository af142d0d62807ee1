"""Community ID v1 once more, from its specification and with the standard library (corelight/community-id-spec)."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import struct

WITH_PORTS = (1, 6, 17, 58, 132)
ANSWERS = {
    1: {8: 0, 13: 14, 15: 16, 10: 9, 17: 18},
    58: {128: 129, 133: 134, 135: 136, 130: 131, 139: 140, 144: 145},
}


def community_id(
    src: str, dst: str, ip_proto: int, src_port: int | None, dst_port: int | None, *, seed: int = 0
) -> str:
    """Give the id; for ICMP the ports are type and code."""
    one, other = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    first, second = (one, src_port or 0), (other, dst_port or 0)
    both_ways = {**ANSWERS.get(ip_proto, {}), **{b: a for a, b in ANSWERS.get(ip_proto, {}).items()}}
    if ip_proto in ANSWERS and src_port in both_ways:
        second = (other, both_ways[src_port])
    ordered = ip_proto in ANSWERS and src_port not in both_ways
    if ip_proto not in WITH_PORTS:
        first, second = (one, 0), (other, 0)
    if not ordered and second < first:
        first, second = second, first
    message = struct.pack(">H", seed) + first[0] + second[0] + bytes([ip_proto, 0])
    if ip_proto in WITH_PORTS:
        message += struct.pack(">HH", first[1], second[1])
    return "1:" + base64.b64encode(hashlib.sha1(message, usedforsecurity=False).digest()).decode()
