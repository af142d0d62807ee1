// Point-to-Point Tunneling Protocol, control connection, TCP (usually port 1723).
//
//  0 length be16 | 2 message 1 be16 | 4 cookie 1A2B3C4D | 8 control type be16 | 10 zero 2 | 12 body
//  Lengths by type: 1, 2 start 156; 3, 4 stop 16; 5 echo request 16, 6 reply 20; 7 outgoing call
//  168, 8 reply 32; 9 incoming call 220, 10 reply 24, 11 connected 28; 12 clear 16; 13 disconnect
//  148; 14 error 40; 15 link info 24
//  Start: version 0100 at 12. Echo: identifier be32 at 12. Calls: call id be16 at 12; their replies
//  have the peer's call id at 14.
//
// A capture may begin anywhere: messages are walked from the first octet that is kept.
// Source: RFC 2637 §1.4, §2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::pptp {

inline constexpr Rule kMessage{
    "pptp.message",
    "message type 1, magic cookie, a control type with its own length, two zeros; RFC 2637 §1.4"};
inline constexpr Rule kVersion{"pptp.version", "protocol version 1.0; RFC 2637 §2.1"};
inline constexpr Rule kEcho{"pptp.echo", "the reply has the request's identifier; RFC 2637 §2.6"};
inline constexpr Rule kCall{"pptp.call_id", "the reply has the caller's call id; RFC 2637 §2.8"};
inline constexpr Rule kPort{"pptp.port", "TCP port 1723 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1723};
inline constexpr std::array<const Rule*, 5> kRules{&kMessage, &kVersion, &kEcho, &kCall, &kPort};

inline constexpr std::array<std::uint16_t, 16> kLengths{
    0, 156, 156, 16, 16, 16, 20, 168, 32, 220, 24, 28, 16, 148, 40, 24};

inline constexpr std::uint16_t kStartRequest = 1;
inline constexpr std::uint16_t kStartReply = 2;
inline constexpr std::uint16_t kEchoRequest = 5;
inline constexpr std::uint16_t kEchoReply = 6;
inline constexpr std::uint16_t kOutgoingCall = 7;
inline constexpr std::uint16_t kOutgoingReply = 8;
inline constexpr std::uint16_t kIncomingCall = 9;
inline constexpr std::uint16_t kIncomingReply = 10;

// What a direction asked that the other may answer.
struct Asked {
    std::uint32_t echo = 0;
    std::uint32_t call = 0;
    bool has_echo = false;
    bool has_call = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "pptp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Point-to-Point Tunneling Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2637",
                                      .leads = LinkKind::pptp};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Asked, 2> asked{};
        walk(head, Direction::forward, evidence, asked, false);
        walk(head, Direction::reverse, evidence, asked, false);
        if (evidence.empty()) {
            return evidence;
        }
        walk(head, Direction::forward, evidence, asked, true);
        walk(head, Direction::reverse, evidence, asked, true);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    struct Message {
        std::uint16_t type = 0;
        std::uint16_t length = 0;
    };

    static bool read(ByteReader reader, Message& out) noexcept {
        out.length = reader.be16();
        const std::uint16_t kind = reader.be16();
        const std::uint32_t cookie = reader.be32();
        out.type = reader.be16();
        const std::uint16_t zero = reader.be16();
        return reader.ok() && cookie == 0x1a2b3c4d && kind == 1 && zero == 0 && out.type >= 1 &&
               out.type < kLengths.size() && out.length == kLengths[out.type];
    }

    // First the messages and what they ask, then what answers the other side's.
    static void walk(const FlowHead& head,
                     Direction direction,
                     Evidence& evidence,
                     std::array<Asked, 2>& asked,
                     bool answers) noexcept {
        constexpr std::size_t kMostMessages = 4;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostMessages; ++count) {
            Message message;
            if (!read(at(head.stream(direction), offset), message)) {
                return;
            }
            if (answers) {
                add_answer(head, direction, offset, message, evidence, asked);
            } else {
                add_message(head, direction, offset, message, evidence, asked[index_of(direction)]);
            }
            offset += message.length;
        }
    }

    static void add_message(const FlowHead& head,
                            Direction direction,
                            std::size_t offset,
                            const Message& message,
                            Evidence& evidence,
                            Asked& asked) noexcept {
        const Place place{direction, 0, offset};
        // Length and type fit each other 24, message 12, cookie 32, zeros 4; later ones repeat it.
        add_at(evidence, kMessage, head, place, 0, 12, offset == 0 ? 72 : 4);
        ByteReader body = at(head.stream(direction), offset + 12);
        switch (message.type) {
            case kStartRequest:
            case kStartReply:
                if (body.be16() == 0x0100) {
                    add_at(evidence, kVersion, head, place, 12, 2, 12);
                }
                evidence.set_initiator(message.type == kStartRequest ? direction
                                                                     : opposite(direction));
                break;
            case kEchoRequest:
                asked.echo = body.be32();
                asked.has_echo = body.ok();
                break;
            case kOutgoingCall:
            case kIncomingCall:
                asked.call = body.be16();
                asked.has_call = body.ok();
                break;
            default:
                break;
        }
    }

    static void add_answer(const FlowHead& head,
                           Direction direction,
                           std::size_t offset,
                           const Message& message,
                           Evidence& evidence,
                           const std::array<Asked, 2>& asked) noexcept {
        const Asked& other = asked[index_of(opposite(direction))];
        const Place place{direction, 0, offset};
        ByteReader body = at(head.stream(direction), offset + 12);
        if (message.type == kEchoReply && other.has_echo && body.be32() == other.echo &&
            body.ok()) {
            add_at(evidence, kEcho, head, place, 12, 4, 8);  // often a small counter
        }
        if (message.type == kOutgoingReply || message.type == kIncomingReply) {
            body.skip(2);
            const std::uint16_t call = body.be16();
            if (body.ok() && other.has_call && call == other.call) {
                add_at(evidence, kCall, head, place, 14, 2, 6);  // often zero or small
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::pptp
