// Kafka's protocol (kafka.apache.org/protocol), TCP.
//
//  request: 0 length 4 | 4 API 2: 0..80 | 6 version 2: 0..20 | 8 correlation 4 | 12 client id:
//  length 2,
//           text (FFFF: none)
//  answer:  0 length 4 | 4 the correlation of the request
//
// Sources: kafka.apache.org, protocol guide: Protocol Primitive Types, Common Request and Response
// Structure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::kafka {

inline constexpr Rule kRequest{
    "kafka.request", "a length, an API and a version in use; protocol guide, request header"};
inline constexpr Rule kClient{
    "kafka.client_id",
    "a client id of printable octets fills its length; protocol guide, request header"};
inline constexpr Rule kLength{"kafka.length",
                              "the length leads to the end of a segment; protocol guide"};
inline constexpr Rule kEcho{
    "kafka.correlation",
    "the answer carries the number of the request; protocol guide, response header"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9092};
inline constexpr std::array<const Rule*, 4> kRules{&kRequest, &kClient, &kLength, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "kafka",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Apache Kafka",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources =
                                          "kafka.apache.org, protocol guide: Protocol Primitive "
                                          "Types, Common Request and Response Structure"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x00}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            if (add_request(evidence, side)) {
                add_echo(evidence, side, StreamSide{head, opposite(side.direction())});
                return evidence;
            }
        }
        return {};
    }

  private:
    static bool add_request(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint32_t length = reader.be32();
        const std::uint16_t api = reader.be16();
        const std::uint16_t version = reader.be16();
        reader.skip(4);
        const std::uint16_t size = reader.be16();
        const Bytes client = size == 0xffff ? Bytes{} : reader.bytes(size);
        if (!reader.ok() || length < 10 || length > (1U << 24U) || api > 80 || version > 20 ||
            (size != 0xffff && (size == 0 || size > 128 || !all_printable(client))) ||
            (size != 0xffff && size + std::uint32_t{10} > length)) {
            return false;
        }
        // API and version: 9 and 11 bits, small numbers: 12.
        side.add(evidence, kRequest, 4, 4, 12);
        // Half of a length 8, printable octets 1.4 each, of ten at most.
        const std::size_t known = client.size() < 10 ? client.size() : 10;
        if (!client.empty()) {
            side.add(
                evidence, kClient, 12, 2 + client.size(), 8 + 1.4 * static_cast<double>(known));
        }
        if (side.is_end(4 + std::size_t{length})) {
            side.add(evidence, kLength, 0, 4, 14);
        }
        evidence.set_initiator(side.direction());
        return true;
    }

    static void add_echo(Evidence& evidence,
                         const StreamSide& side,
                         const StreamSide& answer) noexcept {
        const std::uint32_t asked = side.at(8).be32();
        ByteReader reader = answer.at(0);
        const std::uint32_t length = reader.be32();
        const std::uint32_t said = reader.be32();
        if (reader.ok() && length >= 4 && length < (1U << 24U) && said == asked) {
            // Numbers count up from 0 or 1.
            answer.add(evidence, kEcho, 4, 4, asked < 256 ? 10 : 24);
            if (answer.is_end(4 + std::size_t{length})) {
                answer.add(evidence, kLength, 0, 4, 14);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::kafka
