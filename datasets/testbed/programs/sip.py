"""SIP and RTP: sipp calls sipp, each call with some seconds of voice (G.711 in RTP) that the called end sends back.

Options of a scenario: transport (udp, tcp), port, media_port (RTP of the called end), calls.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..lab import Lab, Program, Requirement
from ..labels import TCP, UDP, Served

__all__ = ["PROGRAM", "Options"]

_MEDIA_PORT_OF_CALLER = 6000
_VOICE_OCTETS = 8000  # a second of G.711
_CALL = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="call with voice">
  <send retrans="500"><![CDATA[
      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: ana <sip:ana@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: bo <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: sip:ana@[local_ip]:[local_port]
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=ana 53655765 2353687637 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [rtpstream_audio_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
      ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: ana <sip:ana@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: bo <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <nop><action><exec rtp_stream="VOICE,1,0"/></action></nop>
  <pause milliseconds="1500"/>
  <send retrans="500"><![CDATA[
      BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: ana <sip:ana@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: bo <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>
</scenario>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scenario may choose."""

    transport: str = "udp"
    port: int = 5060
    media_port: int = 16384
    calls: int = 1

    def __post_init__(self) -> None:
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport {self.transport!r} is neither udp nor tcp")


def play(lab: Lab, options: Options) -> list[Served]:
    """Make the calls, one after the other."""
    draw = random.Random(7)  # the voice does not matter: something near silence
    (lab.client.folder / "voice.ulaw").write_bytes(
        bytes(draw.choice(b"\xff\x7f\xfe\x7e") for _ in range(_VOICE_OCTETS))
    )
    call = lab.client.write("call.xml", _CALL.replace("VOICE", "voice.ulaw"))
    mode = "u1" if options.transport == "udp" else "t1"
    lab.server.start(
        "sipp",
        *("sipp", "-sn", "uas", "-t", mode, "-i", lab.server.address, "-p", str(options.port), "-mi"),
        *(lab.server.address, "-mp", str(options.media_port), "-rtp_echo", "-nostdin"),
    )
    listens = "ss -Hlntu"
    while f":{options.port} " not in lab.server.run("sh", "-c", listens):
        pass
    lab.client.run(
        *("sipp", "-sf", call, "-t", mode, "-i", lab.client.address, "-p", "5060", "-mi", lab.client.address),
        *("-mp", str(_MEDIA_PORT_OF_CALLER), "-nostdin"),
        *("-s", "bo", "-m", str(options.calls), "-r", "1", "-l", "1", f"{_shown(lab)}:{options.port}"),
    )
    signalling = UDP if options.transport == "udp" else TCP
    return [
        Served(address=lab.server.address, port=options.port, ip_proto=signalling, family="sip"),
        Served(address=lab.server.address, port=options.media_port, ip_proto=UDP, family="rtp"),
    ]


def _shown(lab: Lab) -> str:
    return f"[{lab.server.address}]" if lab.ip_version == 6 else lab.server.address


PROGRAM = Program(
    name="sip",
    options=Options,
    requirements=(Requirement(name="sipp", executable="sipp", package="apt: sip-tester", version=("sipp", "-v")),),
    play=play,
)
