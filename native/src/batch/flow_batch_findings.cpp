// What is found out about a flow, row by row into its columns: verdict, registry and policy,
// origin.
#include "batch/flow_batch.hpp"

namespace flowclass::batch {

namespace {

void add_if_some(TextColumn& column, std::string_view value) {
    if (value.empty()) {
        column.add_null();
    } else {
        column.add(value);
    }
}

// A batch has one version of each.
void add_version(DictionaryColumn<std::int32_t>& column, bool there) {
    if (there) {
        column.add(0);
    } else {
        column.add_null();
    }
}

}  // namespace

void FlowBatchBuilder::append_verdict(const FlowRow& row, const Orientation& way) {
    const bool known =
        row.matcher != fingerprint::kNoMatcher && row.tier != fingerprint::Tier::none;
    const std::uint16_t matcher = known ? row.matcher : fingerprint::kNoMatcher;
    protocol_.add(protocol_index(matcher, user_.get()));
    const auto protocol_class = known ? fingerprint::info_of(matcher, user_.get()).protocol_class
                                      : fingerprint::ProtocolClass::unknown;
    protocol_class_.add(static_cast<std::size_t>(protocol_class));
    add_if_some(variant_, known ? row.variant : std::string_view());
    tier_.add(static_cast<std::size_t>(known ? row.tier : fingerprint::Tier::none));
    evidence_bits_.add(known ? row.bits : 0);
    evidence_.add(known ? row.checks.size() : 0);
    if (known) {
        append_checks(row.checks, way);
    }
    alternatives_.add(row.alternatives.size());
    for (const fingerprint::Alternative& other : row.alternatives) {
        alternative_protocol_.add(fingerprint::info_of(other.matcher, user_.get()).protocol);
        alternative_bits_.add(other.bits);
    }
    add_id(linked_flow_id_, row.linked);
    // The name of a host leads to its address.
    add_if_some(server_name_, anonymizer_ ? std::string_view() : row.server_name);
    add_if_some(alpn_, row.alpn);
    add_if_some(ja4_, row.ja4);
}

void FlowBatchBuilder::append_checks(std::span<const fingerprint::Check> checks,
                                     const Orientation& way) {
    const auto rules = evidence_rule_.extend(checks.size());
    const auto packets = evidence_packet_.extend(checks.size());
    const auto times = evidence_time_.extend(checks.size());
    const auto offsets = evidence_offset_.extend(checks.size());
    const auto lengths = evidence_length_.extend(checks.size());
    const auto directions = evidence_direction_.extend(checks.size());
    const auto bits = evidence_check_bits_.extend(checks.size());
    for (std::size_t index = 0; index < checks.size(); ++index) {
        const fingerprint::Check& check = checks[index];
        const bool forward = check.direction == packet::Direction::forward;
        rules[index] = static_cast<std::int16_t>(rule_index(check.rule, user_.get()));
        packets[index] = check.packet;
        times[index] = check.time;
        offsets[index] = check.offset;
        lengths[index] = check.length;
        directions[index] = forward == way.initiator_forward ? 0 : 1;  // as in kDirectionNames
        bits[index] = check.bits;
    }
}

void FlowBatchBuilder::append_registry(const FlowRow& row) {
    const registry::FlowMatch* match = row.registry_match;
    const bool decided = match != nullptr && match->entry != registry::kNoEntry && judges_.registry;
    if (match == nullptr) {
        registry_match_.add_null();
    } else {
        registry_match_.add(static_cast<std::size_t>(match->match));
    }
    if (decided) {
        registration_id_.add(judges_.registry->registration_id(match->entry));
    } else {
        registration_id_.add_null();
    }
    if (decided && !anonymizer_) {
        matched_prefix_.add(judges_.registry->matched_prefix(match->entry));
    } else {
        matched_prefix_.add_null();
    }
    if (match == nullptr || match->end == registry::MatchedEnd::none) {
        matched_end_.add_null();
    } else {
        matched_end_.add(static_cast<std::size_t>(match->end));
    }
    add_version(registry_version_, match != nullptr && !judges_.registry_version.empty());
    add_version(policy_version_, row.judgement != nullptr && !judges_.policy_version.empty());
    if (row.judgement == nullptr) {
        policy_outcome_.add_null();
        policy_phase_.add_null();
        policy_reason_.add_null();
        return;
    }
    policy_outcome_.add(static_cast<std::size_t>(row.judgement->outcome));
    if (row.judgement->phase == policy::kNoPhase) {
        policy_phase_.add_null();
    } else {
        policy_phase_.add(row.judgement->phase);
    }
    policy_reason_.add(static_cast<std::size_t>(row.judgement->reason));
}

void FlowBatchBuilder::append_origin(const FlowRow& row) {
    source_file_.add(row.record->source);
    packet_first_.add(row.record->packet_first);
    packet_last_.add(row.record->packet_last);
}

}  // namespace flowclass::batch
