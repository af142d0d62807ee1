// NetFlow of versions 1, 5, 7 and 9: an exporter's datagrams.
//
// 1, 5, 7: version 2 | count 2 | uptime 4 | seconds 4 | nanoseconds 4 | ... | count records of 52,
// 48 or 52 octets 9: version 2 | count 2 | uptime 4 | seconds 4 | sequence 4 | source 4 | sets: id
// 2 (0, 1 templates, 256 and more data), length 2 8 (aggregation) and 10 (IPFIX, another file) are
// not read here.
//
// Sources: Cisco NetFlow export formats, RFC 3954.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::netflow {

inline constexpr Rule kHeader{"netflow.header",
                              "version 1, 5 or 7 and a count of records that makes the length; "
                              "Cisco NetFlow FlowCollector, export formats"};
inline constexpr Rule kHeader9{"netflow.header_9", "version 9 and a small count; RFC 3954 §5.1"};
inline constexpr Rule kClock{"netflow.clock",
                             "seconds within a week of the capture; RFC 3954 §5.1"};
inline constexpr Rule kSet{"netflow.flow_set",
                           "a template or data set whose length fits; RFC 3954 §5.2, §5.3"};
inline constexpr Rule kTemplate{"netflow.template",
                                "a template id from 256 on with a few fields; RFC 3954 §5.2"};
inline constexpr Rule kSequence{
    "netflow.sequence", "the same source, and a sequence number a little higher; RFC 3954 §5.1"};
inline constexpr Rule kPort{"netflow.port", "UDP port 2055 or 9996 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{2055, 9996};
inline constexpr std::array<std::string_view, 4> kVariants{"v1", "v5", "v7", "v9"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kHeader, &kHeader9, &kClock, &kSet, &kTemplate, &kSequence, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "netflow",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "NetFlow",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "Cisco NetFlow export formats, RFC 3954"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x00}), .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint32_t, 2> sequence{};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t version = reader.be16();
                const std::uint16_t count = reader.be16();
                reader.skip(4);
                const std::uint32_t seconds = reader.be32();
                const std::uint32_t number = reader.be32();
                if (!reader.ok() || payload.bytes.size() < 24) {
                    return ran_out(payload);
                }
                if (version == 9) {
                    if (!is_nine(payload, count)) {
                        return Reading::contradicts;
                    }
                    if (first) {
                        // Version 12 of 16, zeros being common; a count below 1,024 of at most 4
                        // octets each: 6.
                        evidence.add(kHeader9, head, payload.entry, 0, 4, 16);
                        add_set(evidence, head, payload);
                    } else if (number - sequence[index_of(payload.direction)] - 1U < kMostStep) {
                        evidence.add(kSequence, head, payload.entry, 12, 4, 16);
                    }
                    sequence[index_of(payload.direction)] = number;
                } else if (is_fixed(version, count, payload.length)) {
                    if (first) {
                        evidence.add(kHeader, head, payload.entry, 0, 4, 26);
                    }
                } else {
                    return Reading::contradicts;
                }
                if (first && is_within_a_week(seconds, payload.time)) {
                    evidence.add(kClock, head, payload.entry, 8, 2, 11);
                }
                evidence.set_variant(version == 9   ? "v9"
                                     : version == 5 ? "v5"
                                     : version == 7 ? "v7"
                                                    : "v1");
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kMostStep = 1024;

    static constexpr bool is_fixed(std::uint16_t version,
                                   std::uint16_t count,
                                   std::uint32_t length) noexcept {
        constexpr std::uint16_t kMostRecords = 30;
        const std::uint32_t header = version == 1 ? 16 : 24;
        const std::uint32_t record = version == 5 ? 48 : 52;
        return (version == 1 || version == 5 || version == 7) && count > 0 &&
               count <= kMostRecords && length == header + count * record;
    }

    static bool is_nine(const Payload& payload, std::uint16_t count) noexcept {
        ByteReader reader = at(payload.bytes, 20);
        const std::uint16_t id = reader.be16();
        const std::uint16_t length = reader.be16();
        return reader.ok() && count > 0 && count <= payload.length / 4 && (id <= 1 || id >= 256) &&
               length >= 8 && length + std::uint32_t{20} <= payload.length &&
               (length % 4 == 0 || length + std::uint32_t{20} == payload.length);
    }

    static void add_set(Evidence& evidence, const FlowHead& head, const Payload& payload) noexcept {
        ByteReader reader = at(payload.bytes, 20);
        const std::uint16_t id = reader.be16();
        const std::uint16_t length = reader.be16();
        const std::uint16_t template_id = reader.be16();
        const std::uint16_t fields = reader.be16();
        // A length that fits 5, four times over 2; one that ends the datagram 12.
        evidence.add(kSet,
                     head,
                     payload.entry,
                     22,
                     2,
                     length + std::uint32_t{20} == payload.length ? 12 : 6);
        if (id == 0 && template_id >= 256 && fields > 0 && 8U + fields * 4U <= length) {
            // An id of zero 8, a count that fits 6.
            evidence.add(kTemplate, head, payload.entry, 20, 2, 8);
            evidence.add(kTemplate, head, payload.entry, 26, 2, 6);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::netflow
