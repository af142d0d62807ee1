// MongoDB's wire protocol (mongodb.com, reference: MongoDB wire protocol), TCP, all little-endian.
//
//  0 length 4, with itself | 4 request 4 | 8 answered request 4, 0 in requests | 12 code 4: 1
//  reply, 2001..2007, 2010..2013 | 16 ... query (2004): flags 4 | collection, text, 00 | skip 4 |
//  return 4 | document message (2013): flags 4 | section 0 | document: length 4 ... 00
//
// Sources: mongodb.com, reference: MongoDB wire protocol; bsonspec.org.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::mongodb {

inline constexpr Rule kHeader{
    "mongodb.header", "a length and one of ten codes; wire protocol §Standard message header"};
inline constexpr Rule kLength{
    "mongodb.length",
    "the length leads to the end of a segment; wire protocol §Standard message header"};
inline constexpr Rule kBody{"mongodb.body",
                            "a collection of text, or a section 0 with a document within its "
                            "message; wire protocol §OP_QUERY, §OP_MSG"};
inline constexpr Rule kEcho{
    "mongodb.answers",
    "the answer names the number of the request; wire protocol §Standard message header"};

inline constexpr std::array<std::uint16_t, 1> kPorts{27017};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kLength, &kBody, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "mongodb",
        .protocol_class = ProtocolClass::app,
        .title = "MongoDB",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "mongodb.com, reference: MongoDB wire protocol; bsonspec.org"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .least_length = 16, .octets = {{{15, ByteSet::of({0})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Header, 2> seen;
        for (const StreamSide& side : both_sides(head)) {
            Header& header = seen[index_of(side.direction())];
            header = read(side);
            if (!header.ok) {
                if (side.size() >= 16 && side.from_start()) {
                    return {};
                }
                continue;
            }
            // Codes of 11 values: 28 of 32; two zeros among them. A plain 1 is half as much.
            side.add(evidence, kHeader, 12, 4, header.code == 1 ? 14 : 24);
            if (side.is_end(header.length)) {
                side.add(evidence, kLength, 0, 4, 16);
            }
            add_body(evidence, side, header);
            evidence.set_initiator(header.answers == 0 ? side.direction()
                                                       : opposite(side.direction()));
        }
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Header& answer = seen[index_of(direction)];
            const Header& request = seen[index_of(opposite(direction))];
            if (answer.ok && request.ok && answer.answers != 0 &&
                answer.answers == request.number) {
                add_at(
                    evidence, kEcho, head, {direction, 0, 0}, 8, 4, request.number < 256 ? 10 : 24);
            }
        }
        return evidence;
    }

  private:
    struct Header {
        std::uint32_t length = 0;
        std::uint32_t number = 0;
        std::uint32_t answers = 0;
        std::uint32_t code = 0;
        bool ok = false;
    };

    static Header read(const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        Header header;
        // Most flows end here.
        header.code = side.at(12).le32();
        if (header.code == 0 || header.code > 2013) {
            return header;
        }
        header.length = reader.le32();
        header.number = reader.le32();
        header.answers = reader.le32();
        const bool known = header.code == 1 || (header.code >= 2001 && header.code <= 2007) ||
                           (header.code >= 2010 && header.code <= 2013);
        // A reply's code is a plain 1: it answers something, and ends with a segment or is long.
        const bool plain =
            header.code != 1 ||
            (header.answers != 0 &&
             (side.is_end(header.length) || (header.length > 1400 && header.length < (1U << 24U))));
        header.ok =
            reader.ok() && known && plain && header.length >= 26 && header.length <= 48000000;
        return header;
    }

    static void add_body(Evidence& evidence,
                         const StreamSide& side,
                         const Header& header) noexcept {
        ByteReader reader = side.at(16);
        const std::uint32_t flags = reader.le32();
        if (header.code == 2013) {
            const std::uint8_t section = reader.u8();
            const std::uint32_t document = reader.le32();
            const std::size_t checksum = (flags & 1U) != 0 ? 4 : 0;
            if (reader.ok() && (flags & 0xfffcU) == 0 && section == 0 && document >= 5 &&
                21 + document + checksum <= header.length) {
                // Bits that must be zero 7, a section 4, a length of its message 18.
                side.add(evidence, kBody, 16, 2, 7);
                side.add(evidence, kBody, 20, 5, 20);
            }
        } else if (header.code == 2004) {
            const Bytes name = reader.rest();
            std::size_t length = 0;
            while (length < name.size() && length < 128 && is_printable(name[length])) {
                ++length;
            }
            if (length >= 3 && length < name.size() && name[length] == 0 && flags < 256) {
                side.add(evidence, kBody, 17, 3, 10);
                side.add(evidence,
                         kBody,
                         20,
                         length + 1,
                         6 + 1.4 * static_cast<double>(length < 10 ? length : 10));
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mongodb
