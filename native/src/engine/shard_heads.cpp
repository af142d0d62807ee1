// The head clock of a shard: complete heads are matched, what they say is stored, and flows that
// lead or follow others are put together.
#include <algorithm>
#include <utility>

#include "engine/shard.hpp"

namespace flowclass::engine {

namespace {

constexpr std::size_t kHeadCandidates = 4;
constexpr std::size_t kMostHeads = 16;

}  // namespace

// A head for a flow whose first payload this is; false where there is none.
bool Shard::open_head(std::uint32_t slot,
                      const packet::FlowLayer& layer,
                      const FrameFacts& frame) noexcept {
    if (heads_.full() && heads_.capacity() > 0) {
        cut_a_head(frame.clock);
    }
    FlowState& state = table_[slot].value;
    const flow::FlowRecord& record = state.record;
    const std::uint32_t opened =
        heads_.open(layer, frame.time, {record.next_seq, record.tcp.syn}, slot);
    if (opened == head::HeadPool::kNone) {
        state.head_done = true;
        ++counters_.heads_refused;
        return false;
    }
    state.head = opened & FlowState::kNoHead;
    const head::HeadTime time =
        head::head_time(layer.payload, layer.datagram_length, layer.ip_proto);
    heads_.set_deadline(opened, base::saturating_add(frame.clock, time.most));
    if (time.less_once_answered) {
        heads_.wait_for_answer(opened);
    }
    if (options_.early) {
        head_facts_[opened].look = time.most > head::kHeadTime
                                       ? base::saturating_add(frame.clock, head::kHeadTime)
                                       : INT64_MAX;
    }
    if (state.wheel_checked) {
        wheel_.remove(slot, table_.links());
        wheel_.schedule(slot, wake_of(state), table_.links());
    }
    return true;
}

// The pool is empty, as in a flood of new flows: a head is matched with what it has. A flood's
// flows are not answered, so of the next few such heads in the pool's order the oldest goes; where
// there are none, the oldest of those looked at.
void Shard::cut_a_head(base::TimeNs when) noexcept {
    const auto rank = [this](std::uint32_t index) {
        return std::pair(heads_.answered(index), heads_.time_first(index));
    };
    const auto behind = [this](std::uint32_t index) {
        return index + 1U < heads_.capacity() ? index + 1U : 0U;
    };
    std::uint32_t chosen = head::HeadPool::kNone;
    std::size_t unanswered = 0;
    for (std::size_t seen = 0; seen < kMostHeads && unanswered < kHeadCandidates; ++seen) {
        head_hand_ = behind(head_hand_);
        unanswered += heads_.answered(head_hand_) ? 0 : 1;
        if (chosen == head::HeadPool::kNone || rank(head_hand_) < rank(chosen)) {
            chosen = head_hand_;
        }
    }
    std::uint32_t next = head_hand_;
    for (std::size_t ahead = 0; ahead < kHeadCandidates; ++ahead) {
        next = behind(next);
        heads_.prefetch_age(next);
    }
    ++counters_.heads_cut;
    close_head(heads_.owner(chosen), when);
}

// The head clock: all heads that this burst completed, in bulk.
void Shard::on_heads() noexcept {
    for (std::size_t index = 0; index < complete_count_; ++index) {
        const FlowState& state = table_[complete_[index]].value;
        // The slot may have changed hands since: a head that is still filling is another flow's.
        if (state.has_head() && state.head_done) {
            close_head(complete_[index], heads_.deadline(state.head));
        }
    }
    complete_count_ = 0;
}

// The other side has answered: there is less to wait for.
void Shard::close_sooner(std::uint32_t slot, base::TimeNs when) noexcept {
    const FlowState& state = table_[slot].value;
    if (when >= heads_.deadline(state.head)) {
        return;
    }
    heads_.set_deadline(state.head, when);
    if (state.wheel_checked) {
        wheel_.remove(slot, table_.links());
        wheel_.schedule(slot, wake_of(state), table_.links());
    }
}

void Shard::match_head(head::FlowHead& head) noexcept {
    fingerprint::match(head, match_);
    if (options_.user) {
        options_.user->match(head, match_, user_faults_);
    }
}

void Shard::close_head(std::uint32_t slot, base::TimeNs when) noexcept {
    FlowState& state = table_[slot].value;
    head::FlowHead& head = heads_.seal(state.head);
    match_head(head);
    if (options_.heads) {
        state.saved_head = saved_heads_.save(head);
        counters_.heads_unsaved += state.saved_head == HeadStore::kNone ? 1U : 0U;
    }
    const base::TimeNs stood = std::min(heads_.deadline(state.head), when);
    state.evidence = evidence_.save(match_, heads_.time_first(state.head), stood, keep_);
    if (state.evidence == EvidenceStore::kNone && match_.matcher != fingerprint::kNoMatcher) {
        ++counters_.evidence_refused;
    }
    if (match_.has_hello && keep_ == EvidenceStore::Keep::all) {
        state.hello = hellos_.save(match_.hello);
    }
    if (state.features != FlowState::kNoFeatures) {
        features_.add_head(state.features, head.kept);
    }
    if (options_.early) {
        append_closed(slot, stood);
    }
    heads_.close(state.head);
    state.head = FlowState::kNoHead;
    state.head_done = true;
    if (state.evidence != EvidenceStore::kNone) {
        note_link(slot);
    }
}

// A verdict that may lead others is remembered; one that may follow another waits for it.
void Shard::note_link(std::uint32_t slot) noexcept {
    Table::Slot& found = table_[slot];
    FlowState& state = found.value;
    Link link = evidence_.link(state.evidence);
    if (link.leads == fingerprint::LinkKind::none && !link.may_follow()) {
        return;
    }
    const flow::FlowRecord& record = state.record;
    link.own = flow::make_flow_id(found.key, record.parent, record.named);
    evidence_.set_own_name(state.evidence, link.own);
    if (link.leads != fingerprint::LinkKind::none) {
        links_.add_leader(links_.pair_of(found.key), link, evidence_[state.evidence].stood);
    }
    if (link.may_follow()) {
        state.link_turn = FlowState::kLinkWaits;
    }
}

void Shard::find_leader(const flow::FlowKey& key, FlowState& state, base::TimeNs due) noexcept {
    state.link_turn = FlowState::kNoLink;
    Link link = evidence_.link(state.evidence);
    links_.find_leader(links_.pair_of(key), link, due);
    if (!link.leader.none()) {
        evidence_.take_link(state.evidence, link);
    }
}

}  // namespace flowclass::engine
