// Oracle's transparent network substrate, TCP.
//
//  0 length 2 | 2 checksum 0 | 4 type: 1 connect, 2 accept, 4 refuse, 5 redirect, 6 data, 11
//  resend, 12 marker, 14 control | 5 flags | 6 checksum of the header 0 connect: 8 version 2:
//  0x012C.. | 10 least version 2, ... | text: "(DESCRIPTION=" or
//           "(CONNECT_DATA="
//  Later versions have a length of four octets in data, 0 to 3.
//
// Sources: Oracle Net Services administration guide; python-oracledb src/oracledb/impl/thin
// (packet.pyx, constants.pxi).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::oracle_tns {

inline constexpr Rule kHeader{
    "oracle-tns.header",
    "a length that leads to a segment end, zero checksums and a type in use; packet.pyx"};
inline constexpr Rule kVersion{
    "oracle-tns.version",
    "a connection is asked for or accepted in a version of 300 to 330; constants.pxi"};
inline constexpr Rule kText{
    "oracle-tns.text",
    "the connection text begins with its first word; Oracle Net, connect descriptor"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1521};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kVersion, &kText};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "oracle-tns",
        .protocol_class = ProtocolClass::app,
        .title = "Oracle Net (TNS)",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources =
            "Oracle Net Services administration guide; python-oracledb src/oracledb/impl/thin "
            "(packet.pyx, constants.pxi)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::range(0, 0x1f), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        bool proven = false;
        for (const StreamSide& side : both_sides(head)) {
            if (side.size() >= 8 && !read(evidence, side, proven)) {
                return {};
            }
        }
        return proven ? evidence : Evidence{};
    }

  private:
    static bool read(Evidence& evidence, const StreamSide& side, bool& proven) noexcept {
        ByteReader reader = side.at(0);
        const std::uint16_t length = reader.be16();
        const std::uint16_t checksum = reader.be16();
        const std::uint8_t type = reader.u8();
        reader.skip(1);
        const std::uint16_t header = reader.be16();
        const bool known = type == 1 || type == 2 || (type >= 4 && type <= 6) || type == 11 ||
                           type == 12 || type == 14;
        if (!reader.ok() || length < 8 || checksum != 0 || !known || header != 0 ||
            !(side.is_end(length) || length < side.size())) {
            return false;
        }
        // A length that leads on 10, zeros at half 16, the type 5.
        side.add(evidence, kHeader, 0, 5, 23);
        side.add(evidence, kHeader, 6, 2, 8);
        const std::uint16_t version = reader.be16();
        if ((type == 1 || type == 2) && version >= 300 && version <= 330) {
            side.add(evidence, kVersion, 8, 2, 11);
            evidence.set_initiator(type == 1 ? side.direction() : opposite(side.direction()));
            proven = true;
        }
        for (const std::string_view word : {"(DESCRIPTION=", "(CONNECT_DATA=", "(ADDRESS="}) {
            const std::size_t place =
                find_text(side.stream().first(side.size() < 128 ? side.size() : 128), word);
            if (place < 128 && place < side.size()) {
                side.add(evidence,
                         kText,
                         place,
                         word.size(),
                         kLetterBits * static_cast<double>(word.size()) - 8);
                proven = true;
                break;
            }
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::oracle_tns
