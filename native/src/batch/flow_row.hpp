// One finished flow as the batch takes it: views of what the rooms to the left know, put side by
// side.
#pragma once

#include <span>
#include <string_view>

#include "feature/accumulators.hpp"
#include "feature/few_packets.hpp"
#include "feature/flow_features.hpp"
#include "fingerprint/match.hpp"
#include "flow/flow_record.hpp"
#include "packet/decoded_packet.hpp"
#include "policy/policy.hpp"
#include "registry/registry.hpp"

namespace flowclass::batch {

// Of an early verdict: whether the head is closed that it rests on, or waits for more and another
// verdict follows.
enum class HeadState : std::uint8_t { closed, open, count_ };
const char* to_string(HeadState state) noexcept;

struct FlowRow {
    flow::FlowId id;
    const flow::FlowKey* key = nullptr;
    const flow::FlowRecord* record = nullptr;
    const feature::Accumulators* sums = nullptr;
    flow::EndReason end_reason{};
    std::span<const packet::Encap> encaps;

    // The verdict; matcher kNoMatcher = unknown.
    std::uint16_t matcher = fingerprint::kNoMatcher;
    fingerprint::Tier tier = fingerprint::Tier::none;
    fingerprint::Initiator initiator = fingerprint::Initiator::not_known;
    float bits = 0;
    std::string_view variant;
    std::span<const fingerprint::Check> checks;
    std::span<const fingerprint::Alternative> alternatives;
    flow::FlowId linked;  // the flow that set this one up; none

    // What the client said; empty: null.
    std::string_view server_name, alpn, ja4;

    const head::FlowHead* head = nullptr;  // where it was saved
    // Where feature columns are wanted: one of them.
    const feature::FewPackets* few_packets = nullptr;
    const feature::FlowFeatures* features = nullptr;

    // Set where a registry, and a policy, was given.
    const registry::FlowMatch* registry_match = nullptr;
    const policy::Judgement* judgement = nullptr;

    // Of an early verdict: when it stood, on what.
    base::TimeNs stood = 0;
    HeadState head_state = HeadState::closed;
};

// Who began, and how that is known: TCP's SYN, else the protocol's own roles, else the first
// packet.
struct Orientation {
    bool initiator_forward = true;
    flow::DirectionBasis basis = flow::DirectionBasis::first_packet;
};
inline Orientation orientation_of(const flow::FlowRecord& record,
                                  fingerprint::Initiator initiator) noexcept {
    if (record.from_syn) {
        return {record.initiator_forward, flow::DirectionBasis::syn};
    }
    if (initiator != fingerprint::Initiator::not_known) {
        return {initiator == fingerprint::Initiator::forward, flow::DirectionBasis::handshake};
    }
    return {};
}
inline base::IpAddress initiator_address(const flow::FlowKey& key,
                                         const flow::FlowRecord& record,
                                         Orientation way) noexcept {
    return record.forward_is_a == way.initiator_forward ? key.a() : key.b();
}
inline base::IpAddress responder_address(const flow::FlowKey& key,
                                         const flow::FlowRecord& record,
                                         Orientation way) noexcept {
    return record.forward_is_a == way.initiator_forward ? key.b() : key.a();
}

}  // namespace flowclass::batch
