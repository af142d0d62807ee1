// tinc's connection between two daemons (TCP, usually port 655). Both sides begin with a line:
//
//  "0 " name " 17" ["." minor] LF          a name is letters, digits and underlines
//
// 1.0 goes on with the key of its cipher, in hexadecimal, and encrypts what follows:
//  "1 " cipher " " digest " " MAC length " " compression " " HEX LF
// 1.1 goes on with SPTPS records: be16 length, type, octets; the first is a handshake's:
//  0        2    3          4            36
// | 00 41  | 80 | version 0 | nonce, 32  | key, 32
//
// Behind that nothing shows but SPTPS' lengths. Sources: tinc protocol.h, protocol_auth.c, sptps.c;
// bytes of tinc 1.0.36 and 1.1pre18.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::tinc {

inline constexpr Rule kId{
    "tinc.id", "a line of 0, a name and the protocol's version 17; tinc protocol_auth.c"};
inline constexpr Rule kMetaKey{
    "tinc.metakey",
    "a line of 1, four numbers and a key in hexadecimal capitals; tinc protocol_auth.c"};
inline constexpr Rule kKeyExchange{
    "tinc.sptps", "an SPTPS handshake record of 65 octets, version 0, with a key; tinc sptps.c"};
inline constexpr Rule kPort{"tinc.port", "port 655 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{655};
inline constexpr std::array<std::string_view, 2> kVariants{"1.0", "1.1"};
inline constexpr std::array<const Rule*, 4> kRules{&kId, &kMetaKey, &kKeyExchange, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "tinc",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "tinc",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "tinc protocol.h, protocol_auth.c, sptps.c",
                                      .leads = LinkKind::tinc};
    // '1': the first line came before the capture.
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'0', '1'}), .least_length = 7};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Seen seen;
        read(evidence, head, Direction::forward, seen);
        read(evidence, head, Direction::reverse, seen);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        // An old daemon answers a new one in the old way.
        evidence.set_variant(seen.old || !seen.minor ? "1.0" : "1.1");
        return evidence;
    }

  private:
    struct Seen {
        bool old = false;    // a line without a minor version, or a key line
        bool minor = false;  // a line with one
    };

    static void read(Evidence& evidence,
                     const FlowHead& head,
                     Direction direction,
                     Seen& seen) noexcept {
        const Bytes stream = head.stream(direction);
        if (!has_text(stream, "0 ") && !has_text(stream, "1 ")) {
            return;
        }
        const std::size_t first = stream[0] == '0' ? id_length(stream, seen) : 0;
        if (first > 0) {
            // Two characters 14; " 17" and the line's end 28; a name's characters 2 bits each.
            const std::size_t name = std::min<std::size_t>(first - 6, 4);
            evidence.add_stream(kId, head, direction, 0, first, 42 + 2 * static_cast<double>(name));
        }
        if (first == 0 && stream[0] == '0') {
            return;
        }
        const std::size_t key = metakey_length(stream, first);
        if (key > 0) {
            seen.old = true;
            // "1 " and four numbers 24; 64 digits of a hexadecimal number, at half a bit each.
            evidence.add_stream(kMetaKey, head, direction, first, key, 56);
        } else if (first > 0 && is_key_exchange(stream, first)) {
            // Four octets, and a nonce that looks random.
            evidence.add_stream(kKeyExchange, head, direction, first, 4, 28);
        }
    }

    // The first line's length; 0 when it is none.
    static std::size_t id_length(Bytes stream, Seen& seen) noexcept {
        constexpr std::size_t kMostName = 64;
        std::size_t end = 2;
        while (end < stream.size() && end < 2 + kMostName && is_name(stream[end])) {
            ++end;
        }
        if (end == 2 || !has_text(stream, " 17", end)) {
            return 0;
        }
        end += 3;
        if (has_text(stream, ".", end)) {
            const std::size_t minor = ++end;
            while (end < stream.size() && is_digit(stream[end])) {
                ++end;
            }
            if (end == minor || end > minor + 3) {
                return 0;
            }
            seen.minor = true;
        } else {
            seen.old = true;
        }
        return has_text(stream, "\n", end) ? end + 1 : 0;
    }

    static bool is_name(std::uint8_t octet) noexcept {
        const std::uint8_t lower = octet | 0x20U;
        return (lower >= 'a' && lower <= 'z') || is_digit(octet) || octet == '_';
    }

    // How much of the key line was looked at; 0 when it is none.
    static std::size_t metakey_length(Bytes stream, std::size_t from) noexcept {
        constexpr std::size_t kNumbers = 4;
        constexpr std::size_t kDigits = 64;
        if (!has_text(stream, "1 ", from)) {
            return 0;
        }
        std::size_t end = from + 2;
        for (std::size_t number = 0; number < kNumbers; ++number) {
            const std::size_t begin = end;
            while (end < stream.size() && end < begin + 5 && is_digit(stream[end])) {
                ++end;
            }
            if (end == begin || !has_text(stream, " ", end)) {
                return 0;
            }
            ++end;
        }
        const Bytes digits = base::at(stream, end).bytes(kDigits);
        const bool hexadecimal = digits.size() == kDigits &&
                                 std::all_of(digits.begin(), digits.end(), [](std::uint8_t octet) {
                                     return is_digit(octet) || (octet >= 'A' && octet <= 'F');
                                 });
        return hexadecimal ? end + kDigits - from : 0;
    }

    static bool is_key_exchange(Bytes stream, std::size_t from) noexcept {
        return at(stream, from).be32() == 0x0041'8000 &&
               looks_sealed(part(stream, from + 4, from + 4 + 64));
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tinc
