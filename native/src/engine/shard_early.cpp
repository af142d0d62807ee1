// Early verdicts: what the head clock says of flows that go on. Every row of them depends on the
// packets alone: its sums are those of the last payload that the head took, and its time is the
// packet time at which the verdict stood, whenever the wheel came by.
#include <algorithm>

#include "engine/shard.hpp"

namespace flowclass::engine {

// The head took a payload: what an early verdict will say of the flow is as of now.
void Shard::note_facts(std::uint32_t slot) noexcept {
    const FlowState& state = table_[slot].value;
    HeadFacts& facts = head_facts_[state.head];
    facts.sums = state.sums;
    facts.record = state.record;
}

// What an open head says by now, for it may wait much longer than others (head_time()).
void Shard::look_into_head(std::uint32_t slot) noexcept {
    const std::uint32_t number = table_[slot].value.head;
    const base::TimeNs when = head_facts_[number].look;
    match_head(heads_.seal(number));
    const std::uint32_t verdict =
        evidence_.save(match_, heads_.time_first(number), when, EvidenceStore::Keep::all);
    const std::uint32_t hello = match_.has_hello ? hellos_.save(match_.hello) : HelloStore::kNone;
    append_early(slot, {verdict, hello}, when, batch::HeadState::open);
    head_facts_[number].look = INT64_MAX;
}

// The verdict on a head that is about to be given back.
void Shard::append_closed(std::uint32_t slot, base::TimeNs stood) noexcept {
    const FlowState& state = table_[slot].value;
    // A capture may end before the head would have been closed.
    const base::TimeNs when = finished_ ? std::min(stood, clock_) : stood;
    if (head_facts_[state.head].look < when) {
        look_into_head(slot);
    }
    const Findings found{
        state.evidence == EvidenceStore::kNone ? EvidenceStore::kNone
                                               : evidence_.copy(state.evidence),
        state.hello == HelloStore::kNone ? HelloStore::kNone : hellos_.copy(state.hello)};
    append_early(slot, found, when, batch::HeadState::closed);
}

void Shard::append_early(std::uint32_t slot,
                         Findings findings,
                         base::TimeNs when,
                         batch::HeadState head_state) noexcept {
    const Table::Slot& found = table_[slot];
    const HeadFacts& facts = head_facts_[found.value.head];
    Table::Slot* const copy = copies_.copy(found);
    FlowState& state = copy->value;
    state.sums = facts.sums;
    state.record = facts.record;
    state.record.encaps = copy_encaps(facts.record.encaps);
    state.evidence = findings.verdict;
    state.hello = findings.hello;
    state.saved_head = HeadStore::kNone;
    state.features = FlowState::kNoFeatures;
    state.link_turn = FlowState::kNoLink;
    early_.waiting.push_back(
        {.closed = when,
         .id = flow::make_flow_id(copy->key, state.record.parent, state.record.named),
         .slot = copy,
         .reason = {},
         .copied = true,
         .head_state = head_state});
}

std::uint32_t Shard::copy_encaps(std::uint32_t index) noexcept {
    if (index == UINT32_MAX) {
        return UINT32_MAX;
    }
    const std::uint32_t copied = encaps_.acquire();
    if (copied != UINT32_MAX) {
        encaps_[copied] = encaps_[index];
    }
    return copied;
}

}  // namespace flowclass::engine
