// Zabbix agents, proxies and servers (Zabbix documentation: header and data length), TCP.
//
//  0 "ZBXD" | 4 flags: 1, 2 (compressed), 4 (large) | 5 length 4, little-endian | 9 reserved 4 |
//  data
//
// Sources: Zabbix documentation, appendix: Header.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::zabbix {

inline constexpr Rule kHeader{"zabbix.header", "the letters ZBXD and flags in use; Zabbix header"};
inline constexpr Rule kLength{"zabbix.length",
                              "the length leads to the end of a segment; Zabbix header"};

inline constexpr std::array<std::uint16_t, 2> kPorts{10050, 10051};
inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kLength};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "zabbix",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Zabbix",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Zabbix documentation, appendix: Header"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'Z'}), .least_length = 5};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(4);
        const std::uint8_t flags = reader.u8();
        const std::uint32_t length = reader.le32();
        if (!has_text(side.stream(), "ZBXD") || !reader.ok() || flags == 0 || flags > 7) {
            return !side.from_start();
        }
        // Four letters 22, the flags 5.
        side.add(evidence, kHeader, 0, 5, 27);
        const std::size_t header = (flags & 4U) != 0 ? 21 : 13;
        if (side.is_end(header + length)) {
            side.add(evidence, kLength, 5, 4, 16);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::zabbix
