// The fingerprints alone, for callers with a flow table of their own. Takes: a flow's first
// payloads. Gives: the verdict with its checks. The head is filled by the same code as the
// engine's.
#include <algorithm>
#include <memory>

#include "capi/border.hpp"
#include "capi/handles.hpp"
#include "head/head_policy.hpp"

namespace {

using namespace flowclass;
using capi::text_of;

bool is_permitted(const flowclass_payload& payload) noexcept {
    return payload.wire_length > 0 && payload.captured <= payload.wire_length &&
           (payload.octets != nullptr || payload.captured == 0) &&
           payload.direction <= FLOWCLASS_REVERSE;
}

// The payloads that count; fewer or as many as were given.
std::span<const flowclass_payload> payloads_of(const flowclass_head& head) noexcept {
    return {head.payloads, std::min<std::size_t>(head.payload_count, head::kMaxPayloadPackets)};
}

packet::FlowLayer layer_of(const flowclass_head& head, const flowclass_payload& payload) noexcept {
    packet::FlowLayer layer;
    layer.ip_proto = head.ip_proto;
    layer.has_ports = true;
    layer.src_port = head.src_port;
    layer.dst_port = head.dst_port;
    layer.tcp_seq = payload.tcp_sequence;
    layer.payload_length = payload.wire_length;
    layer.datagram_length = payload.wire_length;
    layer.payload = base::Bytes(payload.octets, payload.captured);
    return layer;
}

// The head in the pool, or kNone when there is no payload.
std::uint32_t fill(head::HeadPool& pool, const flowclass_head& given) noexcept {
    head::StreamStart start;
    for (std::size_t side = 0; side < start.known.size(); ++side) {
        start.known[side] = std::span(given.syn_seen)[side] != 0;
        start.next_seq[side] = std::span(given.tcp_start)[side];
    }
    std::uint32_t index = head::HeadPool::kNone;
    std::uint32_t number = 0;
    for (const flowclass_payload& payload : payloads_of(given)) {
        const packet::FlowLayer layer = layer_of(given, payload);
        if (index == head::HeadPool::kNone) {
            index = pool.open(layer, payload.time, start);
        }
        const auto direction = payload.direction == FLOWCLASS_FORWARD ? packet::Direction::forward
                                                                      : packet::Direction::reverse;
        if (pool.add(index, layer, direction, payload.time, ++number)) {
            break;
        }
    }
    return index;
}

std::int32_t initiator_of(const fingerprint::Evidence& evidence) noexcept {
    switch (evidence.initiator()) {
        case fingerprint::Initiator::forward:
            return FLOWCLASS_FORWARD;
        case fingerprint::Initiator::reverse:
            return FLOWCLASS_REVERSE;
        default:
            return -1;
    }
}

void describe_evidence(const fingerprint::Match& found, flowclass_match& out) noexcept {
    const fingerprint::MatcherInfo& info = *fingerprint::matchers()[found.matcher].info;
    const fingerprint::Evidence& evidence = found.evidence;
    out.tier = static_cast<std::int32_t>(found.tier);
    out.protocol_class = static_cast<std::int32_t>(info.protocol_class);
    out.initiator = initiator_of(evidence);
    out.protocol = text_of(info.protocol);
    out.variant = text_of(evidence.variant());
    out.bits = evidence.bits();
    const std::span room(out.checks);
    for (const fingerprint::Check& check :
         evidence.checks().first(std::min(evidence.checks().size(), room.size()))) {
        room[out.check_count++] = {text_of(check.rule->id),
                                   text_of(check.rule->meaning),
                                   check.time,
                                   check.packet,
                                   check.offset,
                                   check.length,
                                   check.bits,
                                   static_cast<std::uint8_t>(check.direction)};
    }
}

void describe(const fingerprint::Match& found, flowclass_match& out) noexcept {
    if (found.matcher != fingerprint::kNoMatcher) {
        describe_evidence(found, out);
    }
    const std::span room(out.alternatives);
    for (const fingerprint::Alternative& other :
         std::span(found.alternatives).first(std::min(found.alternative_count, room.size()))) {
        room[out.alternative_count++] = {
            text_of(fingerprint::matchers()[other.matcher].info->protocol), other.bits};
    }
    if (found.has_hello) {
        capi::copy_text(out.server_name, found.hello.server_name());
        capi::copy_text(out.alpn, found.hello.alpn());
        capi::copy_text(out.ja4, found.hello.ja4());
    }
}

static_assert(FLOWCLASS_MAX_CHECKS == fingerprint::Evidence::kMaxChecks);
static_assert(FLOWCLASS_MAX_ALTERNATIVES == fingerprint::kMaxAlternatives);
static_assert(sizeof(flowclass_match::server_name) > hello::kMaxServerName);
static_assert(sizeof(flowclass_match::alpn) > hello::kMaxAlpn);
static_assert(sizeof(flowclass_match::ja4) > hello::kJa4Length);

}  // namespace

flowclass_status flowclass_matcher_open(flowclass_matcher** out, flowclass_error* error) {
    if (out == nullptr) {
        return capi::fail(error, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
    }
    *out = nullptr;
    return capi::guarded_open(error, [out, error] {
        auto made = std::make_unique<flowclass_matcher>();
        // The pool's memory is not asked for by new: a head is opened to see that it is there.
        const std::uint32_t index = made->pool.open({}, 0, {});
        if (index == head::HeadPool::kNone) {
            return capi::fail(error, FLOWCLASS_OUT_OF_MEMORY, "There is not enough memory.");
        }
        made->pool.close(index);
        *out = made.release();
        return flowclass_status{FLOWCLASS_OK};
    });
}

void flowclass_matcher_close(flowclass_matcher* matcher) {
    const std::unique_ptr<flowclass_matcher> owner(matcher);
}

flowclass_status flowclass_match_head(flowclass_matcher* matcher,
                                      const flowclass_head* head,
                                      flowclass_match* out) {
    flowclass_head given{};
    if (matcher == nullptr || !capi::has_size(out)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    if (const flowclass_status status = capi::read_struct(head, given); status != FLOWCLASS_OK) {
        return status;
    }
    if (given.payloads == nullptr && given.payload_count > 0) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    const auto payloads = payloads_of(given);
    if (!std::all_of(payloads.begin(), payloads.end(), is_permitted)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    flowclass_match result{};
    result.initiator = -1;
    const std::uint32_t index = fill(matcher->pool, given);
    if (index != head::HeadPool::kNone) {
        fingerprint::match(matcher->pool.seal(index), matcher->found);
        describe(matcher->found, result);
        matcher->pool.close(index);
    }
    capi::write_struct(result, out);
    return FLOWCLASS_OK;
}
