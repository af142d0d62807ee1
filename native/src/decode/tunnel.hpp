// Finds the IP packet a layer carries. Takes: a decoded layer. Gives: the inner IP header's place,
// with the tunnel's headers on the stack, or nothing. Guarantees: nothing is found unless the inner
// IP header passes check_inner_ip; what fails leaves the stack as it was. Tunnels known by their IP
// protocol number count why they stay closed; ports are no such knowledge.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "decode/counters.hpp"
#include "decode/network.hpp"
#include "decode/shim.hpp"

namespace flowclass::decode {

enum class Tunnel : std::uint8_t {
    none,
    gre,
    ip_in_ip,
    six_in_four,
    etherip,
    mpls_in_ip,
    teredo,
    vxlan,
    vxlan_gpe,
    geneve,
    gtp_u,
    l2tp,
};

struct TunnelPort {
    std::uint16_t port = 0;
    Tunnel tunnel = Tunnel::none;
};

inline constexpr std::array kTunnelPorts{
    TunnelPort{1701, Tunnel::l2tp},
    TunnelPort{2152, Tunnel::gtp_u},
    TunnelPort{3544, Tunnel::teredo},
    TunnelPort{4789, Tunnel::vxlan},
    TunnelPort{4790, Tunnel::vxlan_gpe},
    TunnelPort{6081, Tunnel::geneve},
    TunnelPort{8472, Tunnel::vxlan},  // what Linux used before the assignment
};
static_assert(std::ranges::is_sorted(kTunnelPorts, {}, &TunnelPort::port));

// The ports differ in their low seven bits, so one look says whether a port is among them.
inline constexpr std::size_t kPortSlots = 128;
inline constexpr auto kTunnelOfSlot = [] {
    std::array<TunnelPort, kPortSlots> slots{};
    for (const TunnelPort& row : kTunnelPorts) {
        slots[row.port % kPortSlots] = row;
    }
    return slots;
}();
inline Tunnel tunnel_of_port(std::uint16_t port) noexcept {
    const TunnelPort& slot = kTunnelOfSlot[port % kPortSlots];
    return slot.port == port ? slot.tunnel : Tunnel::none;
}
static_assert(std::ranges::all_of(kTunnelPorts, [](const TunnelPort& row) {
    return kTunnelOfSlot[row.port % kPortSlots].port == row.port;
}));

// Takes one UDP tunnel's header off; Header::none when it is not one.
Step open_udp_tunnel(Tunnel tunnel, Slice& slice, EncapStack& stack) noexcept;

Tunnel tunnel_of_protocol(std::uint8_t ip_proto) noexcept;

// True when the layer could carry a packet at all: for nearly all it is two look-ups that say no.
[[gnu::always_inline]] inline bool may_carry_tunnel(const packet::FlowLayer& layer) noexcept {
    if (layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::tcp)) {
        return false;
    }
    if (layer.fragment == packet::Fragment::later) {
        return false;
    }
    if (layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::udp)) {
        return tunnel_of_port(layer.dst_port) != Tunnel::none ||
               tunnel_of_port(layer.src_port) != Tunnel::none;
    }
    return tunnel_of_protocol(layer.ip_proto) != Tunnel::none;
}

// The inner IP version and `slice` at its header; 0 = none.
std::uint8_t find_inner_ip(const packet::FlowLayer& layer,
                           Slice& slice,
                           EncapStack& stack,
                           DecodeCounters& counters) noexcept;

}  // namespace flowclass::decode
