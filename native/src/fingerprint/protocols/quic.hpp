// QUIC: versions 1 and 2 (RFC 9000 §17.2, RFC 9369 §3), the IETF drafts, Google's own versions
// before them (Q046 on, T05x), and version negotiation (RFC 9000 §17.2.1).
//
// Long header, its first fields the same in all versions (RFC 8999 §5.1):
//  0        1                 5         6           6+D        7+D         7+D+S
// |1|F|type | version         | D  0-20 | dest id D | S  0-20  | source id | by type ...
//     Initial: token length (varint), token, length (varint); 0-RTT, Handshake: length (varint);
//     length counts to the end of the packet; further packets may follow in the datagram.
// Drafts to 21 and Q046: octet 5 holds both id lengths as nibbles (0, or length - 3).
// gQUIC to Q043 has public flags instead: gquic.hpp.
// Short header: |0|1|......| dest id |: only an id that was heard in a long header makes it ours; a
// flow that shows short headers alone proves nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::quic {

inline constexpr Rule kLongHeader{"quic.long_header",
                                  "header form and fixed bit set, connection ids of at most 20 "
                                  "octets; RFC 9000 §17.2"};
inline constexpr Rule kVersion{"quic.version",
                               "a version that is assigned or known to be in use; RFC 9000 §22.2, "
                               "RFC 9369 §3.1"};
inline constexpr Rule kVersionList{"quic.version_list",
                                   "version 0, then whole words that offer a known version; RFC "
                                   "9000 §17.2.1"};
inline constexpr Rule kLength{"quic.length",
                              "the length field ends the packet within or at the end of the "
                              "datagram; RFC 9000 §17.2"};
inline constexpr Rule kPadded{"quic.padded_initial",
                              "a datagram with an Initial is at least 1200 octets long; RFC 9000 "
                              "§14.1"};
inline constexpr Rule kIdEcho{"quic.id_echo",
                              "the destination id is the one the other side chose; RFC 9000 §7.2"};
inline constexpr Rule kIdRepeat{"quic.id_repeat",
                                "version and destination id as in the direction's packet before; "
                                "RFC 9000 §7.2"};
inline constexpr std::array<std::uint16_t, 2> kPorts{443, 80};
inline constexpr std::array<std::string_view, 6> kVariants{
    "v1", "v2", "draft", "gquic", "other", "version-negotiation"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kLongHeader, &kVersion, &kVersionList, &kLength, &kPadded, &kIdEcho, &kIdRepeat};

enum class Family : std::uint8_t { unknown, v1, v2, draft, google, grease, other };

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "quic",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "QUIC",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 8999, RFC 9000, RFC 9369"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x80, 0xff), .least_length = 15};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Seen seen;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const std::uint8_t first = at(payload.bytes, 0).u8();
            if ((first & 0x80U) != 0) {
                if (!add_long(evidence, head, payload, seen)) {
                    return {};
                }
            } else if ((first & 0xc0U) == 0x40 && seen.any) {
                add_short(evidence, head, payload, seen);
            }
        }
        if (!seen.any) {
            return {};
        }
        evidence.set_variant(seen.variant);
        return evidence;
    }

  private:
    struct Long {
        std::uint32_t version = 0;
        Bytes dest;
        Bytes source;
        std::size_t dest_offset = 0;
        std::size_t end = 0;  // of the ids
        bool nibbles = false;
    };
    // What the directions have said so far.
    struct Seen {
        std::array<Bytes, 2> chosen{};  // the id a direction named as its own
        std::array<bool, 2> heard{};    // it has said one, perhaps an empty one
        std::array<Bytes, 2> asked{};   // the id a direction wrote to
        std::array<std::uint32_t, 2> version{};
        std::string_view variant;
        bool any = false;
    };

    static Family family(std::uint32_t version) noexcept {
        if (version == 1) {
            return Family::v1;
        }
        // RFC 9369 §3.1, and the number its last drafts used.
        if (version == 0x6b3343cf || version == 0x709a50c4) {
            return Family::v2;
        }
        if (version >= 0xff000001 && version <= 0xff000022) {
            return Family::draft;
        }
        const auto digit = [version](unsigned shift) {
            const std::uint32_t octet = version >> shift & 0xffU;
            return octet >= '0' && octet <= '9';
        };
        const std::uint32_t letters = version >> 16U;
        if ((letters == 0x5130 || letters == 0x5430) && digit(8) && digit(0)) {
            return Family::google;
        }
        // Facebook's mvfst: QUIC version registry, IANA.
        if ((version & 0xfffffff0U) == 0xfaceb000) {
            return Family::other;
        }
        // Reserved to force version negotiation, RFC 9000 §15.
        return (version & 0x0f0f0f0fU) == 0x0a0a0a0a ? Family::grease : Family::unknown;
    }

    static std::string_view name(Family family) noexcept {
        switch (family) {
            case Family::v1:
                return "v1";
            case Family::v2:
                return "v2";
            case Family::draft:
                return "draft";
            case Family::google:
                return "gquic";
            default:
                return "other";
        }
    }

    // Q046 to Q048 and the drafts to 21 (draft-ietf-quic-transport-21 §17.2).
    static bool has_nibbles(std::uint32_t version) noexcept {
        return (version >= 0xff000001 && version <= 0xff000015) ||
               (version >= 0x51303436 && version <= 0x51303438);
    }

    static bool read_long(ByteReader& reader, Long& out) noexcept {
        reader.skip(1);
        out.version = reader.be32();
        out.nibbles = has_nibbles(out.version);
        const std::uint8_t lengths = reader.u8();
        if (out.nibbles) {
            const auto unpack = [](std::uint8_t value) -> std::size_t {
                return value == 0 ? 0U : value + 3U;
            };
            out.dest_offset = 6;
            out.dest = reader.bytes(unpack(lengths >> 4U));
            out.source = reader.bytes(unpack(lengths & 15U));
        } else {
            out.dest_offset = 6;
            out.dest = reader.bytes(lengths);
            const std::uint8_t source_length = reader.u8();
            out.source = reader.bytes(source_length);
            if (lengths > 20 || source_length > 20) {
                return false;
            }
        }
        out.end = reader.position();
        return reader.ok();
    }

    // RFC 9000 §16.
    static std::uint64_t varint(ByteReader& reader) noexcept {
        std::uint64_t value = reader.u8();
        const unsigned more = (1U << (value >> 6U)) - 1U;
        value &= 0x3fU;
        for (unsigned octet = 0; octet < more; ++octet) {
            value = value << 8U | reader.u8();
        }
        return value;
    }

    static bool same(Bytes left, Bytes right) noexcept {
        return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin());
    }

    static double id_bits(std::size_t octets) noexcept {
        return octets >= 8 ? 64.0 : static_cast<double>(octets) * 8;
    }

    // False when this cannot be QUIC.
    static bool add_long(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         Seen& seen) noexcept {
        ByteReader reader(payload.bytes);
        Long found;
        if (!read_long(reader, found)) {
            return seen.any;
        }
        if (found.version == 0) {
            return add_version_list(evidence, head, payload, found, reader, seen);
        }
        const Family kind = family(found.version);
        const bool fixed = (payload.bytes[0] & 0x40U) != 0;
        const bool reserved_alone = kind == Family::grease && payload.length < 1200;
        if (kind == Family::unknown || !fixed || reserved_alone) {
            return seen.any;
        }
        const std::size_t direction = index_of(payload.direction);
        const std::uint32_t before = seen.version[direction];
        const bool repeats = before == found.version && !found.dest.empty() &&
                             same(found.dest, seen.asked[direction]);
        if (!repeats && !has_room(kind, payload, found, reader)) {
            return seen.any;
        }
        if (repeats) {
            evidence.add(kIdRepeat,
                         head,
                         payload.entry,
                         1,
                         found.dest_offset - 1 + found.dest.size(),
                         id_bits(found.dest.size()));
        } else {
            evidence.add(kLongHeader, head, payload.entry, 0, 1, 9);
            // About 160 of 2^32 numbers; a reserved one has half of its bits free.
            evidence.add(kVersion, head, payload.entry, 1, 4, kind == Family::grease ? 16 : 24);
            add_layout(evidence, head, payload, found, kind, reader);
        }
        add_echo(evidence, head, payload, found, seen);
        if (!seen.any || kind != Family::grease) {
            seen.variant = name(kind);
        }
        seen.any = true;
        seen.version[direction] = found.version;
        seen.asked[direction] = found.dest;
        seen.chosen[direction] = found.source;
        seen.heard[direction] = true;
        return true;
    }

    static bool is_initial(Family kind, std::uint8_t first) noexcept {
        const unsigned type = first >> 4U & 3U;
        return kind == Family::v2 ? type == 1 : type == 0;
    }

    static bool is_retry(Family kind, std::uint8_t first) noexcept {
        const unsigned type = first >> 4U & 3U;
        return kind == Family::v2 ? type == 0 : type == 3;
    }

    // Whether the layout of the version's packets is the one read here: v1, v2, later drafts.
    static bool has_length(Family kind, const Long& found, std::uint8_t first) noexcept {
        const bool standard = kind == Family::v1 || kind == Family::v2 ||
                              (kind == Family::draft && !found.nibbles) || kind == Family::other;
        return standard && !is_retry(kind, first);
    }

    // Where the length field says the packet ends; 0 when it cannot be read. `reader` stands behind
    // the ids.
    static std::uint64_t packet_end(Family kind,
                                    std::uint8_t first,
                                    ByteReader& reader,
                                    std::size_t& at_length) noexcept {
        if (is_initial(kind, first)) {
            const std::uint64_t token = varint(reader);
            reader.skip(token > 4096 ? SIZE_MAX : static_cast<std::size_t>(token));
        }
        at_length = reader.position();
        const std::uint64_t length = varint(reader);
        return reader.ok() ? reader.position() + length : 0;
    }

    // The length field does not point beyond the datagram; a token may hide it.
    static bool has_room(Family kind,
                         const Payload& payload,
                         const Long& found,
                         ByteReader reader) noexcept {
        const std::uint8_t first = payload.bytes[0];
        if (!has_length(kind, found, first)) {
            return payload.length >= found.end + 16;
        }
        std::size_t at_length = 0;
        const std::uint64_t end = packet_end(kind, first, reader, at_length);
        if (end == 0) {
            return payload.length >= 1200 && is_initial(kind, first);
        }
        // Packet number and 16 octets of tag at least.
        return end <= payload.length && end >= at_length + 18;
    }

    static void add_layout(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           const Long& found,
                           Family kind,
                           ByteReader reader) noexcept {
        const std::uint8_t first = payload.bytes[0];
        if (payload.length >= 1200 && (is_initial(kind, first) || kind == Family::google)) {
            evidence.add(kPadded, head, payload.entry, 0, 0, 4);
        }
        if (!has_length(kind, found, first)) {
            return;
        }
        std::size_t at_length = 0;
        const std::uint64_t end = packet_end(kind, first, reader, at_length);
        if (end == payload.length) {
            // A varint of 1, 2, 4 or 8 octets; its two top bits are not the length's.
            const std::size_t octets = reader.position() - at_length;
            evidence.add(kLength, head, payload.entry, at_length, octets, octets == 1 ? 6 : 14);
        } else if (end != 0) {
            evidence.add(kLength, head, payload.entry, at_length, 1, 2);
        }
    }

    static void add_echo(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         const Long& found,
                         const Seen& seen) noexcept {
        const std::size_t other = index_of(opposite(payload.direction));
        if (!seen.heard[other] || !same(found.dest, seen.chosen[other])) {
            return;
        }
        const std::size_t octets = found.dest.size();
        if (octets == 0) {
            // Only the length says it: one of the 21 that are allowed.
            evidence.add(kIdEcho, head, payload.entry, 5, 1, 4);
        } else {
            evidence.add(kIdEcho, head, payload.entry, found.dest_offset, octets, id_bits(octets));
        }
    }

    static bool add_version_list(Evidence& evidence,
                                 const FlowHead& head,
                                 const Payload& payload,
                                 const Long& found,
                                 ByteReader& reader,
                                 Seen& seen) noexcept {
        if (payload.length <= found.end || (payload.length - found.end) % 4 != 0 ||
            payload.length > 512) {
            return seen.any;
        }
        std::array<std::size_t, 2> known_at{};
        std::size_t known = 0;
        while (reader.remaining() >= 4 && known < known_at.size()) {
            const std::size_t here = reader.position();
            const Family kind = family(reader.be32());
            if (kind != Family::unknown && kind != Family::grease) {
                known_at[known++] = here;
            }
        }
        if (known == 0) {
            return seen.any;
        }
        // Zeros are cheap: 16 bits for the version, 20 for the first known one that is offered,
        // less for another.
        evidence.add(kVersionList, head, payload.entry, 1, 4, 16);
        for (std::size_t index = 0; index < known; ++index) {
            evidence.add(
                kVersionList, head, payload.entry, known_at[index], 4, index == 0 ? 20 : 16);
        }
        add_echo(evidence, head, payload, found, seen);
        seen.variant = seen.any ? seen.variant : "version-negotiation";
        seen.any = true;
        seen.chosen[index_of(payload.direction)] = found.source;
        seen.heard[index_of(payload.direction)] = true;
        return true;
    }

    // A short header is ours when it carries the id the other side chose.
    static void add_short(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload,
                          const Seen& seen) noexcept {
        const Bytes chosen = seen.chosen[index_of(opposite(payload.direction))];
        ByteReader reader(payload.bytes);
        reader.skip(1);
        const Bytes dest = reader.bytes(chosen.size());
        if (chosen.size() >= 4 && reader.ok() && same(dest, chosen)) {
            evidence.add(kIdEcho, head, payload.entry, 1, dest.size(), id_bits(dest.size()));
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::quic
