// TFTP (RFC 1350, options RFC 2347).
//
// 1 read, 2 write: kind 2 | file 0 | mode 0 | option 0 value 0 ...    6 options accepted: kind 2 |
// option 0 value 0 ... 3 data: kind 2 | block 2 | 512 octets, fewer at the end             4
// acknowledgement: kind 2 | block 2 5 error: kind 2 | code 2 | text 0 The answers come from a port
// of their own, so data and acknowledgements are a flow without a request.
//
// Sources: RFC 1350, RFC 2347, RFC 2348, RFC 2349, RFC 7440.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::tftp {

inline constexpr Rule kRequest{"tftp.request",
                               "a file name and a mode, each of text to a zero octet; RFC 1350 §5"};
inline constexpr Rule kMode{"tftp.mode", "the mode is octet, netascii or mail; RFC 1350 §5"};
inline constexpr Rule kOptions{
    "tftp.options",
    "options accepted that have a registered name; RFC 2347, RFC 2348, RFC 2349, RFC 7440"};
inline constexpr Rule kData{"tftp.data", "kind 3 and a block number; RFC 1350 §5"};
inline constexpr Rule kNext{"tftp.next_block",
                            "the next block, of the same length or the last; RFC 1350 §2"};
inline constexpr Rule kAck{"tftp.acknowledgement",
                           "four octets that acknowledge the block of the other side; RFC 1350 §5"};
inline constexpr Rule kError{"tftp.error", "a code up to 8 and text to the end; RFC 1350 §5"};
inline constexpr Rule kPort{"tftp.port", "UDP port 69 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{69};
inline constexpr std::array<const Rule*, 8> kRules{
    &kRequest, &kMode, &kOptions, &kData, &kNext, &kAck, &kError, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "tftp",
        .protocol_class = ProtocolClass::app,
        .title = "Trivial File Transfer Protocol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "RFC 1350, RFC 2347, RFC 2348, RFC 2349, RFC 7440"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x00}),
                                         .least_length = 4,
                                         // The kind.
                                         .octets = {{{1, ByteSet::range(1, 6)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<Block, 2> last{};
        std::array<std::uint32_t, 2> acknowledged{kNone, kNone};
        double runs = 0;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t kind = reader.be16();
                const std::uint16_t number = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                Block& mine = last[index_of(payload.direction)];
                switch (kind) {
                    case 1:
                    case 2:
                        return add_request(evidence, head, payload, first);
                    case 3:
                        return add_data(evidence, head, payload, mine, number, runs);
                    case 4: {
                        if (payload.length != 4) {
                            return Reading::contradicts;
                        }
                        const Block& theirs = last[index_of(opposite(payload.direction))];
                        std::uint32_t& before = acknowledged[index_of(payload.direction)];
                        if (theirs.known && theirs.number == number && before != number &&
                            runs < kMostRuns) {
                            // Kind and length 12, the number 16, of which a count is worth half.
                            evidence.add(kAck, head, payload.entry, 0, 4, runs == 0 ? 20 : 10);
                            runs += runs == 0 ? 20 : 10;
                        }
                        before = number;
                        return theirs.known && theirs.number != number && first ? Reading::cut
                                                                                : Reading::fits;
                    }
                    case 5:
                        return add_error(evidence, head, payload, number, first);
                    case 6:
                        return add_accepted(evidence, head, payload, first);
                    default:
                        return Reading::contradicts;
                }
            });
    }

  private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr double kMostRuns = 40;  // counters alone do not confirm

    struct Block {
        std::uint32_t length = 0;
        std::uint16_t number = 0;
        bool known = false;
    };

    // Text to a zero octet at `offset`: where it ends, 0 when it does not.
    static std::size_t text_end(Bytes bytes, std::size_t offset) noexcept {
        for (std::size_t place = offset; place < bytes.size(); ++place) {
            if (bytes[place] == 0) {
                return place;
            }
            if (bytes[place] < 0x20 || bytes[place] == 0x7f) {
                return 0;
            }
        }
        return 0;
    }

    static bool is_word(Bytes bytes, std::size_t offset, std::string_view word) noexcept {
        const Bytes found = at(bytes, offset).bytes(word.size());
        return found.size() == word.size() &&
               std::equal(word.begin(), word.end(), found.begin(), [](char want, std::uint8_t got) {
                   return (got | 0x20U) == static_cast<std::uint8_t>(want);
               });
    }

    static Reading add_request(Evidence& evidence,
                               const FlowHead& head,
                               const Payload& payload,
                               bool first) noexcept {
        const std::size_t name = text_end(payload.bytes, 2);
        if (name == 0) {
            const Bytes rest = at(payload.bytes, 2).rest();
            return is_text(rest) ? ran_out(payload) : Reading::contradicts;
        }
        constexpr std::array<std::string_view, 3> kModes{"octet", "netascii", "mail"};
        for (const std::string_view mode : kModes) {
            if (is_word(payload.bytes, name + 1, mode) &&
                at(payload.bytes, name + 1 + mode.size()).u8() == 0 &&
                name + 1 + mode.size() < payload.bytes.size()) {
                // Kind 12; a zero octet behind text 6.
                evidence.add(kRequest, head, payload.entry, 0, 2, first ? 12 : 2);
                evidence.add(kMode,
                             head,
                             payload.entry,
                             name,
                             mode.size() + 2,
                             first ? 8.0 + word_bits(mode) : 2.0);
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            }
        }
        return payload.bytes.size() < payload.length && name + 10 > payload.bytes.size()
                   ? Reading::cut
                   : Reading::contradicts;
    }

    static Reading add_data(Evidence& evidence,
                            const FlowHead& head,
                            const Payload& payload,
                            Block& mine,
                            std::uint16_t number,
                            double& runs) noexcept {
        const bool next = mine.known && number == static_cast<std::uint16_t>(mine.number + 1) &&
                          payload.length <= mine.length;
        const bool again = mine.known && number == mine.number && payload.length == mine.length;
        if (mine.known && !next && !again) {
            return Reading::contradicts;
        }
        if (!mine.known) {
            evidence.add(kData, head, payload.entry, 0, 2, 10);
        } else if (next && runs < kMostRuns) {
            evidence.add(kNext, head, payload.entry, 0, 4, runs == 0 ? 18 : 8);
            runs += runs == 0 ? 18 : 8;
        }
        mine = {payload.length, number, true};
        return Reading::fits;
    }

    static Reading add_error(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload,
                             std::uint16_t code,
                             bool first) noexcept {
        const std::size_t end = text_end(payload.bytes, 4);
        if (code > 8 || payload.length < 6 || end + 1 != payload.length) {
            return payload.bytes.size() < payload.length && code <= 8 ? Reading::cut
                                                                      : Reading::contradicts;
        }
        // Kind and code 24, of small numbers 18; text 1.4 an octet.
        if (first) {
            evidence.add(kError,
                         head,
                         payload.entry,
                         0,
                         payload.length,
                         18.0 + 1.4 * static_cast<double>(std::min<std::size_t>(end - 4, 10)));
        }
        return Reading::fits;
    }

    static Reading add_accepted(Evidence& evidence,
                                const FlowHead& head,
                                const Payload& payload,
                                bool first) noexcept {
        constexpr std::array<std::string_view, 6> kNames{
            "blksize", "tsize", "timeout", "windowsize", "rollover", "multicast"};
        for (const std::string_view name : kNames) {
            if (is_word(payload.bytes, 2, name) && text_end(payload.bytes, 2) == 2 + name.size()) {
                if (first) {
                    evidence.add(
                        kOptions, head, payload.entry, 0, name.size() + 3, 12.0 + word_bits(name));
                }
                evidence.set_initiator(opposite(payload.direction));
                return Reading::fits;
            }
        }
        return Reading::contradicts;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tftp
