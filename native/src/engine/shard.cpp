// The packet clock and the head clock of one thread, in the order of the design's table: capture,
// decode, flow, features, head, match; then what the timer wheel says has ended.
#include "engine/shard.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/capacities.hpp"

namespace flowclass::engine {

namespace {

constexpr std::uint8_t kTcp = 6;
// RFC 9293 §3.1.
constexpr std::uint16_t kFin = 1;
constexpr std::uint16_t kSyn = 2;
constexpr std::uint16_t kRst = 4;
constexpr std::uint16_t kAck = 16;

constexpr std::size_t kMostAhead = std::size_t{192} << 10U;  // a burst of full Ethernet frames

// The clock never goes back, so the difference is exact whatever the times are.
std::uint64_t elapsed(base::TimeNs since, base::TimeNs now) noexcept {
    return static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(since);
}

decode::DecodeOptions decode_options(const Options& options,
                                     base::HashKey key,
                                     std::uint32_t number,
                                     std::uint32_t count) {
    decode::DecodeOptions out;
    out.tunnels = options.tunnels;
    out.shard = number;
    out.shard_count = count;
    out.shard_key = key;
    out.border = options.border;
    return out;
}

}  // namespace

Shard::Shard(const Options& options, base::HashKey key, std::uint32_t number, std::uint32_t count)
    : options_(options),
      tunnel_key_(key),
      key_options_{base::PlaceHash(key), options.vlan_in_key},
      spare_key_(base::random_hash_key()),
      decoder_(decode_options(options, key, number, count)),
      table_(flow_capacity(options, count)),
      heads_(head_capacity(table_.capacity())),
      evidence_(verdict_capacity(options, table_.capacity())),
      hellos_(verdict_capacity(options, table_.capacity())),
      saved_heads_(options.heads ? table_.capacity() * kNodesPerHead : 0),
      links_(link_capacity(table_.capacity()), key),
      encaps_(verdict_capacity(options, table_.capacity())),
      features_(options.features ? table_.capacity() * 2 : 0),
      head_facts_(options.early ? head_capacity(table_.capacity()) : 0),
      counts_order_(number == 0),
      keep_(options.rows || options.early ? EvidenceStore::Keep::all
                                          : EvidenceStore::Keep::verdict) {}

void Shard::begin_source(std::uint32_t source) {
    source_ = source;
    reader_ = capture::CaptureReader();
}

// What the next burst will read, fetched bit by bit while this burst is worked on, as much as this
// burst was long: record headers are found one from another, so without it each of them would wait
// for memory.
void Shard::look_ahead(std::size_t index, std::size_t count) const noexcept {
    const std::size_t end = ahead_.size() * (index + 1) / count;
    for (std::size_t at = ahead_.size() * index / count; at < end; at += base::kLine) {
        base::prefetch_line(&ahead_[at]);
    }
}

void Shard::push(base::Bytes chunk) noexcept {
    reader_.push(chunk);
    std::size_t before = chunk.size();
    for (std::size_t count = reader_.next_burst(views_); count > 0;
         count = reader_.next_burst(views_)) {
        const base::Bytes unread = reader_.unread();
        ahead_ = unread.first(std::min({unread.size(), before - unread.size(), kMostAhead}));
        before = unread.size();
        on_views(std::span(views_).first(count));
    }
    ahead_ = {};
}

void Shard::push_packets(std::span<const packet::PacketView> views) noexcept {
    for (std::size_t done = 0; done < views.size(); done += packet::kBurst) {
        on_views(views.subspan(done, std::min(packet::kBurst, views.size() - done)));
    }
}

void Shard::end_source() noexcept {
    reader_.finish();
}

void Shard::advance(base::TimeNs now) noexcept {
    see_time(now);
    count_behind(now);
    turn_wheel();
}

void Shard::see_time(base::TimeNs time) noexcept {
    time_first_ = std::min(time_first_, time);
    if (!started_) {
        started_ = true;
        clock_ = time;
        wheel_.start(time);
        return;
    }
    clock_ = std::max(clock_, time);
}

// One burst: decode all, then keys and index lines, then slots, then the flows themselves.
void Shard::on_views(std::span<const packet::PacketView> views) noexcept {
    layers_.clear();
    for (std::size_t index = 0; index < views.size(); ++index) {
        const packet::PacketView& view = views[index];
        look_ahead(index, views.size());
        if (counts_order_ && started_ && view.time < clock_) {
            ++counters_.out_of_order;
        }
        see_time(view.time);
        if (!layers_.has_room()) {
            on_layers();
        }
        const packet::SkipReason reason =
            decoder_.decode(view, static_cast<std::uint16_t>(index), layers_);
        frames_[index] = {view.time, clock_, view.frame};
        if (reason.kind == packet::SkipKind::other_shard) {
            continue;
        }
        if (reason.kind == packet::SkipKind::carried) [[unlikely]] {
            carried_.add(view, clock_, source_, reason.detail);
            continue;
        }
        ++counters_.read.packets;
        counters_.read.bytes += view.wire_length;
        if (reason.kind != packet::SkipKind::none) {
            counters_.skipped.add(reason, 1, view.wire_length);
        } else {
            // on_layer() takes the IP packet's own octets off again.
            counters_.link_overhead_bytes += static_cast<std::int64_t>(view.wire_length);
        }
    }
    if (!views.empty()) {
        count_behind(views.back().time);
    }
    on_layers();
    turn_wheel();
}

void Shard::on_layers() noexcept {
    make_keys();
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        slots_[index] = table_.prefetch_slot(keys_[index].hash);
    }
    fetch_parts();
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        on_layer(index);
    }
    on_heads();
    layers_.clear();
}

void Shard::make_keys() noexcept {
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        const packet::FlowLayer& layer = layers_.layers[index];
        std::uint64_t tunnel = 0;
        if (layer.parent >= 0) {
            const auto parent = static_cast<std::size_t>(layer.parent);
            // Only what was taken off between the parent and this layer tells tunnels apart; the
            // parent's key has the rest.
            const std::size_t outer = layers_.layers[parent].encap_count;
            const std::size_t own = layer.encap_count > outer ? layer.encap_count - outer : 0;
            const auto encaps = std::span(layers_.encaps)
                                    .subspan(layer.encap_first + (layer.encap_count - own), own);
            tunnel = flow::tunnel_of(keys_[parent].key, encaps, tunnel_key_);
        }
        flow::make_key(layer, tunnel, key_options_, keys_[index]);
        table_.prefetch_index(keys_[index].hash);
    }
}

// Somebody makes flows whose places collide, so the table's key is known, as one for tests is.
// Every flow goes where another key says, and so do those of the burst at work. Nothing that is
// told of a flow depends on its place.
void Shard::place_anew() noexcept {
    key_options_.place = base::PlaceHash(spare_key_);
    base::NameHash next(spare_key_);  // a key that is not known makes others that are not
    next.add(++placed_anew_);
    spare_key_.k0 = next.finish();
    next.add(spare_key_.k0);
    spare_key_.k1 = next.finish();
    const auto hash = [this](const flow::FlowKey& key) {
        return flow::hash_of(key, key_options_.place);
    };
    table_.rehash(hash);
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        keys_[index].hash = hash(keys_[index].key);
    }
}

void Shard::on_layer(std::size_t index) noexcept {
    const packet::FlowLayer& layer = layers_.layers[index];
    const FrameFacts& frame = frames_[layer.packet];
    if (layer.parent < 0) {
        ++counters_.in_flows.packets;
        counters_.in_flows.bytes += layer.ip_length;
        counters_.link_overhead_bytes -= static_cast<std::int64_t>(layer.ip_length);
    } else {
        ++counters_.inner_packets;
    }
    std::uint32_t slot = touch(layer, keys_[index], frame.clock);
    if (slot == flow::kNoSlot) {
        slot = open_flow(index, frame.clock);
    }
    slots_[index] = slot;
    FlowState& state = table_[slot].value;
    flow::FlowRecord& record = state.record;
    const bool begins = state.sums.packets[0] + state.sums.packets[1] == 0;
    if (begins) {
        begin_segment(state, frame);
    }
    const packet::Direction direction = direction_of(index, state);
    record.first = std::min(record.first, frame.time);
    record.last = std::max(record.last, frame.time);
    record.touched = frame.clock;
    record.packet_last = frame.frame;
    state.sums.add(layer, direction);
    if (state.features != FlowState::kNoFeatures) {
        counters_.features_refused +=
            features_.add(state.features, feature::facts_of(layer, direction, frame.time)) ? 0 : 1;
    }
    if (begins && record.segment > 0) {
        // While the segment was empty the wheel waited for idleness alone.
        wheel_.remove(slot, table_.links());
        wheel_.schedule(slot, wake_of(state), table_.links());
    }
    if (layer.ip_proto == kTcp && layer.fragment != packet::Fragment::later) {
        note_tcp(slot, layer, direction, frame.clock);
    }
    if (layer.payload_length > 0 && layer.fragment != packet::Fragment::later) {
        note_payload(slot, layer, direction, frame);
    }
}

// The flow's slot, if it lives; one whose time was up is ended first.
std::uint32_t Shard::touch(const packet::FlowLayer& layer,
                           const flow::KeyedLayer& keyed,
                           base::TimeNs clock) noexcept {
    const std::uint32_t slot = table_.find(keyed.key, keyed.hash);
    if (slot == flow::kNoSlot) {
        return flow::kNoSlot;
    }
    const flow::FlowRecord& record = table_[slot].value.record;
    // Neither timeout can have passed for most packets, and this says so without a sum.
    const bool fresh =
        elapsed(record.touched, clock) <= static_cast<std::uint64_t>(options_.idle_timeout) &&
        elapsed(record.begun, clock) <= static_cast<std::uint64_t>(options_.active_timeout) &&
        !record.tcp.closed;
    if (!fresh && expire(slot, clock)) {
        return flow::kNoSlot;
    }
    const flow::TcpState& tcp = record.tcp;
    // A new connection on a closed one's ports is a new flow.
    if (tcp.closed && (layer.tcp_flags & (kSyn | kAck)) == kSyn) {
        end_flow(slot, tcp.reset ? flow::EndReason::rst : flow::EndReason::fin, clock);
        return flow::kNoSlot;
    }
    return slot;
}

std::uint32_t Shard::open_flow(std::size_t index, base::TimeNs clock) noexcept {
    if (table_.full()) {
        evict();
    }
    const packet::FlowLayer& layer = layers_.layers[index];
    const std::uint32_t slot = table_.insert(keys_[index].key, keys_[index].hash);
    if (table_.crowded()) [[unlikely]] {
        place_anew();
    }
    FlowState& state = table_[slot].value;
    state = {};
    if (options_.features) {
        state.features = features_.open();
        counters_.features_refused += state.features == FlowState::kNoFeatures ? 1 : 0;
    }
    flow::FlowRecord& record = state.record;
    record.forward_is_a = keys_[index].from_a;
    if (layer.ip_proto == kTcp && (layer.tcp_flags & kSyn) != 0) {
        record.from_syn = true;
        record.initiator_forward = (layer.tcp_flags & kAck) == 0;
    }
    if (layer.encap_count > 0) {
        record.encaps = encaps_.acquire();
        if (record.encaps != UINT32_MAX) {
            EncapStack& stack = encaps_[record.encaps];
            stack.count = static_cast<std::uint8_t>(
                std::min<std::size_t>(layer.encap_count, packet::kMaxEncaps));
            const auto stacked = std::span(layers_.encaps).subspan(layer.encap_first, stack.count);
            std::copy(stacked.begin(), stacked.end(), stack.encaps.begin());
        }
    }
    if (layer.parent >= 0) {
        const auto parent = static_cast<std::size_t>(layer.parent);
        const Table::Slot& outer = table_[slots_[parent]];
        if (outer.key == keys_[parent].key) {
            record.parent =
                flow::make_flow_id(outer.key, outer.value.record.parent, outer.value.record.named);
        }
    }
    const base::TimeNs look =
        std::min({head::kHeadTime, options_.idle_timeout, options_.active_timeout});
    wheel_.schedule(slot, base::saturating_add(clock, look), table_.links());
    return slot;
}

void Shard::begin_segment(FlowState& state, const FrameFacts& frame) noexcept {
    flow::FlowRecord& record = state.record;
    record.named = record.first = record.last = frame.time;
    record.begun = frame.clock;
    record.packet_first = frame.frame;
    record.source = source_;
}

void Shard::note_tcp(std::uint32_t slot,
                     const packet::FlowLayer& layer,
                     packet::Direction direction,
                     base::TimeNs clock) noexcept {
    FlowState& state = table_[slot].value;
    flow::TcpState& tcp = state.record.tcp;
    const std::size_t side = packet::index_of(direction);
    tcp.flags[side] |= layer.tcp_flags;
    if ((layer.tcp_flags & (kSyn | kFin | kRst)) == 0) {
        return;
    }
    if ((layer.tcp_flags & kSyn) != 0 && !tcp.syn[side]) {
        tcp.syn[side] = true;
        state.record.next_seq[side] = layer.tcp_seq + 1;
    }
    const bool reset = (layer.tcp_flags & kRst) != 0;
    const bool finished = (tcp.flags[0] & tcp.flags[1] & kFin) != 0;
    if ((reset || finished) && !tcp.closed) {
        tcp.closed = true;
        tcp.reset = reset;
        state.record.closed = clock;
        // The end has moved forward: a wheel that came by later would see it behind flows that
        // ended after it.
        wheel_.remove(slot, table_.links());
        wheel_.schedule(slot, wake_of(state), table_.links());
    }
}

void Shard::note_payload(std::uint32_t slot,
                         const packet::FlowLayer& layer,
                         packet::Direction direction,
                         const FrameFacts& frame) noexcept {
    FlowState& state = table_[slot].value;
    if (state.head_done) {
        return;
    }
    if (state.has_head()) {
        const base::TimeNs deadline = heads_.deadline(state.head);
        if (frame.clock > deadline) {
            close_head(slot, deadline);
            return;
        }
        if (look_is_due(state, frame.clock)) {
            look_into_head(slot);
        }
        if (heads_.take_answer(state.head, direction)) {
            close_sooner(slot, base::saturating_add(frame.clock, head::kHeadTime));
        }
    } else if (!open_head(slot, layer, frame)) {
        return;
    }
    const std::uint32_t payload_packet = heads_.payload_packets(state.head) + 1;
    const bool complete = heads_.add(state.head, layer, direction, frame.time, payload_packet);
    if (options_.early) {
        note_facts(slot);
    }
    if (complete) {
        // A head that is complete takes no more; it is matched with the others of this burst.
        state.head_done = true;
        heads_.set_deadline(state.head, frame.clock);
        complete_[complete_count_++] = slot;
    }
}

}  // namespace flowclass::engine
