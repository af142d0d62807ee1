// Names of the packet room's closed lists: they appear in records and summaries.
#include <array>
#include <cstdio>

#include "packet/decoded_packet.hpp"

namespace flowclass::packet {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(EncapType::count_)> kEncapNames{
    "vlan",
    "mpls",
    "pppoe",
    "gre",
    "pptp-gre",
    "erspan",
    "ip-in-ip",
    "6in4",
    "etherip",
    "teredo",
    "vxlan",
    "geneve",
    "gtp-u",
    "l2tp"};

constexpr std::array<const char*, static_cast<std::size_t>(SkipKind::count_)> kSkipNames{
    "none",
    "truncated",
    "malformed",
    "link_type",
    "ethertype",
    "llc",
    "ppp_protocol",
    "ieee802_11_frame",
    "address_family",
    "other_shard",
    "carried"};

}  // namespace

const char* to_string(EncapType type) noexcept {
    const auto index = static_cast<std::size_t>(type);
    return index < kEncapNames.size() ? kEncapNames[index] : "unknown";
}

std::string to_string(SkipReason reason) {
    const auto index = static_cast<std::size_t>(reason.kind);
    std::string name = index < kSkipNames.size() ? kSkipNames[index] : "unknown";
    switch (reason.kind) {
        case SkipKind::link_type:
        case SkipKind::address_family:
            return name + "_" + std::to_string(reason.detail);
        case SkipKind::ethertype:
        case SkipKind::llc:
        case SkipKind::ppp_protocol:
        case SkipKind::ieee802_11_frame: {
            std::array<char, 16> hex{};
            std::snprintf(hex.data(), hex.size(), "_0x%04x", reason.detail & 0xffffU);
            return name + hex.data();
        }
        default:
            return name;
    }
}

}  // namespace flowclass::packet
