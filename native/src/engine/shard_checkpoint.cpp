// A shard's state in octets: living flows with all that hangs on them, flows that have ended and
// wait for their turn, leaders, first fragments, sums. Only what is in use is written. The places
// of flows in the wheel are kept as they are, since eviction goes by them; places in pools are not.
#include <algorithm>
#include <cstddef>
#include <functional>

#include "engine/shard.hpp"

namespace flowclass::engine {

namespace {

constexpr std::uint32_t kSums = 0x4d55535fU;
constexpr std::uint32_t kLiving = 0x4f4c465fU;
constexpr std::uint32_t kEnded = 0x444e455fU;
constexpr std::uint32_t kEnd = 0x5453414cU;

constexpr std::size_t kLeastFlowOctets = 200;

// A new member of one of these is either kept too or follows from the others.
static_assert(sizeof(flow::FlowKey) == 56 && sizeof(flow::FlowRecord) == 112 &&
              sizeof(feature::Accumulators) == 56 && sizeof(FlowState) == 192);
static_assert(sizeof(feature::FewPackets) == 112 && sizeof(feature::FlowFeatures) == 752);
static_assert(sizeof(EvidenceStore::Saved) == 48 && sizeof(Link) == 72);
static_assert(sizeof(head::HeadEntry) == 24 && sizeof(head::TcpPrefix) == 80);

}  // namespace

template <typename Archive>
void Shard::keep_sums(Archive& archive) {
    archive.mark(kSums);
    archive(clock_, time_first_, started_, source_, turn_, behind_, counters_, decoder_, links_);
    archive.require(turn_ >= FlowState::kFirstTurn);
    archive.up_to(eviction_hand_,
                  static_cast<std::uint32_t>(std::max<std::size_t>(table_.capacity(), 1) - 1));
    archive.up_to(head_hand_,
                  static_cast<std::uint32_t>(std::max<std::size_t>(heads_.capacity(), 1) - 1));
}

// What a flow has or has not: `part` is given its place.
template <typename Archive, typename Part>
void Shard::keep_if_there(Archive& archive, std::uint32_t& index, Part&& part) {
    bool there = index != UINT32_MAX;
    archive(there);
    if constexpr (Archive::kLoads) {
        index = UINT32_MAX;
    }
    if (archive.ok() && there) {
        part(index);
    }
}

// A value of a pool of the shard's own.
template <typename Archive, typename T>
static void keep_pooled(Archive& archive, base::Pool<T>& pool, std::uint32_t& index) {
    if constexpr (Archive::kLoads) {
        index = pool.acquire();
        archive.require(index != base::Pool<T>::kNone);
        if (index == base::Pool<T>::kNone) {
            return;
        }
        pool[index] = {};
    }
    archive(pool[index]);
}

template <typename Archive>
void Shard::keep_flow(Archive& archive,
                      flow::FlowKey& key,
                      FlowState& state,
                      std::vector<bool>& heads) {
    bool head_done = state.head_done;
    bool wheel_checked = state.wheel_checked;
    archive(key, state.record, state.sums, head_done, wheel_checked, state.link_turn);
    state.head_done = head_done;
    state.wheel_checked = wheel_checked;
    std::uint32_t head = state.has_head() ? state.head : UINT32_MAX;
    keep_if_there(archive, head, [&](auto& index) { heads_.keep(archive, index, heads); });
    state.head = head & FlowState::kNoHead;
    keep_if_there(archive, state.evidence, [&](auto& index) { evidence_.keep(archive, index); });
    keep_if_there(archive, state.hello, [&](auto& index) { hellos_.keep(archive, index); });
    keep_if_there(
        archive, state.saved_head, [&](auto& index) { saved_heads_.keep(archive, index); });
    keep_if_there(archive, state.features, [&](auto& index) { features_.keep(archive, index); });
    keep_if_there(
        archive, state.record.encaps, [&](auto& index) { keep_pooled(archive, encaps_, index); });
}

// What the rest of the engine takes for granted of any flow.
bool Shard::is_sound(const FlowState& state, std::uint32_t source_count) const noexcept {
    const flow::FlowRecord& record = state.record;
    const bool times = record.first <= record.last && record.touched <= clock_ &&
                       record.begun <= record.touched &&
                       (!record.tcp.closed || record.closed <= clock_);
    const bool link = state.link_turn == FlowState::kNoLink ||
                      (state.link_turn <= turn_ && state.evidence != EvidenceStore::kNone &&
                       evidence_.link(state.evidence).may_follow());
    return times && link && record.source < source_count;
}

void Shard::save(base::Saver& saver) {
    release_ended();
    keep_sums(saver);
    saver.mark(kLiving);
    std::vector<bool> none;
    table_.keep_places(saver, none);
    heads_.keep_places(saver, none);
    const std::size_t count = saver.count(table_.size(), table_.capacity(), kLeastFlowOctets);
    std::size_t seen = 0;
    wheel_.for_each(table_.links(), [&](std::uint32_t slot, std::uint32_t bucket) {
        saver(bucket, slot);
        keep_flow(saver, table_[slot].key, table_[slot].value, none);
        ++seen;
    });
    saver.require(seen == count);
    saver.mark(kEnded);
    saver.count(ended_.waiting.size(), SIZE_MAX, kLeastFlowOctets);
    for (EndedFlow& flow : ended_.waiting) {
        saver(flow.closed, flow.id, flow.reason);
        keep_flow(saver, flow.slot->key, flow.slot->value, none);
    }
    saver.mark(kEnd);
}

void Shard::load(base::Loader& loader, std::uint32_t source_count) {
    keep_sums(loader);
    if (started_) {
        wheel_.start(clock_);
    }
    loader.mark(kLiving);
    load_living(loader, source_count);
    loader.mark(kEnded);
    load_ended(loader, source_count);
    loader.mark(kEnd);
}

void Shard::load_living(base::Loader& loader, std::uint32_t source_count) {
    std::vector<bool> slots;
    std::vector<bool> heads;
    table_.keep_places(loader, slots);
    heads_.keep_places(loader, heads);
    const std::size_t count = loader.count(0, table_.capacity(), kLeastFlowOctets);
    loader.require(count == 0 || started_);
    std::uint32_t last = flow::kNoSlot;
    std::uint32_t last_bucket = 0;
    std::uint64_t steps = 0;
    for (std::size_t index = 0; loader.ok() && index < count; ++index) {
        flow::FlowKey key;
        FlowState state;
        std::uint32_t bucket = 0;
        std::uint32_t slot = 0;
        loader.up_to(bucket, static_cast<std::uint32_t>(flow::TimerWheel::kBuckets - 1));
        loader(slot);
        keep_flow(loader, key, state, heads);
        const std::uint64_t hash = flow::hash_of(key, key_options_.place);
        // The buckets come as the wheel turns, each once.
        const std::uint64_t ahead = wheel_.steps_to(bucket);
        loader.require(ahead >= steps && slot < slots.size() && !slots[slot] &&
                       is_sound(state, source_count) && table_.find(key, hash) == flow::kNoSlot);
        if (!loader.ok()) {
            return;
        }
        slots[slot] = true;
        steps = ahead;
        last = index > 0 && bucket == last_bucket ? last : flow::kNoSlot;
        table_.put(slot, key, hash);
        if (table_.crowded()) {
            place_anew();
        }
        table_[slot].value = state;
        if (state.has_head()) {
            heads_.set_owner(state.head, slot);
        }
        wheel_.put_behind(slot, bucket, last, table_.links());
        last = slot;
        last_bucket = bucket;
    }
    // A place that is neither free nor anybody's would never be found again.
    loader.require(std::ranges::all_of(slots, std::identity()) &&
                   std::ranges::all_of(heads, std::identity()));
}

void Shard::load_ended(base::Loader& loader, std::uint32_t source_count) {
    std::vector<bool> none;
    const std::size_t count = loader.count(0, SIZE_MAX, kLeastFlowOctets);
    for (std::size_t index = 0; loader.ok() && index < count; ++index) {
        EndedFlow flow;
        Table::Slot slot{};
        loader(flow.closed, flow.id, flow.reason);
        keep_flow(loader, slot.key, slot.value, none);
        loader.require(!slot.value.has_head() && is_sound(slot.value, source_count));
        if (loader.ok()) {
            flow.slot = copies_.copy(slot);
            flow.copied = true;
            ended_.waiting.push_back(flow);
        }
    }
}

}  // namespace flowclass::engine
