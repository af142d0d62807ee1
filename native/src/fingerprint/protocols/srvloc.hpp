// SLP versions 1 and 2.
//
// 2: version 2 | function 1..11 | length of the whole 3 | flags 2, the lower 13 bits zero |
// extension 3 | id 2 | language length 2 | language 1: version 1 | function 1..10 | length of the
// whole 2 | flags, dialect | language 2 | encoding 2 | id 2
//
// Sources: RFC 2608, RFC 2165.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::srvloc {

inline constexpr Rule kHeader{"srvloc.header",
                              "a known version and function; RFC 2608 §8, RFC 2165 §4.1"};
inline constexpr Rule kLength{"srvloc.length",
                              "the length of the datagram; RFC 2608 §8, RFC 2165 §4.1"};
inline constexpr Rule kFlags{"srvloc.flags", "flags that are not defined are zero; RFC 2608 §8"};
inline constexpr Rule kLanguage{"srvloc.language",
                                "a language of letters with its length; RFC 2608 §8, RFC 1766"};
inline constexpr Rule kEcho{"srvloc.id_echo", "the answer has the id of the request; RFC 2608 §8"};
inline constexpr Rule kPort{"srvloc.port", "UDP port 427 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{427};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kLength, &kFlags, &kLanguage, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "srvloc",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Service Location Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2608, RFC 2165"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({1, 2}),
                                         .least_length = 16,
                                         .octets = {{{1, ByteSet::range(1, 11)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint16_t> ids;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t version = reader.u8();
                const std::uint8_t function = reader.u8();
                const bool two = version == 2;
                const std::uint32_t length = two ? reader.be24() : reader.be16();
                const std::uint16_t flags = two ? reader.be16() : reader.u8();
                reader.skip(two ? 3 : 1);
                const std::uint16_t id = two ? reader.be16() : at(payload.bytes, 10).be16();
                const std::size_t language_at = two ? 12 : 6;
                const std::size_t language = two ? reader.be16() : 2;
                if (!reader.ok() || payload.bytes.size() < 16) {
                    return ran_out(payload);
                }
                const Bytes letters = at(payload.bytes, two ? 14 : 6).bytes(2);
                const bool worded =
                    letters.size() == 2 &&
                    std::all_of(letters.begin(), letters.end(), [](std::uint8_t octet) {
                        return octet >= 'a' && octet <= 'z';
                    });
                const unsigned unset = flags & (two ? 0x1fffU : 0x07U);
                if ((!two && version != 1) || function == 0 || function > 11 ||
                    length != payload.length || unset != 0 || !worded || language < 2 ||
                    language > 8) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 2, 11);
                    evidence.add(kLength, head, payload.entry, 2, two ? 3 : 2, two ? 18 : 14);
                    evidence.add(
                        kFlags, head, payload.entry, two ? 5 : 4, two ? 2 : 1, two ? 8 : 2);
                    evidence.add(
                        kLanguage, head, payload.entry, language_at, two ? 4 : 2, two ? 16 : 6);
                }
                const bool answer = function == 2 || function == 5 || function == 7 ||
                                    function == 8 || function == 10 || function == 11;
                if (answer && ids.answers(payload, id)) {
                    evidence.add(kEcho, head, payload.entry, 10, 2, 14);
                }
                if (!answer) {
                    ids.say(payload, id);
                }
                evidence.set_initiator(answer && function != 8 && function != 11
                                           ? opposite(payload.direction)
                                           : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::srvloc
