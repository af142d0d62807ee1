// Words in payloads. Takes: octets, an offset, text. Gives: whether the text stands there.
// Guarantees: nothing beyond the octets is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#include "base/byte_reader.hpp"

namespace flowclass::fingerprint {

// Most payloads differ in the first octet: it is looked at before anything is called.
inline bool has_text(base::Bytes bytes, std::string_view text, std::size_t offset = 0) noexcept {
    if (offset > bytes.size() || text.size() > bytes.size() - offset) {
        return false;
    }
    const base::Bytes found = bytes.subspan(offset, text.size());
    return text.empty() || (found[0] == static_cast<std::uint8_t>(text[0]) &&
                            std::memcmp(found.data(), text.data(), text.size()) == 0);
}

constexpr bool is_digit(std::uint8_t octet) noexcept {
    return octet >= '0' && octet <= '9';
}
constexpr bool is_printable(std::uint8_t octet) noexcept {
    return octet >= 0x20 && octet <= 0x7e;
}

// Where the text, which is not empty, stands at or behind `from`; the size of the octets when it
// does not.
inline std::size_t find_text(base::Bytes bytes,
                             std::string_view text,
                             std::size_t from = 0) noexcept {
    // Line ends are common: what is behind one tells more.
    const std::size_t telling = text.size() > 2 && text[0] == '\r' ? 2 : 0;
    for (std::size_t offset = from; offset + text.size() <= bytes.size(); ++offset) {
        const base::Bytes places =
            bytes.subspan(offset + telling, bytes.size() - offset - text.size() + 1);
        const void* const found = std::memchr(places.data(), text[telling], places.size());
        if (found == nullptr) {
            break;
        }
        offset += static_cast<std::size_t>(
            std::distance(places.data(), static_cast<const std::uint8_t*>(found)));
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
