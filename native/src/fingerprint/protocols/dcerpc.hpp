// DCE/RPC, connection-oriented (C706 chapter 12, MS-RPCE), TCP.
//
//  0 version 5 | 1 minor 0 or 1 | 2 kind: 0 request, 2 answer, 3 fault, 11 bind, 12 bind ack, 13
//  nak, 14 alter, 15 its answer, 16 auth, 17 shutdown | 3 flags | 4 data form 4: 10 or 00, 00..03,
//  0000 | 8 length 2 | 10 of authentication 2 | 12 call 4
//
// Sources: C706 (DCE 1.1: RPC) §12.6; MS-RPCE §2.2.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::dcerpc {

inline constexpr Rule kHeader{"dcerpc.header",
                              "version 5, a kind and a data form in use; C706 §12.6.3.1"};
inline constexpr Rule kLength{
    "dcerpc.length",
    "the length leads to the end of a segment, or the next header; C706 §12.6.3.1"};
inline constexpr Rule kCall{
    "dcerpc.call", "the answer is of the kind of the request, and has its number; C706 §12.6.3.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{135};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kCall};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dcerpc",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "DCE/RPC over TCP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "C706 (DCE 1.1: RPC) §12.6; MS-RPCE §2.2.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x05}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Header, 2> seen;
        for (const StreamSide& side : both_sides(head)) {
            Header& header = seen[index_of(side.direction())];
            header = read(side);
            if (!header.ok) {
                if (side.size() >= 16) {
                    return {};
                }
                continue;
            }
            // Version 8, minor 6, kind 4; the form 6 and zeros 10.
            side.add(evidence, kHeader, 0, 3, 18);
            side.add(evidence, kHeader, 4, 4, 16);
            if (side.is_end(header.length) || side.at(header.length).be16() == 0x0500) {
                side.add(evidence, kLength, 8, 2, 8);
            }
            const bool asks =
                header.kind == 0 || header.kind == 11 || header.kind == 14 || header.kind == 16;
            evidence.set_initiator(asks ? side.direction() : opposite(side.direction()));
        }
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Header& asked = seen[index_of(direction)];
            const Header& said = seen[index_of(opposite(direction))];
            const bool kinds = (asked.kind == 0 && (said.kind == 2 || said.kind == 3)) ||
                               (asked.kind == 11 && (said.kind == 12 || said.kind == 13)) ||
                               (asked.kind == 14 && said.kind == 15);
            if (asked.ok && said.ok && kinds && asked.call == said.call) {
                add_at(evidence,
                       kCall,
                       head,
                       {opposite(direction), 0, 0},
                       12,
                       4,
                       asked.call < 256 ? 10 : 20);
            }
        }
        return evidence;
    }

  private:
    struct Header {
        std::uint8_t kind = 0;
        std::uint16_t length = 0;
        std::uint32_t call = 0;
        bool ok = false;
    };

    static Header read(const StreamSide& side) noexcept {
        Header header;
        ByteReader reader = side.at(0);
        const std::uint8_t version = reader.u8();
        const std::uint8_t minor = reader.u8();
        header.kind = reader.u8();
        reader.skip(1);
        const std::uint8_t form = reader.u8();
        const std::uint8_t reals = reader.u8();
        const std::uint16_t zero = reader.be16();
        const bool little = form == 0x10;
        header.length = little ? reader.le16() : reader.be16();
        const std::uint16_t verifier = little ? reader.le16() : reader.be16();
        header.call = little ? reader.le32() : reader.be32();
        const bool kind = header.kind == 0 || header.kind == 2 || header.kind == 3 ||
                          (header.kind >= 11 && header.kind <= 19);
        header.ok = reader.ok() && version == 5 && minor <= 1 && kind &&
                    (form == 0x10 || form == 0x00) && reals <= 3 && zero == 0 &&
                    header.length >= 16 && verifier < header.length;
        return header;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dcerpc
