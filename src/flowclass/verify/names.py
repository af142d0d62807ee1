"""tshark's layers and the protocol ids that each means.

A layer may mean several ids: tshark has one dissector where we tell protocols apart, or the other way round. What is
not in the table says nothing about a flow's protocol: link layers, addresses, encodings, media types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_WEB = (
    "http",
    "http-connect",
    "http-proxy",
    "softether",
    "sstp",
    "fortinet",
    "anyconnect",
    "git",
    "ubiquiti-discovery",
)
_IN_TLS = ("softether", "sstp", "fortinet", "anyconnect", "globalprotect", "pulse", "f5", "array", "vpn-provider")
LAYERS: Mapping[str, tuple[str, ...]] = {
    # VPNs, tunnels, proxies
    "wg": ("wireguard",),
    "openvpn": ("openvpn",),
    "isakmp": ("ike",),
    "esp": ("esp",),
    "udpencap": ("esp", "ike"),
    "tcpencap": ("esp-in-tcp", "cisco-ipsec"),
    "ah": ("ah",),
    "gre": ("gre", "pptp"),
    "pptp": ("pptp",),
    "l2tp": ("l2tp", "cisco-ipsec"),
    "vxlan": ("vxlan",),
    "geneve": ("geneve",),
    "gtp": ("gtp-u", "gtp-c"),
    "gtpv2": ("gtp-c",),
    "gtpprime": ("gtp-prime",),
    "teredo": ("teredo",),
    "lisp-data": ("lisp",),
    "lisp": ("lisp-control",),
    "ip-in-ip": ("ip-in-ip",),  # no layer's name: an IP packet that begins where another's header ends
    "etherip": ("ip-in-ip",),
    "capwap": ("capwap", "capwap-control"),
    "capwap.data": ("capwap",),
    "capwap.control": ("capwap-control",),
    "socks": ("socks",),
    "zerotier": ("zerotier",),
    # web, TLS and what lies in it
    "http": _WEB,
    "http2": ("http",),
    "tls": ("tls", *_IN_TLS),
    "dtls": ("dtls", "anyconnect", "fortinet", "f5", "capwap", "capwap-control"),
    "quic": ("quic", "masque"),
    "gquic": ("quic",),
    # names
    "dns": ("dns", "dns-tunnel", "dns2tcp", "iodine", "dnscrypt"),  # its certificates are asked for by DNS
    "mdns": ("mdns",),
    "llmnr": ("llmnr",),
    "nbns": ("nbns",),
    # calls and media
    "stun": ("stun", "whatsapp"),
    "classicstun": ("stun",),
    "sip": ("sip",),
    "rtp": ("rtp", "discord-voice"),
    "rtcp": ("rtp", "discord-voice"),
    "rtsp": ("rtsp",),
    "rtmpt": ("rtmp",),
    "mgcp": ("mgcp",),
    "skinny": ("skinny",),
    "h225": ("h323", "h323-ras"),
    "iax2": ("iax2",),
    # the rest, by name
    "icmp": ("icmp", "icmp-tunnel"),
    "icmpv6": ("icmp", "icmp-tunnel"),
    "igmp": ("igmp",),
    "ssh": ("ssh",),
    "dhcp": ("dhcp",),
    "dhcpv6": ("dhcp",),
    "ntp": ("ntp",),
    "snmp": ("snmp",),
    "tftp": ("tftp",),
    "radius": ("radius",),
    "ftp": ("ftp",),
    "smtp": ("smtp",),
    "imf": ("smtp",),
    "pop": ("pop3",),
    "imap": ("imap",),
    "telnet": ("telnet",),
    "ldap": ("ldap",),
    "cldap": ("ldap",),
    "kerberos": ("kerberos",),
    "smb": ("smb",),
    "smb2": ("smb",),
    "nbss": ("smb",),
    "nbdgm": ("nbdgm",),
    "dcerpc": ("dcerpc",),
    "rpc": ("sunrpc",),
    "rdp": ("rdp",),
    "tpkt": ("rdp", "iso-tsap", "h323"),
    "cotp": ("iso-tsap", "rdp"),
    "vnc": ("vnc",),
    "x11": ("x11",),
    "bgp": ("bgp",),
    "bfd": ("bfd",),
    "rip": ("rip",),
    "ripng": ("ripng",),
    "ospf": ("ospf",),
    "pim": ("pim", "igmp"),  # version 1 is a type of IGMP
    "eigrp": ("eigrp",),
    "vrrp": ("vrrp",),
    "hsrp": ("hsrp",),
    "rsvp": ("rsvp",),
    "ldp": ("ldp",),
    "mqtt": ("mqtt",),
    "coap": ("coap",),
    "amqp": ("amqp",),
    "xmpp": ("xmpp",),
    "irc": ("irc",),
    "mysql": ("mysql",),
    "pgsql": ("postgresql",),
    "tds": ("tds",),
    "tns": ("oracle-tns",),
    "mongo": ("mongodb",),
    "couchbase": ("memcached",),
    "memcache": ("memcached",),
    "kafka": ("kafka",),
    "cql": ("cassandra",),
    "redis": ("redis",),
    "resp": ("redis",),
    "diameter": ("diameter",),
    "sflow": ("sflow",),
    "cflow": ("netflow", "ipfix"),
    "syslog": ("syslog",),
    "collectd": ("collectd",),
    "modbus": ("modbus",),
    "mbtcp": ("modbus",),
    "dnp3": ("dnp3",),
    "opcua": ("opcua",),
    "enip": ("ethernet-ip",),
    "bacnet": ("bacnet",),
    "bvlc": ("bacnet",),
    "someip": ("someip",),
    "doip": ("doip",),
    "ptp": ("ptp",),
    "bittorrent": ("bittorrent",),
    "bt-dht": ("bittorrent",),
    "bt-utp": ("bittorrent",),
    "edonkey": ("edonkey",),
    "bitcoin": ("bitcoin",),
    "gnutella": ("gnutella",),
    "git": ("git",),
    "rsync": ("rsync",),
    "ssdp": ("ssdp",),
    "srvloc": ("srvloc",),
    "babel": ("babel",),
    "afs": ("afs",),
    "rx": ("afs",),
    "rtps": ("rtps",),
    "xdmcp": ("xdmcp",),
    "openflow": ("openflow",),
    "openflow_v1": ("openflow",),
    "openflow_v4": ("openflow",),
    "openflow_v5": ("openflow",),
    "openflow_v6": ("openflow",),
    "fix": ("fix",),
    "stomp": ("stomp",),
    "knxip": ("knxip",),
    "104apci": ("iec104",),
    "104asdu": ("iec104",),
    "enet": ("enet",),
    "rmcp": ("ipmi",),
    "nat-pmp": ("nat-pmp",),
    "portcontrol": ("nat-pmp",),
    "nntp": ("nntp",),
    "oicq": ("oicq",),
    "wol": ("wake-on-lan",),
    "bjnp": ("bjnp",),
    "db-lsp": ("dropbox-lan-sync",),
    "raknet": ("raknet",),
    "quake": ("quake",),
    "quake2": ("quake",),
    "quake3": ("quake",),
    "quakeworld": ("quake",),
    "zabbix": ("zabbix",),
    "sctp": ("sctp",),
    "mndp": ("mndp",),
    "nats": ("nats",),
}  # fmt: skip

HAS_A_DISSECTOR = frozenset(one for ids in LAYERS.values() for one in ids)
"""Protocol ids that tshark has a dissector for; of the others it can say nothing."""


def main_ids(reads: Iterable[str]) -> frozenset[str]:
    """Give of each layer the id that it means first of all."""
    return frozenset(LAYERS[name][0] for name in reads if name in LAYERS)


def ids_of(reads: Iterable[str]) -> frozenset[str]:
    """Give the protocol ids that some layers mean.

    Examples
    --------
    >>> sorted(ids_of(["udp", "udpencap"]))
    ['esp', 'ike']
    """
    return frozenset(one for name in reads for one in LAYERS.get(name, ()))
