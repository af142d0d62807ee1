// Telnet (RFC 854): commands behind FF among the text.
//
//  FF FB..FE option: will, won't, do, don't | FF FA option ... FF F0: subnegotiation
//
// What a session types without options has no form.
//
// Sources: RFC 854, RFC 855; IANA, Telnet Options.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::telnet {

inline constexpr Rule kNegotiation{"telnet.negotiation",
                                   "will, wont, do or dont and an option in use; RFC 854"};
inline constexpr Rule kSubnegotiation{"telnet.subnegotiation",
                                      "a subnegotiation of such an option that ends; RFC 855"};

inline constexpr std::array<std::uint16_t, 1> kPorts{23};
inline constexpr std::array<const Rule*, 2> kRules{&kNegotiation, &kSubnegotiation};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "telnet",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Telnet",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 854, RFC 855; IANA, Telnet Options"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0xff}), .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    // IANA: 0 to 49, and 138 to 140, 255.
    static bool is_option(std::uint8_t option) noexcept { return option < 50 || option == 255; }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostCommands = 6;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostCommands; ++count) {
            ByteReader reader = side.at(offset);
            const std::uint8_t mark = reader.u8();
            const std::uint8_t command = reader.u8();
            const std::uint8_t option = reader.u8();
            if (!reader.ok() || mark != 0xff || command < 0xfa || command == 0xff ||
                !is_option(option)) {
                break;
            }
            if (command == 0xfa) {
                std::size_t end = offset + 3;
                while (end + 1 < side.size() && end < offset + 64 &&
                       !(side.stream()[end] == 0xff && side.stream()[end + 1] == 0xf0)) {
                    ++end;
                }
                if (end + 1 >= side.size() || end >= offset + 64) {
                    break;
                }
                // As below; the end 12.
                side.add(evidence, kSubnegotiation, offset, 3, count == 0 ? 14 : 6);
                side.add(evidence, kSubnegotiation, end, 2, count == 0 ? 12 : 6);
                offset = end + 2;
            } else {
                // FF begins runs of FF, of which this is none: 6; four commands 6, 51 options 2.
                side.add(evidence, kNegotiation, offset, 3, count == 0 ? 14 : 10);
                offset += 3;
            }
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::telnet
