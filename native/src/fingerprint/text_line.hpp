// Words and lines in the streams of text protocols over TCP, and their bits.
// Takes: a TCP direction's stream. Gives: where words and lines lie in it.
// Guarantees: a line that the kept octets cut is neither ended nor contradicted; a letter of a word
// counts 5.5 bits, since text is full of letters.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint {

inline constexpr double kLetterBits = 5.5;
inline constexpr double kLineEndBits = 8;
inline constexpr std::size_t kNotFound = SIZE_MAX;

inline std::uint8_t upper_case(std::uint8_t octet) noexcept {
    return octet >= 'a' && octet <= 'z' ? static_cast<std::uint8_t>(octet - 0x20) : octet;
}

// `text` in capitals.
inline bool starts_any_case(Bytes bytes, std::string_view text, std::size_t offset = 0) noexcept {
    const Bytes found = at(bytes, offset).bytes(text.size());
    return found.size() == text.size() &&
           std::equal(text.begin(), text.end(), found.begin(), [](char want, std::uint8_t got) {
               return static_cast<std::uint8_t>(want) == upper_case(got);
           });
}

inline std::size_t find_any_case(Bytes bytes, std::string_view text) noexcept {
    for (std::size_t offset = 0; offset + text.size() <= bytes.size(); ++offset) {
        if (starts_any_case(bytes, text, offset)) {
            return offset;
        }
    }
    return kNotFound;
}

// Printable ASCII, tab, or the octets of other alphabets.
inline bool is_text(std::uint8_t octet) noexcept {
    return (octet >= 0x20 && octet != 0x7f) || octet == '\t';
}
inline bool all_printable(Bytes bytes) noexcept {
    return std::all_of(
        bytes.begin(), bytes.end(), [](std::uint8_t octet) { return is_printable(octet); });
}

struct TextLine {
    std::size_t begin = 0;
    std::size_t end = 0;   // of the text
    std::size_t next = 0;  // behind CR LF or LF
    bool ended = false;
    bool clean = false;  // nothing but text up to the end, or to where the stream is cut
};

inline TextLine read_line(Bytes stream, std::size_t offset) noexcept {
    TextLine line{offset, offset, offset, false, false};
    while (line.end < stream.size() && is_text(stream[line.end])) {
        ++line.end;
    }
    ByteReader reader = at(stream, line.end);
    line.clean = reader.remaining() == 0;
    const std::uint8_t first = reader.u8();
    const std::uint8_t second = first == '\r' ? reader.u8() : 0;
    if (first == '\n' || second == '\n') {
        line.ended = true;
        line.next = line.end + (first == '\n' ? 1U : 2U);
    }
    line.clean = line.clean || line.ended || (first == '\r' && !reader.ok());
    return line;
}

// The length of the first of `words` (capitals) that stands at `offset`, ended by a space, a line's
// end, or its own last octet when that is no letter; 0 when none does.
inline std::size_t word_at(Bytes stream,
                           std::size_t offset,
                           std::span<const std::string_view> words) noexcept {
    if (offset >= stream.size()) {
        return 0;
    }
    const std::uint8_t first = upper_case(stream[offset]);
    for (const std::string_view word : words) {
        if (static_cast<std::uint8_t>(word.front()) != first ||
            !starts_any_case(stream, word, offset)) {
            continue;
        }
        const std::uint8_t behind = at(stream, offset + word.size()).u8();
        const char last = word.back();
        if (behind == ' ' || behind == '\r' || behind == '\n' || last < 'A' || last > 'Z') {
            return word.size();
        }
    }
    return 0;
}

// -log2 of the chance that one of `words` begins unrelated text.
inline double word_bits(std::size_t length, std::span<const std::string_view> words) noexcept {
    const auto chosen = static_cast<double>(std::bit_width(words.size()));
    return std::max(1.0, kLetterBits * static_cast<double>(length) - chosen);
}

// The part of [offset, offset + length) of a stream that lies in its first segment.
inline void add_octets(Evidence& evidence,
                       const Rule& rule,
                       const FlowHead& head,
                       Direction direction,
                       std::size_t offset,
                       std::size_t length,
                       double bits) noexcept {
    add_at(evidence, rule, head, {direction, 0, offset}, 0, length, bits);
}

}  // namespace flowclass::fingerprint
