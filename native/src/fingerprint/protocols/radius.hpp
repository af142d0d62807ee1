// RADIUS (RFC 2865, RFC 2866, RFC 5176).
//
// 0 code | 1 identifier | 2 length 2, the whole | 4 authenticator 16 | 20 attributes: type, length
// with these two, value
//
// Sources: RFC 2865, RFC 2866, RFC 3579, RFC 5176.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::radius {

inline constexpr Rule kHeader{
    "radius.header", "a known code, and a length that is that of the datagram; RFC 2865 §3"};
inline constexpr Rule kAttributes{
    "radius.attributes",
    "known attributes, one after another, to the end or to what was kept; RFC 2865 §5"};
inline constexpr Rule kFixed{"radius.fixed_attribute",
                             "an attribute of fixed length has it, a vendor id its zero; RFC 2865 "
                             "§5, RFC 2866 §5, RFC 3579 §3.2"};
inline constexpr Rule kEcho{
    "radius.answer", "the answer to the code of the request, with its identifier; RFC 2865 §3"};
inline constexpr Rule kPort{"radius.port",
                            "UDP port 1812 or 1813 or 1645 or 1646 or 3799 on either side"};

inline constexpr std::array<std::uint16_t, 5> kPorts{1812, 1813, 1645, 1646, 3799};
inline constexpr std::array<const Rule*, 5> kRules{&kHeader, &kAttributes, &kFixed, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "radius",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "RADIUS",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2865, RFC 2866, RFC 3579, RFC 5176"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(1, 5) | ByteSet::range(11, 13) | ByteSet::range(40, 45),
        .least_length = 20,
        .most_length = 4096,
        // A length of 4096 at most.
        .octets = {{{2, ByteSet::range(0, 16)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint16_t, 2> asked{};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t code = reader.u8();
                const std::uint8_t id = reader.u8();
                const std::uint16_t length = reader.be16();
                reader.skip(16);
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (!is_code(code) || length != payload.length || length > kMostLength) {
                    return Reading::contradicts;
                }
                const Walk walk = read_attributes(payload);
                if (!walk.valid) {
                    return Reading::contradicts;
                }
                if (first) {
                    // One of fourteen codes 4, the length 16.
                    evidence.add(kHeader, head, payload.entry, 0, 1, 4);
                    evidence.add(kHeader, head, payload.entry, 2, 2, 16);
                    add_attributes(evidence, head, payload, walk);
                }
                const std::uint16_t key = asked[index_of(opposite(payload.direction))];
                if (key != 0 && (key & 0xffU) == id && answers(key >> 8U, code)) {
                    evidence.add(kEcho, head, payload.entry, 0, 2, 14);
                    asked[index_of(opposite(payload.direction))] = 0;
                }
                const bool question =
                    code == 1 || code == 4 || code == 12 || code == 40 || code == 43;
                asked[index_of(payload.direction)] =
                    question ? static_cast<std::uint16_t>(code << 8U | id) : std::uint16_t{0};
                evidence.set_initiator(question ? payload.direction : opposite(payload.direction));
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint16_t kMostLength = 4096;

    // Access 1 to 3, 11; accounting 4, 5; status 12, 13; disconnect and change of authorisation 40
    // to 45.
    static constexpr bool is_code(std::uint8_t code) noexcept {
        return (code >= 1 && code <= 5) || (code >= 11 && code <= 13) || (code >= 40 && code <= 45);
    }
    static constexpr bool answers(unsigned question, std::uint8_t code) noexcept {
        switch (question) {
            case 1:
                return code == 2 || code == 3 || code == 11;
            case 4:
                return code == 5;
            case 12:
                return code == 2 || code == 5;
            default:
                return code == question + 1 || code == question + 2;
        }
    }

    // Integers and addresses of RFC 2865 and RFC 2866 are of four octets; a CHAP password has 17, a
    // message authenticator 16.
    static constexpr std::uint8_t fixed_length(std::uint8_t type) noexcept {
        switch (type) {
            case 4:
            case 5:
            case 6:
            case 7:
            case 8:
            case 9:
            case 10:
            case 12:
            case 13:
            case 14:
            case 15:
            case 16:
            case 27:
            case 28:
            case 29:
            case 40:
            case 41:
            case 42:
            case 43:
            case 45:
            case 46:
            case 47:
            case 48:
            case 49:
            case 51:
            case 52:
            case 53:
            case 55:
            case 61:
            case 62:
                return 6;
            case 3:
                return 19;
            case 80:
                return 18;
            default:
                return 0;
        }
    }

    struct Walk {
        bool valid = false;
        std::size_t attributes = 0;
        std::size_t last = 0;   // where the last whole header that was kept stands
        std::size_t fixed = 0;  // of them of fixed length
        std::array<std::size_t, 3> fixed_at{};
        bool to_the_end = false;
    };

    static Walk read_attributes(const Payload& payload) noexcept {
        constexpr std::uint8_t kMostType = 192;  // those beyond are for experiments or extended
        Walk walk;
        std::size_t offset = 20;
        while (offset + 2 <= payload.bytes.size()) {
            ByteReader reader = at(payload.bytes, offset);
            const std::uint8_t type = reader.u8();
            const std::uint8_t length = reader.u8();
            const std::uint8_t wanted = fixed_length(type);
            if (type == 0 || type > kMostType || length < 2 || offset + length > payload.length ||
                (wanted != 0 && length != wanted)) {
                return walk;
            }
            const bool vendor = type == 26;
            if (vendor && reader.ok() && reader.remaining() > 0 && reader.u8() != 0) {
                return walk;
            }
            if ((wanted != 0 || vendor) && walk.fixed < walk.fixed_at.size()) {
                walk.fixed_at[walk.fixed++] = vendor ? offset + 2 : offset + 1;
            }
            walk.last = offset;
            ++walk.attributes;
            offset += length;
        }
        walk.to_the_end = offset == payload.length;
        walk.valid = walk.to_the_end || payload.bytes.size() < payload.length;
        return walk;
    }

    static void add_attributes(Evidence& evidence,
                               const FlowHead& head,
                               const Payload& payload,
                               const Walk& walk) noexcept {
        if (walk.attributes == 0) {
            return;
        }
        // Each type and length about 2; the end 6.
        const double chain = 2.0 * static_cast<double>(std::min<std::size_t>(walk.attributes, 4)) +
                             (walk.to_the_end ? 6.0 : 0.0);
        evidence.add(kAttributes, head, payload.entry, walk.last + 1, 1, chain);
        for (std::size_t index = 0; index < walk.fixed; ++index) {
            const std::size_t place = walk.fixed_at[index];
            if (place != walk.last + 1 && place < payload.bytes.size()) {
                evidence.add(kFixed, head, payload.entry, place, 1, 7);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::radius
