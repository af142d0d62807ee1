// Canonical order and hashing of flow keys.
#include "flow/flow_key.hpp"

#include <array>
#include <utility>

namespace flowclass::flow {

namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;

struct Pair {
    std::uint8_t question, answer;
};
constexpr std::array<Pair, 4> kIcmpPairs{{{8, 0}, {13, 14}, {15, 16}, {10, 9}}};
constexpr std::array<Pair, 2> kIcmpMore{{{17, 18}, {17, 18}}};
constexpr std::array<Pair, 6> kIcmp6Pairs{
    {{128, 129}, {133, 134}, {135, 136}, {130, 131}, {139, 140}, {144, 145}}};

template <std::size_t Count>
int other_of(const std::array<Pair, Count>& pairs, std::uint8_t type) noexcept {
    for (const Pair& pair : pairs) {
        if (pair.question == type) {
            return pair.answer;
        }
        if (pair.answer == type) {
            return pair.question;
        }
    }
    return -1;
}

struct Ports {
    std::uint16_t src, dst;
};

Ports ports_of(const packet::FlowLayer& layer) noexcept {
    if (layer.has_ports) {
        return {layer.src_port, layer.dst_port};
    }
    if (layer.ip_proto == kIcmp || layer.ip_proto == kIcmp6) {
        const int answer = icmp_counterpart(layer.ip_proto, layer.icmp_type);
        const int other = answer >= 0 ? answer : layer.icmp_code;
        return {layer.icmp_type, static_cast<std::uint16_t>(other)};
    }
    return {0, 0};
}

// `one` where `first`, else `other`, without a branch: which of two endpoints is the smaller one is
// anybody's guess.
template <typename Word>
Word choose(bool first, Word one, Word other) noexcept {
    const auto mask = static_cast<Word>(-static_cast<std::int64_t>(first));
    return static_cast<Word>(other ^ ((one ^ other) & mask));
}

}  // namespace

// One pair of words for a plain IPv4 flow, three for IPv6; one more inside tunnels and behind two
// VLAN tags.
std::uint64_t hash_of(const FlowKey& key, const base::PlaceHash& place) noexcept {
    base::PlaceHash::Sum sum(place);
    const std::uint64_t rest = std::uint64_t{key.a_port} << 48U | std::uint64_t{key.b_port} << 32U |
                               std::uint64_t{key.vlan} << 16U | std::uint64_t{key.ip_proto} << 8U |
                               key.version;
    if (key.version == 4) {
        sum.add<0>(key.a_low << 32U | key.b_low, rest);
    } else {
        sum.add<1>(key.a_high, key.a_low);
        sum.add<2>(key.b_high, key.b_low);
        sum.add<3>(rest, 0);
    }
    if (key.tunnel != 0 || key.inner_vlan != packet::kNoVlan) [[unlikely]] {
        sum.add<4>(key.tunnel, key.inner_vlan);
    }
    return sum.finish();
}

int icmp_counterpart(std::uint8_t ip_proto, std::uint8_t type) noexcept {
    if (ip_proto == kIcmp) {
        const int found = other_of(kIcmpPairs, type);
        return found >= 0 ? found : other_of(kIcmpMore, type);
    }
    return ip_proto == kIcmp6 ? other_of(kIcmp6Pairs, type) : -1;
}

std::uint64_t tunnel_of(const FlowKey& parent,
                        std::span<const packet::Encap> encaps,
                        base::HashKey seed) noexcept {
    base::TableHash hash(seed);
    hash.add(parent.a_high);
    hash.add(parent.a_low);
    hash.add(parent.b_high);
    hash.add(parent.b_low);
    hash.add(parent.tunnel);
    for (const packet::Encap& encap : encaps) {
        if (encap.type == packet::EncapType::vlan) {
            continue;
        }
        const std::uint64_t id = packet::has_symmetric_id(encap.type) ? encap.id : 0;
        hash.add(static_cast<std::uint64_t>(encap.type) << 32U | id);
    }
    return hash.finish() | 1U;
}

void make_key(const packet::FlowLayer& layer,
              std::uint64_t tunnel,
              const KeyOptions& options,
              KeyedLayer& out) noexcept {
    const Ports ports = ports_of(layer);
    FlowKey& key = out.key;
    const base::IpAddress& src = layer.src;
    const base::IpAddress& dst = layer.dst;
    const bool low_first = (src.low < dst.low) | ((src.low == dst.low) & (ports.src <= ports.dst));
    const bool src_first = (src.high < dst.high) | ((src.high == dst.high) & low_first);
    out.from_a = src_first;
    key.a_high = choose(src_first, src.high, dst.high);
    key.a_low = choose(src_first, src.low, dst.low);
    key.b_high = choose(src_first, dst.high, src.high);
    key.b_low = choose(src_first, dst.low, src.low);
    key.a_port = choose(src_first, ports.src, ports.dst);
    key.b_port = choose(src_first, ports.dst, ports.src);
    key.vlan = options.vlan ? layer.vlan : packet::kNoVlan;
    key.inner_vlan = options.vlan ? layer.inner_vlan : packet::kNoVlan;
    key.ip_proto = layer.ip_proto;
    key.version = src.version;
    key.has_ports = layer.has_ports;
    key.tunnel = tunnel;
    out.hash = hash_of(key, options.place);
}

}  // namespace flowclass::flow
