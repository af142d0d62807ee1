"""WireGuard in some twenty lines of Python, compiled.

flowclass classify CAPTURE --udf examples/python/wireguard.py

Sources: the WireGuard paper (Donenfeld, NDSS 2017), section 5.4. The fingerprint of the build says the same of the same
flows; it also knows TunnelBear's and Tailscale's forms, and asks whether keys look random.
"""

import numpy as np

import flowclass

RULES = {
    "handshake": "message 1 or 2, three reserved zeros, 148 or 92 octets long; paper 5.4.2, 5.4.3",
    "mac2_zero": "no cookie was handed out, so mac2 is sixteen zeros; paper 5.4.4",
    "echo": "the receiver index is the sender index that the other side announced; paper 5.4",
    "data": "message 4, the counter at most 4096 higher than in the one before; paper 5.4.6",
}


@flowclass.fingerprint(protocol_class="vpn", first_octets=(1, 2, 3, 4), lengths=(32, 65535), rules=RULES)
def wireguard(head, evidence):
    """Handshakes, indices that come back, and counters that count."""
    announced, counters, echoed = np.full(2, -2), np.full(2, -5000), np.zeros(2)
    for i in range(head.count):
        kind, length, side = head.le32(i, 0), head.length(i), head.direction(i)
        if head.kept(i) < min(16, length):
            continue  # cut short by a snap length, it says nothing
        at = 8 if kind == 2 else 4
        answers = kind > 1 and head.le32(i, at) == announced[1 - side]
        if (kind == 1 and length == 148) or (kind == 2 and length == 92):
            evidence.add("handshake", i, 0, 4, 24)
            announced[side] = head.le32(i, 4)
            if kind == 1 and head.be64(i, 132) == 0 and head.be64(i, 140) == 0:
                evidence.add("mac2_zero", i, 132, 16, 66)
        # Padded to 16, or clamped at the MTU; boringtun does not pad, so there the index has to answer.
        elif kind == 4 and length >= 32 and (answers or length % 16 == 0 or length >= 1312):
            if 0 < head.le64(i, 8) - counters[side] <= 4096:
                evidence.add("data", i, 0, 16, 14)
            counters[side] = head.le64(i, 8)
        elif kind != 3 or length != 64:  # a cookie reply says something by its echo only
            return False
        if answers and not echoed[side]:
            evidence.add("echo", i, at, 4, 32)
            echoed[side] = 1
    return True
