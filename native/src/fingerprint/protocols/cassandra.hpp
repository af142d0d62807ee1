// The native protocol of Cassandra, versions 3 to 5 (native_protocol_v4.spec, v5.spec), TCP.
//
//  0 version: 03, 04, 05 asks; 83, 84, 85 answers | 1 flags, at most 1F | 2 stream 2 | 4 code, at
//  most 10 | 5 length of the body 4 startup (01): a map with CQL_VERSION | options (05): empty |
//  supported (06): lists with CQL_VERSION
//
// Sources: apache/cassandra doc/native_protocol_v3.spec, v4.spec, v5.spec §2, §4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::cassandra {

inline constexpr Rule kHeader{
    "cassandra.header",
    "a version, flags, a code and a length that fits the segment; native_protocol §2"};
inline constexpr Rule kStartup{
    "cassandra.cql_version",
    "the body of a startup or a list of options names CQL_VERSION; native_protocol §4.1.1"};
inline constexpr Rule kEcho{
    "cassandra.stream_echo",
    "the answer has the version and the stream of the request; native_protocol §2.3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9042};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kStartup, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "cassandra",
        .protocol_class = ProtocolClass::app,
        .title = "Cassandra Query Language",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "apache/cassandra doc/native_protocol_v3.spec, v4.spec, v5.spec §2, §4"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({0x03, 0x04, 0x05, 0x83, 0x84, 0x85}),
        .least_length = 9};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Header, 2> seen;
        for (const StreamSide& side : both_sides(head)) {
            Header& header = seen[index_of(side.direction())];
            header = read(side);
            if (!header.ok) {
                if (side.size() >= 9) {
                    return {};
                }
                continue;
            }
            // Version 6, flags 3, code 4; two high octets of the length 12 and its end 6.
            side.add(evidence, kHeader, 0, 2, 9);
            side.add(evidence, kHeader, 4, 1, 4);
            if (side.is_end(9 + header.length)) {
                side.add(evidence, kHeader, 5, 4, 18);
            }
            add_version(evidence, side);
            evidence.set_initiator(header.version < 0x80 ? side.direction()
                                                         : opposite(side.direction()));
        }
        if (!seen[0].ok || !seen[1].ok) {
            return evidence;
        }
        if ((seen[0].version ^ seen[1].version) < 0x80) {
            return {};  // both ask, or both answer
        }
        if (seen[0].stream == seen[1].stream) {
            const Direction answer =
                seen[0].version >= 0x80 ? Direction::forward : Direction::reverse;
            add_at(evidence, kEcho, head, {answer, 0, 0}, 2, 2, seen[0].stream < 16 ? 8 : 14);
        }
        return evidence;
    }

  private:
    struct Header {
        std::uint8_t version = 0;
        std::uint16_t stream = 0;
        std::size_t length = 0;
        bool ok = false;
    };

    static Header read(const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        Header header;
        header.version = reader.u8();
        const std::uint8_t flags = reader.u8();
        header.stream = reader.be16();
        const std::uint8_t code = reader.u8();
        header.length = reader.be32();
        const std::uint8_t version = header.version & 0x7fU;
        const bool empty = code == 0x05 || code == 0x02;
        header.ok = reader.ok() && version >= 3 && version <= 5 && flags <= 0x1f && code <= 0x10 &&
                    header.length <= (1U << 28U) && (!empty || header.length == 0 || flags != 0);
        return header;
    }

    static void add_version(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::string_view kWord = "CQL_VERSION";
        const std::uint8_t code = side.at(4).u8();
        const std::size_t place =
            code == 0x01 || code == 0x06 ? find_text(side.stream(), kWord, 9) : side.size();
        if (place < side.size()) {
            // Anywhere in the body: 6 fewer.
            side.add(evidence, kStartup, place, kWord.size(), 54);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::cassandra
