// The flat loop: link, then network and transport for each IP packet, then the tunnel to the next
// one.
#include "decode/decode.hpp"

#include <algorithm>

#include "decode/link.hpp"
#include "decode/transport.hpp"
#include "decode/tunnel.hpp"

namespace flowclass::decode {

namespace {

using packet::FlowLayer;
using packet::Fragment;
using packet::LayerBuffer;
using packet::SkipKind;
using packet::SkipReason;

// Copied over each slot before it is filled: quicker than a temporary built member by member.
constexpr FlowLayer kEmptyLayer{};

Slice slice_of(const packet::PacketView& view) noexcept {
    const auto captured = static_cast<std::uint32_t>(view.bytes.size());
    return {view.bytes, std::max(view.wire_length, captured)};
}

SkipKind take_ip_header(std::uint8_t version,
                        Slice& slice,
                        FlowLayer& layer,
                        IpFacts& facts) noexcept {
    return version == 4 ? take_ipv4(slice, layer, facts) : take_ipv6(slice, layer, facts);
}

}  // namespace

bool find_outer_pair(const packet::PacketView& view,
                     LayerBuffer& scratch,
                     AddressPair& pair) noexcept {
    scratch.clear();
    Slice slice = slice_of(view);
    EncapStack stack(scratch);
    const Reached reached = reach_ip_from_frame(view.link_type, slice, stack);
    FlowLayer layer;
    IpFacts facts;
    if (reached.version == 0 ||
        take_ip_header(reached.version, slice, layer, facts) != SkipKind::none) {
        return false;
    }
    pair = AddressPair(layer.src, layer.dst);
    return true;
}

Decoder::Decoder(const DecodeOptions& options)
    : options_(options),
      shard_place_(options.shard_key),
      fragments_(options.fragment_entries, options.fragment_timeout, options.shard_key) {}

SkipReason Decoder::decode(const packet::PacketView& view,
                           std::uint16_t packet_index,
                           LayerBuffer& out) noexcept {
    ++border_frames_;
    if (!out.has_room()) [[unlikely]] {
        return skipped({SkipKind::malformed, 0});
    }
    Slice slice = slice_of(view);
    EncapStack stack(out);
    const Reached reached = reach_ip_from_frame(view.link_type, slice, stack);
    if (reached.version == 0) [[unlikely]] {
        return skipped({reached.reason, reached.detail});
    }
    FlowLayer& layer = out.layers[out.layer_count];
    layer = kEmptyLayer;
    IpFacts facts;
    const SkipKind failed = take_ip_header(reached.version, slice, layer, facts);
    if (failed != SkipKind::none) [[unlikely]] {
        return skipped({failed, 0});
    }
    if (options_.shard_count > 1 && !is_mine(layer)) {
        return {SkipKind::other_shard, 0};
    }
    if (options_.border != nullptr) [[unlikely]] {
        const AddressPair pair(layer.src, layer.dst);
        if (options_.border->is_carried(pair, border_frames_)) {
            return {SkipKind::carried, partition_hash(pair)};
        }
    }
    layer.packet = packet_index;
    finish_layer(slice, facts, stack, view.time, layer);
    ++out.layer_count;
    if (options_.tunnels && may_carry_tunnel(layer)) [[unlikely]] {
        open_tunnels(view.time, stack, out);
    }
    out.encap_count = stack.first() + stack.count();
    counters_.encaps_unrecorded += stack.unrecorded();
    return {};
}

SkipReason Decoder::skipped(SkipReason reason) const noexcept {
    return options_.shard == 0 ? reason : SkipReason{SkipKind::other_shard, 0};
}

bool Decoder::is_mine(const FlowLayer& layer) const noexcept {
    base::PlaceHash::Sum sum(shard_place_);
    if (layer.src.version == 4) {
        const auto& [low, high] = std::minmax(layer.src.low, layer.dst.low);
        sum.add<0>(low, high);
    } else {
        const auto& [low, high] = std::minmax(layer.src, layer.dst);
        sum.add<1>(low.high, low.low);
        sum.add<2>(high.high, high.low);
    }
    // As many parts of 32 bits as there are shards: a division would take longer than the rest.
    const std::uint64_t place = sum.finish() >> 32U;
    return place * options_.shard_count >> 32U == options_.shard;
}

void Decoder::finish_layer(Slice& slice,
                           const IpFacts& facts,
                           const EncapStack& stack,
                           base::TimeNs now,
                           FlowLayer& layer) noexcept {
    layer.vlan = stack.vlan();
    layer.inner_vlan = stack.inner_vlan();
    layer.encap_first = static_cast<std::uint16_t>(stack.first());
    layer.encap_count = static_cast<std::uint8_t>(stack.count());
    if (facts.length_beyond_frame || facts.extension_malformed) [[unlikely]] {
        counters_.ip_length_beyond_frame += facts.length_beyond_frame ? 1 : 0;
        counters_.extension_malformed += facts.extension_malformed ? 1 : 0;
    }
    take_transport(slice, layer, counters_);
    if (layer.fragment != Fragment::none) [[unlikely]] {
        join_fragment(facts.fragment_id, stack.overlay(), now, layer);
    }
}

// Only what has ports or an ICMP type in its flow key learns anything from its first fragment; so
// does IPv6, whose later fragments may name an extension header as their protocol.
void Decoder::join_fragment(std::uint32_t id,
                            std::uint32_t overlay,
                            base::TimeNs now,
                            FlowLayer& layer) noexcept {
    const bool v4 = layer.src.version == 4;
    const FragmentKey key{layer.src, layer.dst, id, overlay, v4 ? layer.ip_proto : std::uint8_t{0}};
    if (layer.fragment == Fragment::first) {
        const FragmentFacts facts{layer.src_port,
                                  layer.dst_port,
                                  layer.has_ports,
                                  layer.ip_proto,
                                  layer.icmp_type,
                                  layer.icmp_code};
        if (!fragments_.learn(key, facts, now)) {
            ++counters_.fragment_evictions;
        }
        return;
    }
    const FragmentFacts* facts = fragments_.find(key, now);
    if (facts == nullptr) {
        ++counters_.fragments_without_first;
        return;
    }
    layer.src_port = facts->src_port;
    layer.dst_port = facts->dst_port;
    layer.has_ports = facts->has_ports;
    layer.ip_proto = facts->ip_proto;
    layer.icmp_type = facts->icmp_type;
    layer.icmp_code = facts->icmp_code;
}

void Decoder::open_tunnels(base::TimeNs now, EncapStack& stack, LayerBuffer& out) noexcept {
    for (std::size_t depth = 0; may_carry_tunnel(out.layers[out.layer_count - 1]); ++depth) {
        const FlowLayer& outer = out.layers[out.layer_count - 1];
        const std::size_t outer_count = stack.count();
        Slice slice;
        const std::uint8_t version = find_inner_ip(outer, slice, stack, counters_);
        if (version == 0) {
            return;
        }
        if (depth == packet::kMaxDepth) {
            stack.rewind(outer_count);
            ++counters_.depth_exceeded;
            return;
        }
        FlowLayer& inner = out.layers[out.layer_count];
        inner = kEmptyLayer;
        IpFacts facts;
        if (take_ip_header(version, slice, inner, facts) != SkipKind::none) {
            stack.rewind(outer_count);  // not reached: the strict check was passed
            ++counters_.inner_malformed;
            return;
        }
        inner.packet = outer.packet;
        inner.parent = static_cast<std::int16_t>(out.layer_count - 1);
        finish_layer(slice, facts, stack, now, inner);
        ++out.layer_count;
    }
}

}  // namespace flowclass::decode
