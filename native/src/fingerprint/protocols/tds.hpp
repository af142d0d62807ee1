// TDS (MS-TDS §2.2.3.1), TCP: packets of Microsoft SQL Server and Sybase.
//
//  0 type: 01 batch, 03 RPC, 04 answer, 06 attention, 07 bulk, 0E transaction, 10 login, 11 SSPI,
//  12 prelogin | 1 status: bits 0, 1, 3, 4 | 2 length 2 | 4 process 2 | 6 number 1 | 7 window 0
//  prelogin: options: type 1, offset 2, length 2, chained without a hole, FF at the end
//  login: length 4, little-endian, with itself | version 4: 7x.. | packet size 4
//  answer: a token: E3, AB, AA, AD, 81, 79, D1, FD, FE, FF ...
//
// Sources: MS-TDS §2.2.1, §2.2.3.1, §2.2.4, §2.2.6.4, §2.2.6.5.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::tds {

inline constexpr Rule kHeader{"tds.header",
                              "a type, a status and a window of zero, whose length leads to a "
                              "segment end or the next; MS-TDS §2.2.3.1"};
inline constexpr Rule kPrelogin{
    "tds.prelogin", "options of a prelogin whose offsets follow each other; MS-TDS §2.2.6.5"};
inline constexpr Rule kLogin{
    "tds.login", "a login of the length of its packet and a version of TDS 7; MS-TDS §2.2.6.4"};
inline constexpr Rule kAllHeaders{"tds.all_headers",
                                  "a request begins with headers of 22 octets, a transaction "
                                  "descriptor among them; MS-TDS §2.2.5.3"};
inline constexpr Rule kToken{"tds.token", "an answer begins with a token in use; MS-TDS §2.2.4.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1433};
inline constexpr std::array<const Rule*, 5> kRules{
    &kHeader, &kPrelogin, &kLogin, &kAllHeaders, &kToken};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "tds",
        .protocol_class = ProtocolClass::app,
        .title = "Tabular Data Stream (SQL Server)",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "MS-TDS §2.2.1, §2.2.3.1, §2.2.4, §2.2.6.4, §2.2.6.5"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({1, 3, 4, 6, 7, 0x0e, 0x10, 0x11, 0x12}),
        .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        bool proven = false;
        std::array<bool, 2> answers{};
        std::array<bool, 2> fits{};
        for (const StreamSide& side : both_sides(head)) {
            if (side.size() < 9) {
                continue;
            }
            if (!read(evidence, side, proven, answers[index_of(side.direction())])) {
                return {};
            }
            fits[index_of(side.direction())] = true;
        }
        // One answers what the other asks, or what they say is plain.
        const bool talk = fits[0] && fits[1] && answers[0] != answers[1];
        return proven || talk ? evidence : Evidence{};
    }

  private:
    static constexpr std::size_t kHeaderSize = 8;

    static bool is_type(std::uint8_t type) noexcept {
        return (type >= 1 && type <= 4) || type == 6 || type == 7 || type == 0x0e ||
               (type >= 0x10 && type <= 0x12);
    }

    static bool read(Evidence& evidence,
                     const StreamSide& side,
                     bool& proven,
                     bool& answers) noexcept {
        ByteReader reader = side.at(0);
        const std::uint8_t type = reader.u8();
        const std::uint8_t status = reader.u8();
        const std::uint16_t length = reader.be16();
        reader.skip(2);
        reader.skip(1);
        const std::uint8_t window = reader.u8();
        if (!reader.ok() || !is_type(type) || (status & 0xe4U) != 0 || length < kHeaderSize ||
            window != 0) {
            return false;
        }
        const bool ends = side.is_end(length) ||
                          (is_type(side.at(length).u8()) && side.at(length).remaining() > 0);
        if (!ends && side.size() > length) {
            return false;
        }
        answers = type == 4;
        const bool client = !answers && type != 3 && type != 1;
        const bool prelogin = add_prelogin(evidence, side, length);
        if (type == 0x12 && !prelogin && !is_tls(side)) {
            return false;
        }
        proven = proven || prelogin || (type == 0x10 && add_login(evidence, side, length)) ||
                 ((type == 1 || type == 3 || type == 0x0e) && add_all_headers(evidence, side));
        // Type 4, status 4, length 8 where it leads somewhere, window 6.
        side.add(evidence, kHeader, 0, 4, ends ? 16 : 8);
        side.add(evidence, kHeader, 7, 1, 6);
        if (answers) {
            add_token(evidence, side);
        }
        if (client || answers) {
            evidence.set_initiator(client ? side.direction() : opposite(side.direction()));
        }
        return true;
    }

    // TLS is carried in packets of the prelogin's type.
    static bool is_tls(const StreamSide& side) noexcept {
        const std::uint16_t record = side.at(kHeaderSize).be16();
        return record == 0x1603 || record == 0x1403 || record == 0x1703;
    }

    static bool add_prelogin(Evidence& evidence,
                             const StreamSide& side,
                             std::size_t length) noexcept {
        constexpr std::size_t kMostOptions = 12;
        ByteReader reader = side.at(kHeaderSize);
        std::uint16_t next = 0;
        std::size_t count = 0;
        for (; count < kMostOptions; ++count) {
            const std::uint8_t option = reader.u8();
            if (option == 0xff || !reader.ok()) {
                break;
            }
            const std::uint16_t offset = reader.be16();
            const std::uint16_t size = reader.be16();
            if (option > 7 || (count > 0 && offset != next) || size > 128) {
                return false;
            }
            next = static_cast<std::uint16_t>(offset + size);
        }
        if (!reader.ok() || count < 2 || kHeaderSize + next > length) {
            return false;
        }
        // Each option behind the first: its number 5, its offset 12, half of a length 6.
        side.add(evidence,
                 kPrelogin,
                 kHeaderSize,
                 reader.position() - kHeaderSize,
                 20.0 * static_cast<double>(count > 3 ? 2 : count - 1) + 6);
        return true;
    }

    static bool add_login(Evidence& evidence, const StreamSide& side, std::size_t length) noexcept {
        ByteReader reader = side.at(kHeaderSize);
        const std::uint32_t size = reader.le32();
        reader.skip(3);
        const std::uint8_t version = reader.u8();
        if (!reader.ok() || size + kHeaderSize != length || version < 0x70 || version > 0x74) {
            return false;
        }
        // The length again 24, one of five versions 5.
        side.add(evidence, kLogin, kHeaderSize, 4, 24);
        side.add(evidence, kLogin, kHeaderSize + 7, 1, 5);
        return true;
    }

    // Total length 22, header length 18, type 2, little-endian.
    static bool add_all_headers(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(kHeaderSize);
        const std::uint32_t total = reader.le32();
        const std::uint32_t header = reader.le32();
        const std::uint16_t kind = reader.le16();
        if (!reader.ok() || total != 22 || header != 18 || kind != 2) {
            return false;
        }
        // Three small numbers 20, seven zeros at half 28.
        side.add(evidence, kAllHeaders, kHeaderSize, 10, 48);
        return true;
    }

    static void add_token(Evidence& evidence, const StreamSide& side) noexcept {
        switch (side.at(kHeaderSize).u8()) {
            case 0x79:
            case 0x81:
            case 0xaa:
            case 0xab:
            case 0xac:
            case 0xad:
            case 0xd1:
            case 0xd3:
            case 0xe3:
            case 0xe5:
            case 0xed:
            case 0xfd:
            case 0xfe:
            case 0xff:
                side.add(evidence, kToken, kHeaderSize, 1, 4);
                break;
            default:
                break;
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tds
