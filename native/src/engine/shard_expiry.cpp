// When flows end: timeouts, TCP's end with its linger, eviction, end of input. Every decision
// depends on the clock at the packet that was touched or on the deadline itself, never on when the
// wheel happened to come by.
#include <algorithm>

#include "engine/shard.hpp"

namespace flowclass::engine {

namespace {

constexpr std::size_t kEvictionCandidates = 16;
constexpr std::size_t kMostCandidates = 64;
// Longer than tunnels are silent between two of their keepalives: 25 s of WireGuard, 20 s of IPsec
// behind NAT, 10 s of OpenVPN as they are usually set.
constexpr std::uint64_t kTunnelCounts = 60 * base::kSecond;
constexpr std::uint64_t kAnswerCounts = 10 * base::kSecond;
constexpr std::uint64_t kYouthCounts = base::kSecond / 4;
constexpr base::TimeNs kLongBehind = 60 * base::kSecond;

void put_in_order(std::vector<const EndedFlow*>& flows) {
    std::sort(flows.begin(), flows.end(), [](const EndedFlow* left, const EndedFlow* right) {
        return before(*left, *right);
    });
}

}  // namespace

Shard::Deadline Shard::deadline_of(const FlowState& state) const noexcept {
    const flow::FlowRecord& record = state.record;
    Deadline next{base::saturating_add(record.touched, options_.idle_timeout),
                  flow::EndReason::idle};
    if (record.tcp.closed) {
        const base::TimeNs when = base::saturating_add(record.closed, options_.tcp_linger);
        if (when < next.when) {
            next = {when, record.tcp.reset ? flow::EndReason::rst : flow::EndReason::fin};
        }
    }
    const bool empty = state.sums.packets[0] + state.sums.packets[1] == 0;
    if (!empty) {
        const base::TimeNs when = base::saturating_add(record.begun, options_.active_timeout);
        if (when < next.when) {
            next = {when, flow::EndReason::active};
        }
    }
    return next;
}

// When the wheel should come by: for the open head, for the flow's leader, or for the flow.
base::TimeNs Shard::wake_of(const FlowState& state) const noexcept {
    const base::TimeNs end = deadline_of(state).when;
    if (state.has_head()) {
        const base::TimeNs due = std::min(end, heads_.deadline(state.head));
        return options_.early ? std::min(due, head_facts_[state.head].look) : due;
    }
    if (state.link_turn == FlowState::kLinkWaits) {
        return std::min(end, evidence_.link_due(state.evidence));
    }
    return state.link_turn == FlowState::kNoLink ? end : INT64_MIN;
}

// Ends or cuts the flow if its time is up at `clock`; true when it is gone.
bool Shard::expire(std::uint32_t slot, base::TimeNs clock) noexcept {
    for (;;) {
        const Deadline next = deadline_of(table_[slot].value);
        if (clock <= next.when) {
            return false;
        }
        if (next.reason != flow::EndReason::active) {
            end_flow(slot, next.reason, next.when);
            return true;
        }
        // The cut empties the segment, so the next deadline is another one: the loop ends.
        cut_segment(slot, next.when);
    }
}

void Shard::turn_wheel() noexcept {
    if (started_) {
        turn_ = std::max(turn_ + 1, FlowState::kFirstTurn);
        wheel_.advance(
            clock_,
            table_.links(),
            [this](std::uint32_t slot) { table_.prefetch(slot); },
            [this](std::uint32_t slot) { fetch_due(slot); },
            [this](std::uint32_t slot) { on_due(slot); });
    }
}

void Shard::on_due(std::uint32_t slot) noexcept {
    if (expire(slot, clock_)) {
        return;
    }
    FlowState& state = table_[slot].value;
    state.wheel_checked = true;
    if (state.has_head() && clock_ > heads_.deadline(state.head)) {
        close_head(slot, heads_.deadline(state.head));
    } else if (state.has_head() && look_is_due(state, clock_)) {
        look_into_head(slot);
    }
    // In this turn heads may be still open whose verdicts count; in the next none is.
    if (state.link_turn == FlowState::kLinkWaits &&
        flow::TimerWheel::tick_of(evidence_.link_due(state.evidence)) <
            flow::TimerWheel::tick_of(clock_)) {
        state.link_turn = turn_;
    } else if (state.link_turn >= FlowState::kFirstTurn && state.link_turn != turn_) {
        find_leader(table_[slot].key, state, evidence_.link_due(state.evidence));
    }
    wheel_.schedule(slot, wake_of(state), table_.links());
}

void Shard::append_ended(std::uint32_t slot,
                         flow::EndReason reason,
                         base::TimeNs when,
                         Keep keep) noexcept {
    Table::Slot& found = table_[slot];
    const flow::FlowRecord& record = found.value.record;
    const bool copied = keep == Keep::copy;
    ended_.waiting.push_back({when,
                              options_.rows
                                  ? flow::make_flow_id(found.key, record.parent, record.named)
                                  : flow::FlowId(),
                              copied ? copies_.copy(found) : &found,
                              reason,
                              copied});
    ++counters_.flows;
    ++counters_.ended[static_cast<std::size_t>(reason)];
}

// The active timeout: a row for what was, and the flow goes on with its verdict as its next
// segment.
void Shard::cut_segment(std::uint32_t slot, base::TimeNs when) noexcept {
    FlowState& state = table_[slot].value;
    if (state.has_head()) {
        close_head(slot, when);
    }
    append_ended(slot, flow::EndReason::active, when, Keep::copy);
    state.evidence = state.evidence == EvidenceStore::kNone ? EvidenceStore::kNone
                                                            : evidence_.copy(state.evidence);
    if (state.evidence == EvidenceStore::kNone) {
        state.link_turn = FlowState::kNoLink;
    }
    state.hello = state.hello == HelloStore::kNone ? HelloStore::kNone : hellos_.copy(state.hello);
    state.record.encaps = copy_encaps(state.record.encaps);
    state.saved_head = state.saved_head == HeadStore::kNone ? HeadStore::kNone
                                                            : saved_heads_.copy(state.saved_head);
    if (state.features != FlowState::kNoFeatures) {
        state.features = features_.open_next(state.features);
        counters_.features_refused += state.features == FlowState::kNoFeatures ? 1 : 0;
    }
    state.sums = {};
    state.record.tcp.flags = {};
    ++state.record.segment;
}

void Shard::end_flow(std::uint32_t slot, flow::EndReason reason, base::TimeNs when) noexcept {
    FlowState& state = table_[slot].value;
    wheel_.remove(slot, table_.links());
    if (state.has_head()) {
        close_head(slot, when);
    }
    if (state.sums.packets[0] + state.sums.packets[1] > 0) {
        // After the input's end no flow comes that could take the slot.
        append_ended(slot, reason, when, finished_ ? Keep::slot : Keep::copy);
    } else {
        // A segment that no packet came for is no flow.
        release_verdict(state);
    }
    table_.erase(slot);
    if (table_.crowded()) [[unlikely]] {
        place_anew();
    }
}

// How much would be lost with a flow: nothing with a TCP connection that has ended; more with one
// that is too young to have been answered, or that was, which those of a flood are not; most with
// one that is told to be a tunnel, for its next packets alone would not say it again. Each counts
// only for a time, so that what is silent makes room for what is new.
Shard::Worth Shard::worth_of(const FlowState& state) const noexcept {
    if (state.record.tcp.closed) {
        return Worth::ended;
    }
    // The clock never goes back, so the difference is exact whatever the times are.
    const std::uint64_t idle =
        static_cast<std::uint64_t>(clock_) - static_cast<std::uint64_t>(state.record.touched);
    // Where the head is not done there is no verdict, and the line that says so need not be here.
    if (idle < kTunnelCounts && state.head_done && state.evidence != EvidenceStore::kNone) {
        const EvidenceStore::Saved& saved = evidence_[state.evidence];
        const bool told =
            saved.tier == fingerprint::Tier::confirmed || saved.tier == fingerprint::Tier::probable;
        if (told && saved.matcher != fingerprint::kNoMatcher &&
            fingerprint::info_of(saved.matcher, options_.user.get()).protocol_class !=
                fingerprint::ProtocolClass::app) {
            return Worth::tunnel;
        }
    }
    if (state.sums.packets[0] > 0 && state.sums.packets[1] > 0) {
        return idle < kAnswerCounts ? Worth::answered : Worth::usual;
    }
    return idle < kYouthCounts ? Worth::young : Worth::usual;
}

// The table is full: a hand goes round over its slots, and of the next few the flow of the least
// worth leaves, of these the one idle longest. The wheel does not say which that is: it is told of
// a flow's packets only when it comes by. In a flood of new flows a few slots are enough; more are
// looked at where the first ones would all be missed.
void Shard::evict() noexcept {
    const auto rank = [this](std::uint32_t slot) {
        const FlowState& state = table_[slot].value;
        return std::pair(worth_of(state), state.record.touched);
    };
    const auto behind = [this](std::uint32_t slot) {
        return slot + 1U < table_.capacity() ? slot + 1U : 0U;
    };
    std::uint32_t chosen = eviction_hand_;
    auto least = rank(chosen);
    for (std::size_t seen = 1; seen < kMostCandidates; ++seen) {
        if (seen >= kEvictionCandidates && least.first <= Worth::usual) {
            break;
        }
        eviction_hand_ = behind(eviction_hand_);
        if (const auto found = rank(eviction_hand_); found < least) {
            chosen = eviction_hand_;
            least = found;
        }
    }
    std::uint32_t next = eviction_hand_;
    for (std::size_t ahead = 1; ahead < kEvictionCandidates; ++ahead) {
        next = behind(next);
        table_.prefetch_hot(next);
    }
    ++counters_.evicted;
    end_flow(chosen, flow::EndReason::evicted, clock_);
}

void Shard::end_all(flow::EndReason reason, base::TimeNs when) noexcept {
    ended_.waiting.reserve(ended_.waiting.size() + table_.size());
    table_.for_each([&](std::uint32_t slot) {
        if (!expire(slot, clock_)) {
            end_flow(slot, reason, when);
        }
    });
}

void Shard::finish() noexcept {
    if (!finished_) {
        finished_ = true;
        end_all(flow::EndReason::eof, INT64_MAX);
    }
}

void Shard::count_behind(base::TimeNs time) noexcept {
    behind_ = base::saturating_add(time, kLongBehind) < clock_ ? behind_ + 1 : 0;
}

void Shard::restart_clock() noexcept {
    end_all(flow::EndReason::forced, clock_);
    all_ready_ = true;
    started_ = false;
    behind_ = 0;
}

std::span<const EndedFlow* const> Shard::ended() noexcept {
    // Flows that close before the hand's tick have all been seen; later ones may still get company.
    safe_ = flow::TimerWheel::tick_of(clock_) << flow::TimerWheel::kTickBits;
    ended_.ready.reserve(ended_.waiting.size());
    for (const EndedFlow& flow : ended_.waiting) {
        if (is_ready(flow)) {
            FlowState& state = flow.slot->value;
            if (state.link_turn != FlowState::kNoLink) {
                const base::TimeNs due = evidence_.link_due(state.evidence);
                find_leader(flow.key(), state, std::min(due, flow.closed));
            }
            ended_.ready.push_back(&flow);
        }
    }
    if (options_.rows) {
        put_in_order(ended_.ready);
    }
    return ended_.ready;
}

std::span<const EndedFlow* const> Shard::early() noexcept {
    for (const EndedFlow& flow : early_.waiting) {
        if (is_ready(flow)) {
            early_.ready.push_back(&flow);
        }
    }
    put_in_order(early_.ready);
    return early_.ready;
}

// What a flow, or a segment of one, holds in the stores.
void Shard::release_verdict(const FlowState& state) noexcept {
    if (state.evidence != EvidenceStore::kNone) {
        evidence_.release(state.evidence);
    }
    if (state.hello != HelloStore::kNone) {
        hellos_.release(state.hello);
    }
    if (state.saved_head != HeadStore::kNone) {
        saved_heads_.release(state.saved_head);
    }
    if (state.record.encaps != UINT32_MAX) {
        encaps_.release(state.record.encaps);
    }
    if (state.features != FlowState::kNoFeatures) {
        features_.release(state.features);
    }
}

void Shard::release_ended() noexcept {
    release_ready(ended_);
    release_ready(early_);
    all_ready_ = false;
}

void Shard::release_ready(Waiting& list) noexcept {
    for (const EndedFlow* flow : list.ready) {
        release_verdict(flow->state());
        if (flow->copied) {
            copies_.release(flow->slot);
        }
    }
    list.ready.clear();
    std::erase_if(list.waiting, [this](const EndedFlow& flow) { return is_ready(flow); });
}

}  // namespace flowclass::engine
