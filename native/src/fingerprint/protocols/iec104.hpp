// IEC 60870-5-104 (APCI, §5), TCP.
//
//  0 68 | 1 length 4..253 of what follows | 2 control 4
//  I: bit 0 of control 1 and 3 zero; then type | number | cause | originator | address 2 ...
//  S: 01 00 | received number 2, even, little-endian; length 4
//  U: one of STARTDT, STOPDT, TESTFR, act or con, then three zeros; length 4
//
// Sources: IEC 60870-5-104:2006 §5; IEC 60870-5-101 §7.2 (type identifications, causes).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::iec104 {

inline constexpr Rule kInformation{
    "iec104.i_frame",
    "68, a length, two even counters, a type and a cause in use; IEC 60870-5-104 §5.1"};
inline constexpr Rule kSupervisory{"iec104.s_frame",
                                   "68, length 4, 01 00 and an even counter; IEC 60870-5-104 §5.1"};
inline constexpr Rule kUnnumbered{
    "iec104.u_frame", "68, length 4, one of six functions, three zeros; IEC 60870-5-104 §5.1"};
inline constexpr Rule kObjects{
    "iec104.objects",
    "as many information objects of the type as the frame has room for; IEC 60870-5-101 §7.2.2"};
inline constexpr Rule kChain{
    "iec104.chain", "the length leads to another 68 or to a segment end; IEC 60870-5-104 §5"};

inline constexpr std::array<std::uint16_t, 1> kPorts{2404};
inline constexpr std::array<const Rule*, 5> kRules{
    &kInformation, &kSupervisory, &kUnnumbered, &kObjects, &kChain};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "iec104",
        .protocol_class = ProtocolClass::app,
        .title = "IEC 60870-5-104 telecontrol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "IEC 60870-5-104:2006 §5; IEC 60870-5-101 §7.2 (type identifications, causes)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x68}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    // Octets of an information object behind its address, 0xff where the type is not in use.
    static std::size_t object_size(std::uint8_t type) noexcept {
        switch (type) {
            case 1:
            case 3:
            case 45:
            case 46:
            case 47:
            case 70:
            case 100:
            case 101:
            case 105:
                return 1;
            case 5:
            case 21:
            case 104:
            case 106:
                return 2;
            case 9:
            case 11:
            case 48:
            case 49:
                return 3;
            case 51:
                return 4;
            case 7:
            case 13:
            case 15:
            case 20:
            case 50:
                return 5;
            case 103:
                return 7;
            case 30:
            case 31:
            case 58:
            case 59:
            case 60:
                return 8;
            case 32:
            case 107:
                return 9;
            case 34:
            case 35:
            case 38:
            case 61:
            case 62:
                return 10;
            case 39:
            case 40:
            case 64:
                return 11;
            case 33:
            case 36:
            case 37:
            case 63:
                return 12;
            default:
                return 0xff;
        }
    }

    // Type 1, number 1 (high bit: one address for all), cause 2, common address 2, objects.
    static void add_objects(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t offset,
                            std::size_t length) noexcept {
        const std::size_t size = object_size(side.at(offset + 6).u8());
        const std::uint8_t number = side.at(offset + 7).u8();
        const std::size_t count = number & 0x7fU;
        const bool sequence = (number & 0x80U) != 0;
        const std::size_t objects = sequence ? 3 + count * size : count * (3 + size);
        if (size != 0xff && count > 0 && length == 10 + objects) {
            side.add(evidence, kObjects, offset + 7, 1, offset == 0 ? 8 : 4);
        }
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostFrames = 6;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostFrames; ++count) {
            ByteReader reader = side.at(offset);
            const std::uint8_t start = reader.u8();
            const std::size_t length = reader.u8();
            const std::uint8_t first = reader.u8();
            const std::uint8_t second = reader.u8();
            const std::uint16_t received = reader.be16();
            if (!reader.ok()) {
                return true;
            }
            if (start != 0x68 || length < 4 || length > 253 ||
                !add_frame(evidence, side, offset, length, {first, second, received})) {
                return count > 0 || !side.from_start();
            }
            offset += 2 + length;
            // The others' length is part of their pattern.
            const bool information = (first & 1U) == 0;
            if (count < 2 && information && (side.is_end(offset) || side.at(offset).u8() == 0x68)) {
                side.add(evidence, kChain, offset - length - 1, 1, 6);
            }
        }
        return true;
    }

    struct Control {
        std::uint8_t first = 0;
        std::uint8_t second = 0;
        std::uint16_t received = 0;
    };

    static bool add_frame(Evidence& evidence,
                          const StreamSide& side,
                          std::size_t offset,
                          std::size_t length,
                          const Control& control) noexcept {
        const bool later = offset > 0;
        if ((control.first & 3U) == 3) {
            // One bit beside the two: 04, 08, 10, 20, 40, 80.
            const bool one = std::has_single_bit(static_cast<unsigned>(control.first & 0xfcU));
            if (length != 4 || !one || control.second != 0 || control.received != 0) {
                return false;
            }
            // 8, 8, 5, and 12 of 24 for zeros.
            side.add(evidence, kUnnumbered, offset, 6, later ? 4 : 33);
            return true;
        }
        return control.first == 1 ? add_supervisory(evidence, side, offset, length, control)
                                  : add_information(evidence, side, offset, length, control);
    }

    static bool add_supervisory(Evidence& evidence,
                                const StreamSide& side,
                                std::size_t offset,
                                std::size_t length,
                                const Control& control) noexcept {
        if (length != 4 || control.second != 0 || (control.received & 0x0100U) != 0) {
            return false;
        }
        // 8, 8, 7, 4, 1.
        side.add(evidence, kSupervisory, offset, 5, offset > 0 ? 4 : 28);
        return true;
    }

    static bool add_information(Evidence& evidence,
                                const StreamSide& side,
                                std::size_t offset,
                                std::size_t length,
                                const Control& control) noexcept {
        const bool later = offset > 0;
        ByteReader reader = side.at(offset + 6);
        const std::uint8_t type = reader.u8();
        reader.skip(1);
        const std::uint8_t cause = reader.u8() & 0x3fU;
        const bool fits = (control.first & 1U) == 0 && (control.received & 0x0100U) == 0 &&
                          length >= 10 && type >= 1 && type <= 127 && cause >= 1 && cause <= 47;
        if (!fits || !reader.ok()) {
            return reader.remaining() == 0 && !reader.ok();
        }
        // The start, a type of half the range, a cause of three quarters.
        side.add(evidence, kInformation, offset, 1, later ? 3 : 8);
        side.add(evidence, kInformation, offset + 6, 1, later ? 0.5 : 1);
        add_objects(evidence, side, offset, length);
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::iec104
