// Fuzz target of heads and fingerprints. The input describes the payloads of one flow; they go
// through the head pool as the engine would send them, and the sealed head through every matcher.
//
//   flags(1: bit 0, 1 = SYN seen forward, reverse)  ip_proto(1)  src_port(2)  dst_port(2)
//   then payloads: direction(1: bit 0)  gap(2, x 1 ms)  sequence step(2, signed, from where the
//   direction stands)  octets not captured(2)  captured count(2)  octets
//
// Aborts when the head breaks its promises (head/flow_head.hpp), when a check lies outside its
// payload or has no bits, when tier and bits disagree (fingerprint/contract.hpp), or when another
// verdict comes of asking every matcher's prefilter by itself (fingerprint/candidates.hpp asks all
// of them at once). seeds.py writes the fingerprint vectors in this form.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/byte_reader.hpp"
#include "fingerprint/match.hpp"
#include "head/head_block.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::base::TimeNs;
using flowclass::head::Direction;
using flowclass::head::FlowHead;
using flowclass::head::HeadPool;
using flowclass::packet::FlowLayer;
namespace fingerprint = flowclass::fingerprint;
namespace head = flowclass::head;

namespace {

constexpr TimeNs kMillisecond = 1'000'000;
constexpr std::size_t kMostPayloads = 100;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

// What was sent, by payload number from 1.
struct Sent {
    Direction direction = Direction::forward;
    std::uint32_t length = 0;
    TimeNs time = 0;
};

struct Conversation {
    HeadPool pool{2};
    std::uint32_t index = HeadPool::kNone;
    std::vector<Sent> sent;
};

FlowLayer read_flow(ByteReader& reader, head::StreamStart& start) {
    const std::uint8_t flags = reader.u8();
    start.known = {(flags & 1U) != 0, (flags & 2U) != 0};
    FlowLayer layer;
    layer.ip_proto = reader.u8();
    layer.has_ports = true;
    layer.src_port = reader.be16();
    layer.dst_port = reader.be16();
    return layer;
}

void feed(ByteReader& reader, Conversation& talk) {
    head::StreamStart start;
    FlowLayer layer = read_flow(reader, start);
    TimeNs now = 1'700'000'000 * flowclass::base::kSecond;
    std::array<std::uint32_t, 2> sequence{};
    while (reader.remaining() >= 9 && talk.sent.size() < kMostPayloads) {
        const auto direction = static_cast<Direction>(reader.u8() & 1U);
        now += reader.be16() * kMillisecond;
        std::uint32_t& next = sequence[head::index_of(direction)];
        next += static_cast<std::uint32_t>(static_cast<std::int16_t>(reader.be16()));
        const std::uint32_t missing = reader.be16();
        const std::size_t wanted = reader.be16();
        const std::size_t count = std::min(wanted, reader.remaining());
        const Bytes octets = reader.bytes(count);
        const std::vector<std::uint8_t> own(octets.begin(), octets.end());  // over-reads show
        layer.payload = own;
        layer.payload_length = layer.datagram_length =
            static_cast<std::uint32_t>(own.size()) + missing;
        layer.truncated = missing > 0;
        layer.tcp_seq = next;
        next += layer.payload_length;
        if (layer.payload_length == 0) {
            continue;
        }
        if (talk.index == HeadPool::kNone) {
            talk.index = talk.pool.open(layer, now, start);
            require(talk.index != HeadPool::kNone);
        }
        talk.sent.push_back({direction, layer.payload_length, now});
        const auto number = static_cast<std::uint32_t>(talk.sent.size());
        if (talk.pool.add(talk.index, layer, direction, now, number)) {
            break;
        }
    }
}

void check_head(const FlowHead& seen, const std::vector<Sent>& sent) {
    require(seen.entry_count <= head::kMaxEntries);
    require(seen.direction_count[0] + seen.direction_count[1] == seen.entry_count);
    for (std::size_t entry = 0; entry < seen.entry_count; ++entry) {
        const head::HeadEntry& found = seen.entries[entry];
        require(found.packet >= 1 && found.packet <= sent.size());
        const Sent& origin = sent[found.packet - 1];
        require(found.direction == origin.direction && found.time == origin.time);
        require(std::uint64_t{found.payload_offset} + found.length <= origin.length);
        require(seen.payload(entry).bytes.size() <= found.length);
    }
    for (const Bytes kept : seen.kept) {
        require(kept.size() <= head::kLargeBytes);
    }
}

// A fingerprint may show checks of another one behind its own: a tunnel in DNS is DNS too.
bool is_declared(const fingerprint::Rule* rule) {
    return std::any_of(fingerprint::matchers().begin(),
                       fingerprint::matchers().end(),
                       [rule](const fingerprint::MatcherEntry& entry) {
                           const auto& rules = entry.info->rules;
                           return std::find(rules.begin(), rules.end(), rule) != rules.end();
                       });
}

void check_match(const fingerprint::Match& found, const std::vector<Sent>& sent, bool stream) {
    require(found.tier == fingerprint::Tier::none || found.matcher != fingerprint::kNoMatcher);
    require(found.alternative_count <= fingerprint::kMaxAlternatives);
    for (std::size_t index = 0; index < found.alternative_count; ++index) {
        const fingerprint::Alternative& other = found.alternatives[index];
        require(other.matcher < fingerprint::matchers().size());
        require(std::isfinite(other.bits) && other.bits >= 16);
        require(index == 0 || other.bits <= found.alternatives[index - 1].bits);
    }
    if (found.matcher == fingerprint::kNoMatcher) {
        return;
    }
    require(found.matcher < fingerprint::matchers().size());
    const fingerprint::Evidence& evidence = found.evidence;
    require(found.tier != fingerprint::Tier::none);
    require(found.tier == fingerprint::tier_of(evidence));
    require(std::isfinite(evidence.bits()) && evidence.bits() > 0 && !evidence.checks().empty());
    for (const fingerprint::Check& check : evidence.checks()) {
        require(is_declared(check.rule));
        require(std::isfinite(check.bits) && check.bits > 0 && check.bits <= evidence.bits());
        require(check.packet >= 1 && check.packet <= sent.size());
        const Sent& origin = sent[check.packet - 1];
        require(check.direction == origin.direction && check.time == origin.time);
        // A check of a stream is named by where it begins and may run on into later segments.
        const std::size_t end = std::size_t{check.offset} + (stream ? 0 : check.length);
        require(end <= origin.length);
    }
}

bool same_hello(const fingerprint::Match& left, const fingerprint::Match& right) {
    return left.has_hello == right.has_hello &&
           (!left.has_hello ||
            (left.hello.server_name() == right.hello.server_name() &&
             left.hello.alpn() == right.hello.alpn() && left.hello.ja4() == right.hello.ja4()));
}

bool same_verdict(const fingerprint::Match& left, const fingerprint::Match& right) {
    return left.matcher == right.matcher && left.tier == right.tier &&
           left.alternative_count == right.alternative_count &&
           (left.matcher == fingerprint::kNoMatcher ||
            (left.evidence.bits() == right.evidence.bits() &&
             left.evidence.variant() == right.evidence.variant() &&
             left.evidence.initiator() == right.evidence.initiator() &&
             left.evidence.checks().size() == right.evidence.checks().size()));
}

// The plain way: every matcher whose prefilter lets the head pass is tried, in their order.
void match_plainly(const FlowHead& seen, fingerprint::Match& out) {
    const auto all = fingerprint::matchers();
    for (std::size_t number = 0; number < all.size(); ++number) {
        if (fingerprint::passes(*all[number].prefilter, seen)) {
            const fingerprint::Evidence evidence = all[number].match(seen);
            if (!evidence.empty()) {
                fingerprint::consider(out, static_cast<std::uint16_t>(number), evidence);
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    Conversation talk;
    feed(reader, talk);
    if (talk.index == HeadPool::kNone) {
        return 0;
    }
    FlowHead& seen = talk.pool.seal(talk.index);
    check_head(seen, talk.sent);
    fingerprint::Match once;
    fingerprint::match(seen, once);
    check_match(once, talk.sent, seen.ip_proto == 6);
    // The same head again, into a result that holds a verdict already.
    fingerprint::Match again;
    fingerprint::match(seen, again);
    fingerprint::match(seen, again);
    require(same_hello(once, again) && same_verdict(once, again));
    fingerprint::Match plain;
    match_plainly(seen, plain);
    require(same_verdict(once, plain));
    talk.pool.close(talk.index);
    require(talk.pool.used() == 0);
    return 0;
}
