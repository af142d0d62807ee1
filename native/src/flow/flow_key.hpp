// The flow key: the smaller endpoint first, so both directions of a flow have one key, one hash and
// one look-up. Takes: a FlowLayer. Gives: FlowKey, its hash, and whether the layer goes from the
// key's a to its b. Part of the key: IP version, both addresses, IP protocol, both ports (or ICMP
// type and its counterpart), VLAN ids, and for flows inside tunnels a keyed hash of what encloses
// them (the outer address pair, the tunnel's kind and symmetric id), so that equal private
// addresses of two tunnels stay two flows. See docs/flow_definition.md.
#pragma once

#include <cstdint>
#include <span>

#include "base/hash.hpp"
#include "base/place_hash.hpp"
#include "packet/decoded_packet.hpp"

namespace flowclass::flow {

struct FlowKey {
    std::uint64_t a_high = 0, a_low = 0;
    std::uint64_t b_high = 0, b_low = 0;
    std::uint64_t tunnel = 0;  // 0 outside tunnels
    std::uint16_t a_port = 0, b_port = 0;
    std::uint16_t vlan = packet::kNoVlan, inner_vlan = packet::kNoVlan;
    std::uint8_t ip_proto = 0;
    std::uint8_t version = 0;
    bool has_ports = false;

    friend bool operator==(const FlowKey&, const FlowKey&) noexcept = default;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(a_high, a_low, b_high, b_low, tunnel, a_port, b_port, vlan, inner_vlan);
        archive(ip_proto, version, has_ports);
        archive.require(version == 4 || version == 6);
    }

    [[nodiscard]] base::IpAddress a() const noexcept { return {a_high, a_low, version}; }
    [[nodiscard]] base::IpAddress b() const noexcept { return {b_high, b_low, version}; }
};

struct KeyedLayer {
    FlowKey key;
    std::uint64_t hash = 0;
    bool from_a = true;
};

// What an inner flow's key takes from the layer around it: `parent` is that layer's key.
std::uint64_t tunnel_of(const FlowKey& parent,
                        std::span<const packet::Encap> encaps,
                        base::HashKey seed) noexcept;

struct KeyOptions {
    base::PlaceHash place;
    bool vlan = true;  // VLAN ids tell flows apart
};
void make_key(const packet::FlowLayer& layer,
              std::uint64_t tunnel,
              const KeyOptions& options,
              KeyedLayer& out) noexcept;

std::uint64_t hash_of(const FlowKey& key, const base::PlaceHash& place) noexcept;

// The ICMP type that answers `type` (RFC 792, 4443 and the table of Community ID v1), or -1 where
// none does.
int icmp_counterpart(std::uint8_t ip_proto, std::uint8_t type) noexcept;

}  // namespace flowclass::flow
