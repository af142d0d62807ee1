// memcached over UDP: a frame header before the text or binary protocol.
//
// 0 request id 2 | 2 sequence number 2 | 4 datagrams in this message 2 | 6 reserved, zero 2 | 8 a
// command or an answer
//
// Sources: memcached doc/protocol.txt.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::memcached_udp {

inline constexpr Rule kFrame{"memcached.udp_frame",
                             "a sequence number below the count of datagrams, reserved zeros; "
                             "memcached protocol.txt, UDP protocol"};
inline constexpr Rule kWord{"memcached.udp_word",
                            "a command or an answer of the text protocol; memcached protocol.txt"};
inline constexpr Rule kEcho{
    "memcached.udp_request_echo",
    "the answer has the id of the request; memcached protocol.txt, UDP protocol"};
inline constexpr Rule kPort{"memcached.memcached_udp_port", "UDP port 11211 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{11211};
inline constexpr std::array<const Rule*, 4> kRules{&kFrame, &kWord, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "memcached",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "memcached over UDP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "memcached doc/protocol.txt"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .least_length = 13,
        // The first letters of its words.
        .octets = {{{8, ByteSet::of({'a', 'c', 'd', 'f', 'g', 'i', 'm', 'p', 'q', 'r', 's',
                                     't', 'v', 'C', 'D', 'E', 'N', 'O', 'S', 'T', 'V'})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::array<std::string_view, 22> kCommands{
            "get ",    "gets ",    "gat ",        "set ",      "add ",       "replace ",
            "append ", "prepend ", "cas ",        "delete ",   "incr ",      "decr ",
            "touch ",  "stats",    "version\r\n", "flush_all", "verbosity ", "mg ",
            "ms ",     "md ",      "mn\r\n",      "quit\r\n"};
        constexpr std::array<std::string_view, 14> kAnswers{"VALUE ",
                                                            "STAT ",
                                                            "END\r\n",
                                                            "STORED\r\n",
                                                            "NOT_STORED\r\n",
                                                            "EXISTS\r\n",
                                                            "NOT_FOUND\r\n",
                                                            "DELETED\r\n",
                                                            "TOUCHED\r\n",
                                                            "OK\r\n",
                                                            "ERROR\r\n",
                                                            "CLIENT_ERROR ",
                                                            "SERVER_ERROR ",
                                                            "VERSION "};
        const bool on_port = head.has_port(kPorts[0]);
        LastSaid<std::uint16_t> ids;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t id = reader.be16();
                const std::uint16_t number = reader.be16();
                const std::uint16_t total = reader.be16();
                const std::uint16_t reserved = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (reserved != 0 || number >= total || total > kMostDatagrams) {
                    return Reading::contradicts;
                }
                const std::string_view asked = word_at(payload.bytes, kCommands, 8);
                const std::string_view word =
                    asked.empty() ? word_at(payload.bytes, kAnswers, 8) : asked;
                const bool goes_on = number > 0 && !first;
                if (word.empty() && !goes_on) {
                    return Reading::contradicts;
                }
                // A small sequence number and count 10, the zeros 8.
                evidence.add(kFrame, head, payload.entry, 2, 6, first ? 18 : 2);
                if (first) {
                    // One of three dozen words.
                    evidence.add(kWord,
                                 head,
                                 payload.entry,
                                 8,
                                 word.size(),
                                 std::max(8.0, word_bits(word) - (on_port ? 2 : 5)));
                }
                if (ids.answers(payload, id)) {
                    evidence.add(kEcho, head, payload.entry, 0, 2, 16);
                }
                ids.say(payload, id);
                evidence.set_initiator(asked.empty() ? opposite(payload.direction)
                                                     : payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint16_t kMostDatagrams = 1024;  // a value of a MiB
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::memcached_udp
