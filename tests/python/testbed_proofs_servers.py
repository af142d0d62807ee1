"""What octets prove ordinary traffic of servers over TCP: databases, files, mail, talk, screens, plants."""

from __future__ import annotations

from typing import Any

Label = dict[str, Any]


def postgresql(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Version 3.0 with a user, or the request for TLS that is granted (protocol-message-formats)."""
    asked = b"".join(sent)
    if asked[4:8] == (80877103).to_bytes(4, "big"):
        return received[0] == b"S" and asked[8:10] == b"\x16\x03"
    return asked[4:8] == b"\x00\x03\x00\x00" and b"user\x00reader\x00" in asked and received[0][:1] == b"R"


def mysql(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """The server greets with version 10 as packet 0, the client's answer is packet 1 and has the user."""
    return received[0][3:5] == b"\x00\x0a" and b"MariaDB" in received[0] and sent[0][3] == 1 and b"reader" in sent[0]


def redis(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Arrays of bulk strings; the answer is of one of the types (RESP)."""
    return sent[0].startswith(b"*") and b"\r\n$" in sent[0] and received[0][:1] in (b"+", b":", b"$", b"%", b"*")


def ldap(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Sequences whose first element is message 1: a bind of version 3, or StartTLS by its object id (RFC 4511)."""
    asked = sent[0][2:].startswith(b"\x02\x01\x01\x60") or b"1.3.6.1.4.1.1466.20037" in sent[0]
    return sent[0][0] == received[0][0] == 0x30 and b"\x02\x01\x01" in received[0][:9] and asked


def kerberos(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """An application tag of a request and one of an answer; the realm is named (RFC 4120)."""
    asked, answered = b"".join(sent), b"".join(received)
    at = 4 if label["ip_proto"] == 6 else 0
    return asked[at] in (0x6A, 0x6C) and answered[at] in (0x6B, 0x6D, 0x7E) and b"EXAMPLE.ORG" in asked


def smb(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A length, then the mark of version 1 or 2 (MS-SMB2 2.2.1)."""
    return sent[0][4:8] in (b"\xffSMB", b"\xfeSMB") and received[0][4:8] == b"\xfeSMB"


def ftp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0].startswith(b"220 ") and (sent[0].startswith((b"USER ", b"AUTH ")))


def rsync(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return sent[0].startswith(b"@RSYNCD: 3") and received[0].startswith(b"@RSYNCD: 3")


def git(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    asked = b"".join(sent)
    return asked[4:].startswith(b"git-upload-pack /shared\x00") and int(asked[:4], 16) <= len(asked)


def sunrpc(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """A call of RPC version 2 and a reply with its number (RFC 5531); over TCP behind a record mark."""
    at = 4 if label["ip_proto"] == 6 else 0
    call, reply = b"".join(sent)[at:], b"".join(received)[at:]
    return call[4:12] == b"\x00\x00\x00\x00\x00\x00\x00\x02" and reply[:8] == call[:4] + b"\x00\x00\x00\x01"


def imap(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0].startswith(b"* OK ") and b" CAPABILITY\r\n" in sent[0]


def pop3(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0].startswith(b"+OK ") and sent[0].startswith(b"CAPA\r\n")


def smtp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0].startswith(b"220 ") and sent[0].startswith(b"EHLO ")


def xmpp(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    name = b"http://etherx.jabber.org/streams"
    return name in b"".join(sent[:2]) and name in b"".join(received[:2])


def irc(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return sent[0].startswith(b"NICK ada\r\n") and b" 001 ada " in b"".join(received)


def nats(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0].startswith(b"INFO {") and sent[0].startswith(b"CONNECT {")


def telnet(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Both sides negotiate options: IAC and WILL, WONT, DO or DONT (RFC 854)."""
    return all(way[0][0] == 255 and way[0][1] in range(251, 255) for way in (sent, received))


def x11(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Little-endian, version 11.0; success in the same version."""
    return sent[0][:6] == b"\x6c\x00\x0b\x00\x00\x00" and received[0][:1] == b"\x01" and received[0][2:4] == b"\x0b\x00"


def vnc(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    return received[0][:8] == b"RFB 003." and sent[0][:8] == b"RFB 003."


def modbus(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Protocol 0, lengths that fit, and the number of the request in its answer."""
    fits = all(one[2:4] == bytes(2) and int.from_bytes(one[4:6], "big") == len(one) - 6 for one in sent + received)
    return fits and [one[:2] for one in sent] == [one[:2] for one in received]


def opcua(label: Label, sent: list[bytes], received: list[bytes]) -> bool:
    """Hello and Acknowledge, each with its length (OPC 10000-6, 7.1.2)."""
    fits = all(int.from_bytes(way[0][4:8], "little") == len(way[0]) for way in (sent, received))
    return fits and sent[0][:4] == b"HELF" and received[0][:4] == b"ACKF"


PROOFS = {
    "postgresql": postgresql,
    "mysql": mysql,
    "redis": redis,
    "ldap": ldap,
    "kerberos": kerberos,
    "smb": smb,
    "ftp": ftp,
    "rsync": rsync,
    "git": git,
    "sunrpc": sunrpc,
    "imap": imap,
    "pop3": pop3,
    "smtp": smtp,
    "xmpp": xmpp,
    "irc": irc,
    "nats": nats,
    "telnet": telnet,
    "x11": x11,
    "vnc": vnc,
    "modbus": modbus,
    "opcua": opcua,
}
