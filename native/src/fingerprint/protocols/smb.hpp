// SMB 1, 2 and 3 behind NetBIOS session messages, TCP 445 and 139.
//
//  0 type (0: a message) | 1 length 3 | 4 magic 4: FF SMB (1), FE SMB (2, 3), FD SMB (3, sealed),
//  FC SMB (3, compressed)
//  SMB 1: 8 command | 9 status 4 | 13 flags: 80 an answer
//  SMB 2: 8 64, little-endian | 16 command 2, at most 18 | 20 flags 4: 1 an answer | 28 message id
//  8 negotiate response: 72 dialect: 0202, 0210 are SMB 2, 0300 to 0311 are 3 NetBIOS session
//  request: 81 00 0044, two names: length 32, 32 letters A to P, 00
//
// A session's dialect is said once, at its start: later on an SMB 3 session that does not seal
// looks like SMB 2, and is called so.
//
// Sources: MS-SMB2 §2.1, §2.2.1, §2.2.4, §2.2.41; MS-CIFS §2.2.3.1; RFC 1002 §4.3.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::smb {

inline constexpr Rule kFrame{"smb.frame",
                             "type 0 and a length of less than 2^17, or of what the segment holds; "
                             "RFC 1002 §4.3.1, MS-SMB2 §2.1"};
inline constexpr Rule kMagic{
    "smb.magic", "FF, FE, FD or FC and the letters SMB; MS-CIFS §2.2.3.1, MS-SMB2 §2.2.1, §2.2.41"};
inline constexpr Rule kHeader{"smb.smb2_header", "the header says its length, 64; MS-SMB2 §2.2.1"};
inline constexpr Rule kCommand{"smb.smb2_command", "one of 19 commands; MS-SMB2 §2.2.1"};
inline constexpr Rule kDialect{"smb.dialect",
                               "the server names a dialect of SMB 2 or 3; MS-SMB2 §2.2.4"};
inline constexpr Rule kSession{
    "smb.session_request", "two NetBIOS names in letters A to P; RFC 1002 §4.3.2, RFC 1001 §14.1"};

inline constexpr std::array<std::uint16_t, 2> kPorts{445, 139};
inline constexpr std::array<std::string_view, 3> kVariants{"smb1", "smb2", "smb3"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kFrame, &kMagic, &kHeader, &kCommand, &kDialect, &kSession};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "smb",
        .protocol_class = ProtocolClass::app,
        .title = "Server Message Block",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "MS-SMB2 §2.1, §2.2.1, §2.2.4, §2.2.41; MS-CIFS §2.2.3.1; RFC 1002 §4.3"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({0x00, 0x81, 0x82, 0x83, 0x85}),
                                         .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        int version = 0;
        for (const StreamSide& side : both_sides(head)) {
            // A side that does not fit may have lost its first segments: it adds nothing.
            read(evidence, side, version);
        }
        if (!evidence.empty() && version > 0) {
            evidence.set_variant(version == 1 ? "smb1" : version == 2 ? "smb2" : "smb3");
        }
        return evidence;
    }

  private:
    static void read(Evidence& evidence, const StreamSide& side, int& version) noexcept {
        constexpr std::size_t kMostMessages = 4;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostMessages; ++count) {
            ByteReader reader = side.at(offset);
            const std::uint8_t type = reader.u8();
            const std::uint32_t length = reader.be24();
            if (!reader.ok()) {
                return;
            }
            const bool fits = type == 0      ? length >= 32 && length < (1U << 24U)
                              : type == 0x81 ? length >= 68 && length < 512
                              : type == 0x83 ? length == 1
                                             : (type == 0x82 || type == 0x85) && length == 0;
            if (!fits) {
                return;
            }
            if (type == 0x81) {
                add_session(evidence, side, offset);
            } else if (type == 0 && !add_message(evidence, side, offset, length, version)) {
                return;
            }
            offset += 4 + length;
        }
    }

    static void add_session(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t offset) noexcept {
        ByteReader reader = side.at(offset + 4);
        for (int name = 0; name < 2; ++name) {
            const bool sized = reader.u8() == 0x20;
            const Bytes letters = reader.bytes(32);
            if (!sized || !std::all_of(letters.begin(), letters.end(), [](std::uint8_t octet) {
                    return octet >= 'A' && octet <= 'P';
                })) {
                return;
            }
            // A scope may follow; seldom.
            if (reader.u8() != 0) {
                return;
            }
        }
        if (reader.ok()) {
            // 64 octets of 16 each are 256; text of capitals is not that rare: 64 for both.
            side.add(evidence, kSession, offset + 4, 68, 64);
            evidence.set_initiator(side.direction());
        }
    }

    static bool add_message(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t offset,
                            std::uint32_t length,
                            int& version) noexcept {
        ByteReader reader = side.at(offset + 4);
        const std::uint32_t magic = reader.be32();
        if (!reader.ok()) {
            return true;
        }
        const std::uint32_t kind = magic >> 24U;
        if ((magic & 0xffffffU) != 0x534d42 || kind < 0xfc ||
            (kind == 0xff && length >= (1U << 17U))) {
            return false;
        }
        const bool first = offset == 0;
        // Three letters and four marks: 24 + 6. The type is zero: 5; a length that leads to a
        // segment's end: 9 more.
        side.add(evidence, kMagic, offset + 4, 4, first ? 30 : 4);
        if (first) {
            const bool ends = side.is_end(offset + 4 + length);
            side.add(evidence, kFrame, offset, ends ? 4 : 1, ends ? 14 : 5);
        }
        version = std::max(version, kind == 0xff ? 1 : kind == 0xfe ? 2 : 3);
        if (kind == 0xff) {
            const std::uint8_t flags = side.at(offset + 13).u8();
            set_roles(evidence, side, (flags & 0x80U) != 0);
        } else if (kind == 0xfe) {
            add_smb2(evidence, side, offset + 4, version);
        }
        return true;
    }

    static void add_smb2(Evidence& evidence,
                         const StreamSide& side,
                         std::size_t header,
                         int& version) noexcept {
        const std::uint16_t size = side.at(header + 4).le16();
        ByteReader reader = side.at(header + 12);
        const std::uint16_t command = reader.le16();
        reader.skip(2);
        const std::uint32_t flags = reader.le32();
        if (!reader.ok() || size != 64 || command > 18) {
            return;
        }
        const bool first = header == 4;
        side.add(evidence, kHeader, header + 4, 2, first ? 13 : 2);
        side.add(evidence, kCommand, header + 12, 2, first ? 9 : 2);
        const bool answer = (flags & 1U) != 0;
        set_roles(evidence, side, answer);
        const std::uint16_t dialect = side.at(header + 68).le16();
        const bool smb3 = dialect == 0x0300 || dialect == 0x0302 || dialect == 0x0311;
        if (answer && command == 0 && (smb3 || dialect == 0x0202 || dialect == 0x0210)) {
            side.add(evidence, kDialect, header + 68, 2, 12);
            version = std::max(version, smb3 ? 3 : 2);
        }
    }

    static void set_roles(Evidence& evidence, const StreamSide& side, bool answer) noexcept {
        evidence.set_initiator(answer ? opposite(side.direction()) : side.direction());
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::smb
