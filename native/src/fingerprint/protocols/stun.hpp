// STUN (RFC 8489 §5), classic STUN (RFC 3489 §11.1) and TURN (RFC 8656), over UDP and TCP.
//
//  0            2           4             8                 20
// | type be16  | length    | 2112A442    | transaction id  | attributes: type, length, value, to 4
//   type: two zero bits, then class bits 0x0110 among method bits; length = octets behind 20
//   classic: the same without the constant: 128 bits of id at 4
// ChannelData (RFC 8656 §12.4): be16 channel 0x4000..0x4FFF, be16 length, octets (to 4 over TCP)
//
// Tailscale's clients name their software "tailnode" in the one attribute they ask with besides the
// fingerprint: octets 20 to 31 of a request are 8022 0008 "tailnode" (tailscale net/stun/stun.go).
//
// On a STUN flow RFC 7983 also puts DTLS and RTP; whatever else starts there (WireGuard or OpenVPN
// behind ICE) makes it no STUN flow.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/few.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::stun {

inline constexpr Rule kHeader{"stun.header",
                              "two zero bits, a length that leads to the end; RFC 8489 §5"};
inline constexpr Rule kCookie{"stun.cookie", "the magic cookie 2112A442; RFC 8489 §5"};
inline constexpr Rule kClassic{"stun.classic",
                               "a type of RFC 3489 and the length to the end; RFC 3489 §11.1"};
inline constexpr Rule kAttributes{"stun.attributes",
                                  "attributes chain from the header to the end; RFC 3489 §11.2"};
inline constexpr Rule kTransaction{"stun.transaction",
                                   "the answer has the request's transaction id; RFC 8489 §6.3.3"};
inline constexpr Rule kChannel{
    "stun.channel_data", "channel number 4000 to 4FFF and the length to the end; RFC 8656 §12.4"};
inline constexpr Rule kTailnode{"stun.tailnode",
                                "a binding request whose first attribute is SOFTWARE tailnode; "
                                "tailscale net/stun/stun.go"};
inline constexpr Rule kPort{"stun.port", "port 3478 or 5349 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{3478, 5349};
inline constexpr std::array<std::string_view, 4> kVariants{"stun", "classic", "turn", "tailscale"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kHeader, &kCookie, &kClassic, &kAttributes, &kTransaction, &kChannel, &kTailnode, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "stun",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Session Traversal Utilities for NAT",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources =
                                          "RFC 8489, RFC 3489, RFC 8656, RFC 7983, tailscale "
                                          "net/stun/stun.go"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp, kTcp},
                                         .first_bytes = ByteSet::range(0, 3) |
                                                        ByteSet::range(0x40, 0x4f) |
                                                        ByteSet::of({0x08, 0xff}),
                                         .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Conversation seen;
        const bool whole = head.ip_proto == kTcp ? read_stream(head, Direction::forward, seen) &&
                                                       read_stream(head, Direction::reverse, seen)
                                                 : read_datagrams(head, seen);
        if (!whole || (seen.stun == 0 && !is_channel_run(head, seen))) {
            return {};
        }
        return judge(head, seen);
    }

  private:
    static constexpr std::size_t kHeaderLength = 20;
    static constexpr std::size_t kAttributeHead = 4;
    // ChannelData without STUN: mid-flow, proven by its lengths alone.
    static constexpr std::size_t kLoneChannelRun = 3;

    enum class Kind : std::uint8_t { stun, classic, channel, neighbour, nothing, other };

    struct Seen {
        Place place;
        Kind kind = Kind::other;
        std::uint16_t type = 0;
        std::size_t length = 0;
        std::array<std::uint64_t, 2> transaction{};
    };
    struct Conversation {
        Few<Seen, kMaxEntries> messages;
        std::size_t stun = 0;
        std::size_t channel = 0;
        bool dtls = false;

        void add(const Seen& one) noexcept {
            stun += one.kind == Kind::stun || one.kind == Kind::classic ? 1U : 0U;
            channel += one.kind == Kind::channel ? 1U : 0U;
            messages.add(one);
        }
    };

    // GTPv2-C (TS 29.274 §5.1) has the same first four octets: 40 or 48, a type, the length behind
    // them. So alone, ChannelData must be one channel that carries DTLS, RTP or STUN each time.
    static bool is_channel_run(const FlowHead& head, const Conversation& seen) noexcept {
        bool same = head.ip_proto != kTcp && seen.channel >= kLoneChannelRun;
        for (std::size_t index = 0; index < seen.messages.size() && same; ++index) {
            const Seen& one = seen.messages[index];
            ByteReader inner = at(head.payload(one.place.entry).bytes, 4);
            const std::uint8_t first = inner.u8();
            const std::uint8_t second = inner.u8();
            const bool dtls = first >= 20 && first <= 25 && second == 0xfe;
            const bool media = (first & 0xefU) == 0x80;
            inner.skip(2);
            const bool nested = first < 4 && inner.be32() == 0x2112a442;
            same = one.type == seen.messages[0].type && (dtls || media || nested);
        }
        return same;
    }

    static bool read_datagrams(const FlowHead& head, Conversation& seen) noexcept {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const Place place{payload.direction, entry, 0};
            Seen one = read(place, payload.bytes, payload.length);
            // Padding to four octets is allowed over UDP, not demanded.
            if (one.kind == Kind::channel && one.length != payload.length &&
                (one.length + 3) / 4 * 4 != payload.length) {
                one.kind = Kind::other;
            }
            if (one.kind == Kind::other ||
                (one.kind != Kind::channel && one.length != payload.length)) {
                one.kind = is_neighbour(payload, seen) ? Kind::neighbour : Kind::other;
            }
            if (one.kind == Kind::other) {
                return false;
            }
            if (one.kind != Kind::nothing && one.kind != Kind::neighbour) {
                seen.add(one);
            }
        }
        return true;
    }

    // One message after another, as far as the stream was kept.
    static bool read_stream(const FlowHead& head,
                            Direction direction,
                            Conversation& seen) noexcept {
        constexpr std::size_t kMostMessages = 8;
        const Bytes stream = head.stream(direction);
        std::size_t offset = 0;
        for (std::size_t message = 0; message < kMostMessages && offset + 4 <= stream.size();
             ++message) {
            const Bytes rest = stream.subspan(offset);
            Seen one = read({direction, 0, offset}, rest, SIZE_MAX);
            if (one.kind == Kind::classic || one.kind == Kind::other) {
                return rest.size() < kHeaderLength && rest[0] < 4 && message > 0;
            }
            if (one.kind == Kind::channel) {
                one.length = (one.length + 3) / 4 * 4;
            }
            seen.add(one);
            offset += one.length;
        }
        return true;
    }

    // What a payload says it is; its `length` is what its own length field says.
    static Seen read(const Place& place, Bytes bytes, std::size_t wire) noexcept {
        Seen one;
        one.place = place;
        ByteReader reader(bytes);
        one.type = reader.be16();
        const std::size_t length = reader.be16();
        if (wire <= 4 && (wire < 4 || (one.type == 0 && length == 0))) {
            // Keep-alives of a few octets.
            one.kind = Kind::nothing;
            one.length = wire;
            return one;
        }
        if (one.type >= 0x4000 && one.type <= 0x4fff && reader.ok()) {
            one.kind = Kind::channel;
            one.length = 4 + length;
            return one;
        }
        const std::uint32_t cookie = reader.be32();
        one.transaction = {cookie, reader.be32()};
        one.transaction[0] = one.transaction[0] << 32U | one.transaction[1];
        one.transaction[1] = reader.be64();
        if (!reader.ok() || one.type >= 0x4000) {
            return one;
        }
        one.length = kHeaderLength + length;
        if (cookie == 0x2112a442) {
            one.kind = Kind::stun;
        } else if (is_classic_type(one.type) && one.length == wire &&
                   attributes_chain(bytes, wire)) {
            one.kind = Kind::classic;
        }
        return one;
    }

    // Binding and shared secret, with their answers; RFC 3489 §11.1.
    static bool is_classic_type(std::uint16_t type) noexcept {
        constexpr std::array<std::uint16_t, 6> kTypes{
            0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112};
        for (const std::uint16_t known : kTypes) {
            if (type == known) {
                return true;
            }
        }
        return false;
    }

    // Types are small or, if optional, from 0x8000; values end with the message.
    static bool attributes_chain(Bytes bytes, std::size_t wire) noexcept {
        constexpr std::size_t kMostAttributes = 24;
        std::size_t offset = kHeaderLength;
        for (std::size_t count = 0; count < kMostAttributes && offset < wire; ++count) {
            if (wire - offset < kAttributeHead) {
                return false;
            }
            ByteReader reader = at(bytes, offset);
            const std::uint16_t type = reader.be16();
            const std::size_t length = reader.be16();
            if (!reader.ok()) {
                return bytes.size() < wire;
            }
            if (type == 0 || (type > 0x0200 && type < 0x8000)) {
                return false;
            }
            offset += kAttributeHead + (length + 3) / 4 * 4;
        }
        return offset == wire;
    }

    // MS-TURN, which Teams and Skype speak beside STUN: channel ff10 over UDP ([MS-TURN]),
    // and messages with its cookie, 72c64bc6, as the first attribute.
    static bool is_ms_turn(const Payload& payload) noexcept {
        const std::uint16_t type = at(payload.bytes, 0).be16();
        const std::size_t length = at(payload.bytes, 2).be16();
        if (type == 0xff10) {
            return length + 4 == payload.length;
        }
        return type < 0x0200 && length + kHeaderLength == payload.length &&
               at(payload.bytes, kHeaderLength).be64() == 0x000f'0004'72c6'4bc6;
    }

    // DTLS and RTP or RTCP, by RFC 7983 §7; a DTLS 1.3 header only behind a plain DTLS record.
    static bool is_neighbour(const Payload& payload, Conversation& seen) noexcept {
        if (is_ms_turn(payload)) {
            return true;
        }
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        const std::uint8_t second = reader.u8();
        const bool dtls = first >= 20 && first <= 25 && second == 0xfe;
        seen.dtls = seen.dtls || dtls;
        const bool media = first >= 128 && first <= 191 && payload.length >= 8;
        return reader.ok() && (dtls || media || (seen.dtls && first >= 32 && first <= 63));
    }

    static Evidence judge(const FlowHead& head, const Conversation& seen) noexcept {
        constexpr std::size_t kMostPerDirection = 2;
        Evidence evidence;
        std::array<std::size_t, 2> said{};
        std::size_t channels = 0;
        bool echoed = false;
        bool tailnode = false;
        for (std::size_t index = 0; index < seen.messages.size(); ++index) {
            const Seen& one = seen.messages[index];
            if (one.kind == Kind::channel) {
                if (channels++ < 4) {
                    // Four fixed bits, and a 16-bit length less what padding excuses.
                    add_at(evidence, kChannel, head, one.place, 0, 1, 4);
                    add_at(evidence, kChannel, head, one.place, 2, 2, 10);
                }
                continue;
            }
            std::size_t& by_this_side = said[index_of(one.place.direction)];
            const bool again = index > 0 && is_same(seen.messages[index - 1], one);
            if (by_this_side < kMostPerDirection && !again) {
                ++by_this_side;
                add_form(evidence, head, one);
            }
            if (!tailnode && is_tailnode(head, one)) {
                tailnode = true;
                // Text: five bits a letter, and the attribute's head.
                add_at(evidence, kTailnode, head, one.place, 20, 12, 56);
            }
            if (!echoed && asked(seen, index)) {
                echoed = true;
                add_at(evidence, kTransaction, head, one.place, 8, 12, 96);
                evidence.set_initiator(opposite(one.place.direction));
            }
        }
        if (head.has_port(3478) || head.has_port(5349)) {
            add_port(evidence, kPort, head);
        }
        evidence.set_variant(tailnode ? "tailscale" : variant_of(seen));
        return evidence;
    }

    static bool is_tailnode(const FlowHead& head, const Seen& one) noexcept {
        constexpr std::uint16_t kBindingRequest = 0x0001;
        if (one.kind != Kind::stun || one.type != kBindingRequest || head.ip_proto != kUdp) {
            return false;
        }
        const Bytes bytes = head.payload(one.place.entry).bytes;
        return at(bytes, kHeaderLength).be32() == 0x8022'0008 &&
               has_text(bytes, "tailnode", kHeaderLength + 4);
    }

    static void add_form(Evidence& evidence, const FlowHead& head, const Seen& one) noexcept {
        if (one.kind == Kind::classic) {
            // Six types of 65536, small numbers all: 9; the length: 12.
            add_at(evidence, kClassic, head, one.place, 0, 4, 21);
            const std::size_t kept = head.payload(one.place.entry).bytes.size();
            if (kept >= kHeaderLength + kAttributeHead) {
                // The first length leads to the next attribute or to the message's end.
                add_at(evidence, kAttributes, head, one.place, kHeaderLength + 2, 2, 10);
            }
            return;
        }
        // Two bits of type; the length: 12, but a stream's next message need not be kept to show
        // it.
        add_at(evidence, kHeader, head, one.place, 0, 1, 2);
        if (head.ip_proto != kTcp) {
            add_at(evidence, kHeader, head, one.place, 2, 2, 12);
        }
        add_at(evidence, kCookie, head, one.place, 4, 4, 32);
    }

    static bool is_answer(std::uint16_t type) noexcept { return (type & 0x0100U) != 0; }

    static bool is_same(const Seen& left, const Seen& right) noexcept {
        return left.place.direction == right.place.direction && left.type == right.type &&
               left.transaction == right.transaction;
    }

    static bool asked(const Conversation& seen, std::size_t answer) noexcept {
        const Seen& said = seen.messages[answer];
        for (std::size_t index = 0; index < answer; ++index) {
            const Seen& one = seen.messages[index];
            if (one.place.direction != said.place.direction && one.kind == said.kind &&
                !is_answer(one.type) && one.type != said.type &&
                one.transaction == said.transaction && one.transaction[1] != 0) {
                return true;
            }
        }
        return false;
    }

    // Methods 3 to 12 are TURN's (RFC 8656 §17, RFC 6062 §6).
    static std::string_view variant_of(const Conversation& seen) noexcept {
        bool classic = false;
        for (std::size_t index = 0; index < seen.messages.size(); ++index) {
            const Seen& one = seen.messages[index];
            const unsigned method = one.type & 0x3eefU;
            if (one.kind == Kind::channel ||
                (one.kind == Kind::stun && method >= 3 && method <= 12)) {
                return "turn";
            }
            classic = classic || one.kind == Kind::classic;
        }
        return classic ? "classic" : "stun";
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::stun
