// A ring of leaders, threaded by address pair.
#include "engine/link_table.hpp"

#include <algorithm>
#include <bit>

#include "flow/timer_wheel.hpp"

namespace flowclass::engine {

namespace {

using fingerprint::LinkKind;

// Leaders of one pair that are looked at: a follower among thousands of sessions of one pair is
// content with the newest.
constexpr std::size_t kMostLooks = 256;

// The one that carries the follower's number, else the one that began last, else the lesser name.
bool better(bool token, base::TimeNs begun, flow::FlowId id, bool best_token, const Link& best) {
    if (best.leader.none() || token != best_token) {
        return best.leader.none() || token;
    }
    return begun != best.leader_begun ? begun > best.leader_begun : id < best.leader;
}

}  // namespace

LinkTable::LinkTable(std::size_t capacity, base::HashKey key)
    : key_(key),
      leaders_(std::bit_ceil(capacity)),
      buckets_(std::bit_ceil(capacity)),
      mask_(std::bit_ceil(capacity) - 1) {}

std::uint64_t LinkTable::pair_of(const flow::FlowKey& key) const noexcept {
    base::TableHash hash(key_);
    for (const std::uint64_t word : {key.a_high, key.a_low, key.b_high, key.b_low, key.tunnel}) {
        hash.add(word);
    }
    hash.add(std::uint64_t{key.vlan} << 32U | std::uint64_t{key.inner_vlan} << 16U | key.version);
    return hash.finish();
}

void LinkTable::add_leader(std::uint64_t pair, const Link& link, base::TimeNs matched) noexcept {
    if (leaders_.capacity() == 0) {
        return;
    }
    ++last_;
    Leader& leader = leaders_[last_ & mask_];
    if (leader.kind != LinkKind::none &&
        base::saturating_add(leader.begun, kLinkWindow) > link.begun) {
        ++forgotten_;
    }
    std::uint64_t& bucket = buckets_[pair & mask_];
    leader = {pair, link.token, bucket, link.begun, matched, link.own, link.leads};
    bucket = last_;
}

void LinkTable::find_leader(std::uint64_t pair, Link& link, base::TimeNs due) const noexcept {
    if (leaders_.capacity() == 0) {
        return;
    }
    const base::TimeNs earliest = base::saturating_subtract(link.begun, kLinkWindow);
    bool best_token = false;
    std::size_t looks = 0;
    for (const Leader* leader = at(buckets_[pair & mask_]); leader != nullptr && looks < kMostLooks;
         leader = at(leader->older)) {
        if (leader->pair != pair) {
            continue;
        }
        ++looks;
        const bool kind =
            std::find(link.follows.begin(), link.follows.end(), leader->kind) != link.follows.end();
        const bool stood =
            flow::TimerWheel::tick_of(leader->matched) < flow::TimerWheel::tick_of(due);
        if (!kind || !stood || leader->id == link.own || leader->begun > link.begun ||
            leader->begun < earliest) {
            continue;
        }
        const bool token = link.token != 0 && leader->token == link.token;
        if (better(token, leader->begun, leader->id, best_token, link)) {
            best_token = token;
            link.leader = leader->id;
            link.leader_begun = leader->begun;
            link.rule = &fingerprint::link_rule(leader->kind, token);
        }
    }
}

}  // namespace flowclass::engine
