// DHCP for IPv4 (RFC 2131 §2, options RFC 2132) and for IPv6 (RFC 8415 §8, §9).
//
// IPv4:  0    1      2     3     4      8      10     12 .. 28      28           44     108   236
//       | op | htype| hlen| hops| xid  | secs | flags| 4 addresses | chaddr 16  | sname| file|
//       cookie 236: 63 82 53 63, then options: code, length, octets; 53 is the message type
// IPv6:  0           1              4
//       | msg type  | transaction  | options: code be16, length be16, octets, to the end
//       relay messages (12, 13): hop count, link address, peer address, options from 34
//
// IPv6 has no constant: one port must be 546 or 547, where RFC 8415 §7.2 puts it.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::dhcp {

inline constexpr Rule kHeader{"dhcp.v4_header",
                              "request or reply, hardware length up to 16, few hops; RFC 2131 §2"};
inline constexpr Rule kPadding{"dhcp.v4_padding",
                               "octets of chaddr behind the hardware length are zero; RFC 2131 §2"};
inline constexpr Rule kCookie{"dhcp.v4_cookie", "the magic cookie 63 82 53 63; RFC 2131 §3"};
inline constexpr Rule kType{"dhcp.v4_message_type",
                            "the first option is a message type; RFC 2132 §9.6"};
inline constexpr Rule kXid{"dhcp.v4_xid", "the transaction id comes again; RFC 2131 §4.1"};
inline constexpr Rule kV6Header{"dhcp.v6_header", "assigned message type; RFC 8415 §7.3"};
inline constexpr Rule kV6Option{
    "dhcp.v6_option",
    "an assigned option of fitting length, where the one before ends; RFC 8415 §21.1"};
inline constexpr Rule kV6End{"dhcp.v6_end", "the options end with the message; RFC 8415 §8"};
inline constexpr Rule kV6Echo{"dhcp.v6_transaction",
                              "the transaction id comes again; RFC 8415 §16.1"};
inline constexpr Rule kPort{"dhcp.port", "UDP port 67, 68, 546 or 547 on either side"};

inline constexpr std::array<std::uint16_t, 4> kPorts{67, 68, 546, 547};
inline constexpr std::array<std::string_view, 2> kVariants{"dhcpv4", "dhcpv6"};
inline constexpr std::array<const Rule*, 10> kRules{&kHeader,
                                                    &kPadding,
                                                    &kCookie,
                                                    &kType,
                                                    &kXid,
                                                    &kV6Header,
                                                    &kV6Option,
                                                    &kV6End,
                                                    &kV6Echo,
                                                    &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dhcp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Dynamic Host Configuration Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 2131, RFC 2132, RFC 8415"};
    // op 1 and 2; IPv6 message types 1 to 36.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(1, 36), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        if (head.has_port(546) || head.has_port(547)) {
            return match_v6(head);
        }
        return match_v4(head);
    }

  private:
    static constexpr std::size_t kCookieOffset = 236;

    static Evidence match_v4(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        std::uint32_t asked = 0;
        bool repeated = false;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const Reading reading = read_v4(head, payload);
            tally.add(reading);
            if (reading != Reading::fits) {
                continue;
            }
            // Every message carries the constants anew; a counter in the same place would not.
            if (evidence.checks().size() < 12) {
                add_v4(evidence, head, payload);
            }
            const std::uint32_t xid = at(payload.bytes, 4).be32();
            if (asked != 0 && xid == asked && !repeated) {
                repeated = true;
                evidence.add(kXid, head, entry, 4, 4, 32);
            }
            asked = xid;
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        if (head.has_port(67) || head.has_port(68)) {
            add_port(evidence, kPort, head);
        }
        evidence.set_variant("dhcpv4");
        return evidence;
    }

    static Reading read_v4(const FlowHead& head, const Payload& payload) noexcept {
        constexpr std::size_t kLeast = kCookieOffset + 4;
        ByteReader reader(payload.bytes);
        const std::uint8_t op = reader.u8();
        reader.skip(1);
        const std::uint8_t hardware_length = reader.u8();
        const std::uint8_t hops = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (op < 1 || op > 2 || hardware_length > 16 || hops > 16 || payload.length < kLeast) {
            return Reading::contradicts;
        }
        if (payload.bytes.size() < kLeast) {
            // A snap length, or BOOTP of before the cookie (RFC 951): only on the usual ports.
            const bool usual = (head.has_port(67) || head.has_port(68)) &&
                               at(payload.bytes, 1).be16() == 0x0106 &&
                               (at(payload.bytes, 10).be16() & 0x7fffU) == 0;
            return usual && has_padding(payload) ? Reading::fits : Reading::cut;
        }
        const bool cookie = at(payload.bytes, kCookieOffset).be32() == 0x63825363;
        return cookie ? Reading::fits : Reading::contradicts;
    }

    static bool has_padding(const Payload& payload) noexcept {
        const std::size_t hardware_length = at(payload.bytes, 2).u8();
        ByteReader padding = at(payload.bytes, 28 + hardware_length);
        bool zero = hardware_length < 16;
        for (std::size_t octet = hardware_length; octet < 16; ++octet) {
            zero = zero && padding.u8() == 0;
        }
        return zero && padding.ok();
    }

    static void add_v4(Evidence& evidence, const FlowHead& head, const Payload& payload) noexcept {
        // op 7 bits; hardware type 1 and length 6: 16, else the length's 4; hops 4.
        const bool ethernet = at(payload.bytes, 1).be16() == 0x0106;
        if (ethernet) {
            evidence.add(kHeader, head, payload.entry, 0, 4, 24);
        } else {
            evidence.add(kHeader, head, payload.entry, 0, 1, 6);
            evidence.add(kHeader, head, payload.entry, 2, 2, 6);
        }
        const std::uint8_t hardware_length = payload.bytes[2];
        if (has_padding(payload)) {
            // Zeros are common: 1 bit an octet, at most 10.
            const std::size_t count = 16U - hardware_length;
            evidence.add(kPadding,
                         head,
                         payload.entry,
                         28U + hardware_length,
                         count,
                         static_cast<double>(std::min<std::size_t>(count, 10)));
        }
        if (payload.bytes.size() >= kCookieOffset + 4) {
            evidence.add(kCookie, head, payload.entry, kCookieOffset, 4, 32);
        }
        ByteReader option = at(payload.bytes, kCookieOffset + 4);
        const std::uint16_t code_and_length = option.be16();
        const std::uint8_t type = option.u8();
        if (option.ok() && code_and_length == 0x3501 && type >= 1 && type <= 18) {
            evidence.add(kType, head, payload.entry, kCookieOffset + 4, 3, 20);
        }
        const Direction asks =
            payload.bytes[0] == 1 ? payload.direction : opposite(payload.direction);
        evidence.set_initiator(asks);
    }

    struct V6 {
        Reading reading = Reading::contradicts;
        std::size_t header = 4;
        std::size_t options = 0;
        std::array<std::size_t, 4> option_at{};
        std::size_t last_at = 0;  // of the last option
        bool exact = false;
    };

    static Evidence match_v6(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        std::uint32_t asked = 0;
        bool repeated = false;
        std::array<bool, 2> said{};
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const V6 message = read_v6(payload);
            tally.add(message.reading);
            if (message.reading != Reading::fits) {
                continue;
            }
            bool& by_this_side = said[index_of(payload.direction)];
            if (!by_this_side) {
                by_this_side = true;
                add_v6(evidence, head, payload, message);
            }
            const std::uint32_t transaction = message.header == 4 ? at(payload.bytes, 1).be24() : 0;
            if (asked != 0 && transaction == asked && !repeated) {
                repeated = true;
                evidence.add(kV6Echo, head, entry, 1, 3, 24);
            }
            asked = transaction;
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        add_port(evidence, kPort, head);
        evidence.set_variant("dhcpv6");
        return evidence;
    }

    // Options may be walked only as far as they are kept, never past the message.
    static V6 read_v6(const Payload& payload) noexcept {
        constexpr std::uint16_t kLastOption = 150;  // IANA "DHCPv6 Option Codes" ends below
        constexpr std::size_t kMostOptions = 32;
        V6 message;
        const std::uint8_t type = at(payload.bytes, 0).u8();
        message.header = type == 12 || type == 13 ? 34 : 4;
        if (type < 1 || type > 36 || payload.length < message.header + 4) {
            return message;
        }
        ByteReader reader = at(payload.bytes, message.header);
        for (std::size_t option = 0; option < kMostOptions && reader.remaining() > 0; ++option) {
            const std::size_t here = payload.bytes.size() - reader.remaining();
            const std::uint16_t code = reader.be16();
            const std::size_t length = reader.be16();
            if (!reader.ok()) {
                break;
            }
            if (code == 0 || code > kLastOption || here + 4 + length > payload.length) {
                return message;
            }
            message.last_at = here;
            if (message.options < message.option_at.size()) {
                message.option_at[message.options++] = here;
            }
            reader.skip(length);
        }
        message.exact =
            reader.ok() && reader.remaining() == 0 && payload.bytes.size() == payload.length;
        message.reading = message.exact                           ? Reading::fits
                          : message.options == 0                  ? ran_out(payload)
                          : payload.bytes.size() < payload.length ? Reading::fits
                                                                  : Reading::contradicts;
        return message;
    }

    static void add_v6(Evidence& evidence,
                       const FlowHead& head,
                       const Payload& payload,
                       const V6& message) noexcept {
        // 36 of 256 types.
        evidence.add(kV6Header, head, payload.entry, 0, 1, 2.5);
        for (std::size_t option = 0; option < message.options; ++option) {
            // 150 of 65536 codes: 8; a length that fits: 6 of 16, zeros being common.
            // The length's high octet is what has to fit.
            evidence.add(kV6Option, head, payload.entry, message.option_at[option], 3, 14);
        }
        if (message.exact) {
            // What the last option's length says beyond that it fits.
            evidence.add(kV6End, head, payload.entry, message.last_at + 2, 2, 6);
        }
        // Advertise, reply, reconfigure come from servers; the rest from clients or relays.
        const std::uint8_t type = payload.bytes[0];
        const bool server = type == 2 || type == 7 || type == 10 || type == 13;
        evidence.set_initiator(server ? opposite(payload.direction) : payload.direction);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dhcp
