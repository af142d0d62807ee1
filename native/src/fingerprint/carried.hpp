// What a proxy's stream carries behind the proxy's own messages: protocols whose first octets are
// known. Takes: a direction's stream and the offset where the proxied stream begins. Gives: how
// many octets there are a known beginning, and what they are worth. Guarantees: bounded reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint {

struct Carried {
    std::size_t length = 0;  // 0: nothing known
    double bits = 0;
};

inline Carried carried_at(Bytes stream, std::size_t offset) noexcept {
    constexpr std::array<std::string_view, 6> kWords{
        "SSH-", "HTTP/1.", "GET ", "POST ", "HEAD ", "CONNECT "};
    constexpr std::uint8_t kHandshake = 22;
    ByteReader reader = at(stream, offset);
    const std::uint8_t type = reader.u8();
    const std::uint16_t version = reader.be16();
    // A TLS record (RFC 8446 §5.1): two octets of fixed value, a minor version of five.
    if (reader.ok() && type == kHandshake && version >= 0x0300 && version <= 0x0304) {
        return {3, 21};
    }
    for (const std::string_view word : kWords) {
        if (has_text(stream, word, offset)) {
            // One of six words, of four octets at least: 32 - 3.
            return {word.size(), 29};
        }
    }
    return {};
}

// Adds the check for both directions: `begins` by direction, 0 where it is not known.
inline void add_carried(Evidence& evidence,
                        const Rule& rule,
                        const FlowHead& head,
                        const std::array<std::size_t, 2>& begins) noexcept {
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        const std::size_t offset = begins[index_of(direction)];
        const Carried carried =
            offset == 0 ? Carried{} : carried_at(head.stream(direction), offset);
        if (carried.length != 0) {
            add_at(evidence, rule, head, {direction, 0, offset}, 0, carried.length, carried.bits);
        }
    }
}

}  // namespace flowclass::fingerprint
