// Words in payloads. Takes: octets, an offset, text. Gives: whether the text stands there.
// Guarantees: nothing beyond the octets is read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/byte_reader.hpp"

namespace flowclass::fingerprint {

inline bool has_text(base::Bytes bytes, std::string_view text, std::size_t offset = 0) noexcept {
    const base::Bytes found = base::at(bytes, offset).bytes(text.size());
    return found.size() == text.size() &&
           std::equal(text.begin(), text.end(), found.begin(), [](char want, std::uint8_t got) {
               return static_cast<std::uint8_t>(want) == got;
           });
}

constexpr bool is_digit(std::uint8_t octet) noexcept {
    return octet >= '0' && octet <= '9';
}
constexpr bool is_printable(std::uint8_t octet) noexcept {
    return octet >= 0x20 && octet <= 0x7e;
}

// Where the text stands at or behind `from`; the size of the octets when it does not.
inline std::size_t find_text(base::Bytes bytes,
                             std::string_view text,
                             std::size_t from = 0) noexcept {
    for (std::size_t offset = from; offset + text.size() <= bytes.size(); ++offset) {
        if (has_text(bytes, text, offset)) {
            return offset;
        }
    }
    return bytes.size();
}

// HTTP's status line up to its code (RFC 9112 §4): version 1.0 or 1.1, a status from 100 to 599.
inline constexpr std::size_t kHttpStatus = 12;
inline bool is_http_status(base::Bytes stream) noexcept {
    return (has_text(stream, "HTTP/1.1 ") || has_text(stream, "HTTP/1.0 ")) &&
           stream.size() >= kHttpStatus && stream[9] >= '1' && stream[9] <= '5' &&
           is_digit(stream[10]) && is_digit(stream[11]);
}

}  // namespace flowclass::fingerprint
