// SOCKS 4, 4A and 5 over TCP: the client names a destination, then the stream belongs to it. The
// messages' form stands in socks_message.hpp.
//
// The sides take turns, so messages end where segments end. Mid-flow, the greeting outside the
// capture, a stream begins with a request or a reply. When both sides are there, both must fit.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/carried.hpp"
#include "fingerprint/socks_message.hpp"

namespace flowclass::fingerprint::socks {

inline constexpr Rule kGreeting{"socks.greeting",
                                "version 5 and as many registered methods as said, no two alike; "
                                "RFC 1928 §3"};
inline constexpr Rule kMethod{"socks.method",
                              "version 5 and a method that was offered, or none; RFC 1928 §3"};
inline constexpr Rule kMethodAlone{"socks.method_alone",
                                   "version 5 and a method, the offer not seen; RFC 1928 §3"};
inline constexpr Rule kPassword{"socks.password",
                                "version 1, a name and a password as long as said; RFC 1929 §2"};
inline constexpr Rule kStatus{"socks.password_status",
                              "version 1 and a status, in answer to a password; RFC 1929 §2"};
inline constexpr Rule kRequest{"socks.request",
                               "version 5, command 1 to 3, zero, an address type; RFC 1928 §4"};
inline constexpr Rule kReply{"socks.reply",
                             "version 5, reply 0 to 8, zero, an address type; RFC 1928 §6"};
inline constexpr Rule kName{"socks.name",
                            "a host name, as long as said or up to a zero; RFC 1928 §5, SOCKS 4A"};
inline constexpr Rule kEnd{"socks.end", "a message ends where a segment ends; RFC 1928 §3, §4"};
inline constexpr Rule kRequest4{"socks.request4", "version 4, command 1 or 2; SOCKS 4"};
inline constexpr Rule kUser{"socks.user", "the request ends in a zero behind text; SOCKS 4"};
inline constexpr Rule kNoAddress{"socks.no_address",
                                 "the address 0.0.0.x stands for a name; SOCKS 4A"};
inline constexpr Rule kReply4{"socks.reply4", "zero and a reply from 90 to 93; SOCKS 4"};
inline constexpr Rule kCarried{"socks.carried",
                               "behind the messages begins TLS, SSH or HTTP; RFC 8446 §5.1, RFC "
                               "4253 §4.2, RFC 9112"};
inline constexpr Rule kPort{"socks.port", "port 1080 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1080};
inline constexpr std::array<std::string_view, 3> kVariants{"socks4", "socks4a", "socks5"};
inline constexpr std::array<const Rule*, 15> kRules{&kGreeting,
                                                    &kMethod,
                                                    &kMethodAlone,
                                                    &kPassword,
                                                    &kStatus,
                                                    &kRequest,
                                                    &kReply,
                                                    &kName,
                                                    &kEnd,
                                                    &kRequest4,
                                                    &kUser,
                                                    &kNoAddress,
                                                    &kReply4,
                                                    &kCarried,
                                                    &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "socks",
                                      .protocol_class = ProtocolClass::proxy,
                                      .title = "SOCKS",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 1928, RFC 1929, SOCKS 4 and 4A"};
    // 0: the answer of version 4 alone.
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0, 4, 5}), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const Direction client : {Direction::forward, Direction::reverse}) {
            const Bytes asked = head.stream(client);
            const Bytes answered = head.stream(opposite(client));
            if (begins(asked, kVersion5) && begins(answered, kVersion5)) {
                evidence = judge5(head, client);
            } else if (begins(asked, kVersion4) && begins(answered, 0)) {
                evidence = judge4(head, client);
            }
            if (!evidence.empty()) {
                evidence.set_initiator(client);
                break;
            }
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    // Or says nothing at all.
    static bool begins(Bytes stream, std::uint8_t octet) noexcept {
        return stream.empty() || stream[0] == octet;
    }

    static Evidence judge5(const FlowHead& head, Direction client) noexcept {
        const Bytes asked = head.stream(client);
        const Bytes answered = head.stream(opposite(client));
        const Side question = read_side5(asked, false);
        const Side answer = read_side5(answered, true);
        if ((!question.fits && !asked.empty()) || (!answer.fits && !answered.empty()) ||
            !is_answered(asked, question, answered, answer)) {
            return {};
        }
        Evidence evidence;
        if (question.fits) {
            add_greeting(evidence, head, client, question);
            add_messages(evidence, head, client, question);
        }
        if (answer.fits) {
            add_method(evidence, head, opposite(client), question.greeting.length != 0, answer);
            add_messages(evidence, head, opposite(client), answer);
        }
        add_tunnel(evidence, head, client, question, answer);
        evidence.set_variant("socks5");
        return evidence;
    }

    // The method is one of those offered, or none.
    static bool is_answered(Bytes asked,
                            const Side& question,
                            Bytes answered,
                            const Side& answer) noexcept {
        if (question.greeting.length == 0 || answer.greeting.length == 0) {
            return true;
        }
        const Bytes offered = asked.first(question.greeting.length).subspan(2);
        const std::uint8_t method = answered[1];
        return method == kNoMethod ||
               std::find(offered.begin(), offered.end(), method) != offered.end();
    }

    static void add_greeting(Evidence& evidence,
                             const FlowHead& head,
                             Direction client,
                             const Side& side) noexcept {
        if (side.greeting.length == 0) {
            return;
        }
        // Version 6 of 8; a count up to nine 4; methods are small numbers: 3 each, three at most.
        const std::size_t counted = std::min<std::size_t>(side.greeting.length - 2, 3);
        const double bits = 10 + 3.0 * static_cast<double>(counted);
        add_at(evidence, kGreeting, head, {client, 0, 0}, 0, side.greeting.length, bits);
        add_end(evidence, head, client, side.greeting.end(), 5);
    }

    static void add_method(Evidence& evidence,
                           const FlowHead& head,
                           Direction server,
                           bool offered,
                           const Side& side) noexcept {
        if (side.greeting.length == 0) {
            return;
        }
        // Version 6; one of those offered, or 0xff: 6; a small number only: 3.
        add_at(evidence,
               offered ? kMethod : kMethodAlone,
               head,
               {server, 0, 0},
               0,
               2,
               offered ? 12 : 9);
        add_end(evidence, head, server, side.greeting.end(), 4);
    }

    // What both sides have: the password or its status, the request or its reply.
    static void add_messages(Evidence& evidence,
                             const FlowHead& head,
                             Direction direction,
                             const Side& side) noexcept {
        if (side.password.length != 0) {
            // Version 6, and a length that is not zero 2; the status may be anything.
            add_at(evidence,
                   side.server ? kStatus : kPassword,
                   head,
                   {direction, 0, side.password.offset},
                   0,
                   side.server ? 1 : 2,
                   side.server ? 6 : 8);
            add_end(evidence, head, direction, side.password.end(), 6);
        }
        if (side.request.length == 0) {
            return;
        }
        // Version 6; a command of three 6, or a reply of nine 4; zero 4; an address type 6.
        add_at(evidence,
               side.server ? kReply : kRequest,
               head,
               {direction, 0, side.request.offset},
               0,
               4,
               side.server ? 20 : 22);
        add_name(evidence, head, direction, side);
        add_end(evidence, head, direction, side.request.end(), 6);
    }

    static void add_name(Evidence& evidence,
                         const FlowHead& head,
                         Direction direction,
                         const Side& side) noexcept {
        if (side.name.length != 0) {
            // A quarter of all octets may stand there: one bit of two each, twelve at most.
            const std::size_t counted = std::min<std::size_t>(side.name.length, 12);
            add_at(evidence,
                   kName,
                   head,
                   {direction, 0, side.name.offset},
                   0,
                   side.name.length,
                   static_cast<double>(counted));
        }
    }

    static void add_end(Evidence& evidence,
                        const FlowHead& head,
                        Direction direction,
                        std::size_t end,
                        double bits) noexcept {
        if (is_segment_end(head, direction, end)) {
            add_at(evidence, kEnd, head, {direction, 0, end - 1}, 0, 0, bits);
        }
    }

    static void add_tunnel(Evidence& evidence,
                           const FlowHead& head,
                           Direction client,
                           const Side& question,
                           const Side& answer) noexcept {
        std::array<std::size_t, 2> tunnel{};
        tunnel[index_of(client)] = question.carried();
        tunnel[index_of(opposite(client))] = answer.carried();
        add_carried(evidence, kCarried, head, tunnel);
    }

    static Evidence judge4(const FlowHead& head, Direction client) noexcept {
        const Direction server = opposite(client);
        const Side question = read_client4(head.stream(client));
        const Side answer = read_server4(head.stream(server));
        if ((!question.fits && !head.stream(client).empty()) ||
            (!answer.fits && !head.stream(server).empty())) {
            return {};
        }
        Evidence evidence;
        if (question.fits) {
            add_request4(evidence, head, client, question);
        }
        if (answer.fits) {
            // Zero 2, four replies 6; port and address may be anything.
            add_at(evidence, kReply4, head, {server, 0, 0}, 0, 2, 8);
            add_end(evidence, head, server, answer.request.end(), 6);
        }
        add_tunnel(evidence,
                   head,
                   client,
                   question.fits ? question : Side{},
                   answer.fits ? answer : Side{});
        evidence.set_variant(question.no_address ? "socks4a" : "socks4");
        return evidence;
    }

    static void add_request4(Evidence& evidence,
                             const FlowHead& head,
                             Direction client,
                             const Side& side) noexcept {
        // Version 6, a command of two 6.
        add_at(evidence, kRequest4, head, {client, 0, 0}, 0, 2, 12);
        if (side.no_address) {
            // Three zeros at 3 each.
            add_at(evidence, kNoAddress, head, {client, 0, 4}, 0, 3, 9);
            add_name(evidence, head, client, side);
        }
        // A zero 5.
        add_at(evidence, kUser, head, {client, 0, side.request.end() - 1}, 0, 1, 5);
        add_end(evidence, head, client, side.request.end(), 6);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::socks
