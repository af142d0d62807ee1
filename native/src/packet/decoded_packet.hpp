// What decode finds in a frame: one FlowLayer for each IP packet in it, outermost first, with what
// was taken off between. Plain structs. The layers of a burst lie in one LayerBuffer; a layer's
// payload points into the frame and lives as long.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/byte_reader.hpp"
#include "base/ip_address.hpp"

namespace flowclass::packet {

// A tunnel may hide in a tunnel this often; deeper ones are counted and left as payload of the last
// layer.
inline constexpr std::size_t kMaxDepth = 8;
inline constexpr std::uint16_t kNoVlan = 0xffff;

// What can stand in front of an IP packet. `symmetric` ids are the same in both directions and tell
// two overlays between the same addresses apart; the others (GTP TEID, L2TP session, PPTP call,
// MPLS label) belong to one direction.
enum class EncapType : std::uint8_t {
    vlan,
    mpls,
    pppoe,
    gre,
    pptp_gre,
    erspan,
    ip_in_ip,
    six_in_four,
    etherip,
    teredo,
    vxlan,
    geneve,
    gtp_u,
    l2tp,
    count_
};
const char* to_string(EncapType type) noexcept;
constexpr bool has_symmetric_id(EncapType type) noexcept {
    return type == EncapType::gre || type == EncapType::vxlan || type == EncapType::geneve;
}

struct Encap {
    EncapType type{};
    std::uint32_t id = 0;  // VNI, GRE key, TEID, label, session, ...; 0 where the header has none

    template <typename Archive>
    void keep(Archive& archive) {
        archive(type, id);
    }
};

enum class Fragment : std::uint8_t { none, first, later };

struct FlowLayer {
    base::IpAddress src;
    base::IpAddress dst;
    std::uint16_t src_port = 0;
    std::uint16_t dst_port = 0;
    bool has_ports =
        false;  // TCP, UDP, UDP-Lite, SCTP; learned from the first fragment for later ones
    std::uint8_t ip_proto = 0;  // IANA number of the upper layer, after IPv6 extension headers
    Fragment fragment = Fragment::none;
    bool truncated = false;  // the snap length cut headers or payload of this layer
    std::uint16_t vlan = kNoVlan;
    std::uint16_t inner_vlan = kNoVlan;
    std::uint32_t ip_length = 0;  // IP total length on the wire, octets (IPv6: 40 + payload length)
    std::uint32_t payload_length =
        0;  // octets above the transport header in this packet, on the wire
    std::uint32_t datagram_length =
        0;                // the same for the whole datagram: differs in a first fragment of UDP
    base::Bytes payload;  // what was captured of it
    std::uint32_t tcp_seq = 0;
    std::uint16_t tcp_flags = 0;   // 12 bits as in RFC 9293 §3.1 (IPFIX 6)
    std::uint16_t tcp_window = 0;  // as it stands in the header, not scaled (IPFIX 186)
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint16_t packet = 0;  // index of the frame in the burst
    std::int16_t parent = -1;  // index of the enclosing layer in the buffer, -1 for the outermost
    std::uint16_t encap_first =
        0;  // the whole stack in front of this layer, outermost first: [first, first + count)
    std::uint8_t encap_count = 0;
    bool has_tcp_window = false;  // that much of TCP's header was captured
};

inline constexpr std::size_t kBurst = 128;
inline constexpr std::size_t kMaxEncaps =
    16;  // of one layer: VLAN tags, labels and tunnels together

struct LayerBuffer {
    static constexpr std::size_t kLayers = kBurst + kMaxDepth + 1;
    static constexpr std::size_t kEncaps = 4 * kBurst + kMaxEncaps * (kMaxDepth + 1);
    std::array<FlowLayer, kLayers> layers;
    std::array<Encap, kEncaps> encaps;
    std::size_t layer_count = 0;
    std::size_t encap_count = 0;

    void clear() noexcept { layer_count = encap_count = 0; }
    // True while one more frame of any shape is sure to fit.
    [[nodiscard]] bool has_room() const noexcept {
        return layer_count + kMaxDepth + 1 <= kLayers &&
               encap_count + kMaxEncaps * (kMaxDepth + 1) <= kEncaps;
    }
};

// Why a frame is in no flow. Every frame read is in exactly one flow (its outermost layer's) or has
// one reason.
enum class SkipKind : std::uint8_t {
    none,              // not skipped
    truncated,         // the snap length cut the link or IP header
    malformed,         // a header contradicts itself (length, version)
    link_type,         // detail = LINKTYPE number we do not decode
    ethertype,         // detail = EtherType without IP (ARP, LLDP, ...)
    llc,               // detail = DSAP<<8 | SSAP of an 802.2 frame that is not SNAP
    ppp_protocol,      // detail = PPP protocol that is not IP (LCP, ...)
    ieee802_11_frame,  // detail = type<<4 | subtype and a kWireless mark: not a plain data frame
    address_family,    // detail = AF_ number of NULL/LOOP/NFLOG records
    other_shard,       // another worker's share: not counted here
    carried,  // left to the run that joins pieces; detail = partition hash; not counted here
    count_
};
inline constexpr std::uint32_t kWirelessProtected = 0x100;  // encrypted
inline constexpr std::uint32_t kWirelessAggregate = 0x200;  // A-MSDU: several packets in one frame
inline constexpr std::uint32_t kWirelessFragment = 0x400;   // a later fragment
struct SkipReason {
    SkipKind kind = SkipKind::none;
    std::uint32_t detail = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(kind, SkipKind::count_);
        archive(detail);
    }
};
// "truncated", "link_type_147", "ethertype_0x88cc", ...
std::string to_string(SkipReason reason);

}  // namespace flowclass::packet
