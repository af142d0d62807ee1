// ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861): IP protocols 1 and 58.
//
//  0        1        2           4                8
// | type   | code   | checksum  | rest of header | data
// The head holds the data, from octet 8; type and code stand in the place of the ports.
//
// The IP protocol is assigned to it, so a known type is enough; its bits are few, so that whatever
// hides in the data may win with its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::icmp {

inline constexpr Rule kType{"icmp.type",
                            "assigned type with a code of its range; RFC 792, RFC 4443 §2.1"};
inline constexpr Rule kQuoted{
    "icmp.quoted_packet", "an error quotes an IP header of its own version; RFC 792, RFC 4443 §3"};
inline constexpr Rule kEcho{"icmp.echo_data",
                            "the reply's data are the request's; RFC 792, RFC 4443 §4.2"};
inline constexpr Rule kOption{"icmp.nd_option",
                              "a neighbour discovery option of fitting length; RFC 4861 §4.6"};

inline constexpr std::array<std::string_view, 2> kVariants{"icmpv4", "icmpv6"};
inline constexpr std::array<const Rule*, 4> kRules{&kType, &kQuoted, &kEcho, &kOption};

struct Matcher {
    static constexpr std::uint8_t kIcmp = 1;
    static constexpr std::uint8_t kIcmpV6 = 58;

    static constexpr MatcherInfo info{.protocol = "icmp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Internet Control Message Protocol",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 792, RFC 4443, RFC 4861"};
    static constexpr Prefilter prefilter{.ip_protos = {kIcmp, kIcmpV6}};

    static Evidence match(const FlowHead& head) noexcept {
        const bool v6 = head.ip_proto == kIcmpV6;
        const std::size_t first = first_payload(head);
        if (first == kMaxEntries || !(v6 ? is_v6(head) : is_v4(head))) {
            return {};
        }
        Evidence evidence;
        evidence.set_assigned_ip_protocol();
        evidence.set_variant(v6 ? "icmpv6" : "icmpv4");
        // A type of about 40 assigned, a code of a few.
        evidence.add(kType, head, first, 0, 0, 8);
        const Payload payload = head.payload(first);
        if (is_error(head, v6)) {
            const std::uint8_t version = at(payload.bytes, 0).u8() >> 4U;
            if (version == (v6 ? 6 : 4)) {
                evidence.add(kQuoted, head, first, 0, 1, 4);
            }
        } else if (v6 && head.src_port >= 133 && head.src_port <= 137) {
            add_option(evidence, head, payload);
        }
        add_echo(evidence, head);
        return evidence;
    }

  private:
    static std::size_t first_payload(const FlowHead& head) noexcept {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            if (head.entries[entry].length > 0) {
                return entry;
            }
        }
        return kMaxEntries;
    }

    // IANA "ICMP Type Numbers" and their code fields.
    static bool is_v4(const FlowHead& head) noexcept {
        const std::uint16_t code = head.dst_port;
        switch (head.src_port) {
            case 3:
                return code <= 15;
            case 5:
                return code <= 3;
            case 9:
                return code == 0 || code == 16;
            case 11:
                return code <= 1;
            case 12:
                return code <= 2;
            case 40:
                return code <= 5;
            case 42:
                return code == 0;
            case 43:
                return code <= 4;
            default:
                return code == 0 &&
                       (head.src_port == 0 || head.src_port == 4 || head.src_port == 8 ||
                        head.src_port == 10 || (head.src_port >= 13 && head.src_port <= 18) ||
                        (head.src_port >= 30 && head.src_port <= 39));
        }
    }

    // IANA "ICMPv6 type Numbers".
    static bool is_v6(const FlowHead& head) noexcept {
        const std::uint16_t type = head.src_port;
        const std::uint16_t code = head.dst_port;
        switch (type) {
            case 1:
                return code <= 8;
            case 2:
                return code == 0;
            case 3:
                return code <= 1;
            case 4:
                return code <= 10;
            case 138:
                return code <= 1 || code == 255;
            case 139:
            case 140:
                return code <= 2;
            case 155:
                return true;  // RPL (RFC 6550 §6): the code is the message
            case 161:
                return code <= 4;
            case 157:
            case 158:
                return code <= 8;
            default:
                return (type == 128 || type == 129 || (type >= 130 && type <= 161)) && code == 0;
        }
    }

    static bool is_error(const FlowHead& head, bool v6) noexcept {
        const std::uint16_t type = head.src_port;
        return v6 ? type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    }

    // Behind the fixed part of solicitations and advertisements: type, length in units of 8.
    static void add_option(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload) noexcept {
        constexpr std::array<std::size_t, 5> kFixed{0, 8, 16, 16, 32};  // types 133 to 137
        const std::size_t offset = kFixed[head.src_port - 133U];
        ByteReader reader = at(payload.bytes, offset);
        const std::uint8_t type = reader.u8();
        const std::size_t length = std::size_t{reader.u8()} * 8;
        if (reader.ok() && type != 0 && type < 64 && length > 0 &&
            offset + length <= payload.length) {
            evidence.add(kOption, head, payload.entry, offset, 2, 6);
        }
    }

    static void add_echo(Evidence& evidence, const FlowHead& head) noexcept {
        const std::size_t asked = head.next(Direction::forward);
        const std::size_t answered = head.next(Direction::reverse);
        if (asked == kMaxEntries || answered == kMaxEntries) {
            return;
        }
        const Payload left = head.payload(asked);
        const Payload right = head.payload(answered);
        if (left.length == right.length && left.bytes.size() >= 8 &&
            std::equal(
                left.bytes.begin(), left.bytes.end(), right.bytes.begin(), right.bytes.end())) {
            evidence.add(kEcho, head, answered, 0, left.bytes.size(), 8);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::icmp
