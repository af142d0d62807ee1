// The talk of line protocols over TCP: a client's commands, a server's replies.
// Takes: a FlowHead and the protocol's words. Gives: Evidence. Guarantees: words that others use
// too count only beside one of the protocol's own, or where each side says its part; a stream that
// is known from its first octet and begins otherwise withdraws the claim.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint {

// A protocol of lines: commands one way, replies the other. Words in capitals, read in any case.
struct LineProtocol {
    const Rule& command;  // a word that begins a client's line
    const Rule& reply;    // the beginning of a server's first line, or a line only its servers say
    const Rule& name;     // the protocol's name in the server's first line
    const Rule& line;     // a line of text that ends
    std::span<const std::string_view> commands;   // of this protocol alone
    std::span<const std::string_view> shared;     // of others too
    std::span<const std::string_view> greetings;  // of others too
    std::span<const std::string_view> phrases;    // of this protocol alone
    std::span<const std::string_view> names;
    bool tagged = false;  // a client's line begins with a tag (IMAP)
};

class LineTalk {
  public:
    LineTalk(const FlowHead& head, const LineProtocol& protocol) noexcept
        : head_(head), protocol_(protocol) {}

    Evidence match() noexcept {
        std::array<Said, 2> said;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            Said& one = said[index_of(direction)];
            const Bytes stream = head_.stream(direction);
            if (!stream.empty()) {
                one = read(stream);
                // Seen from its first octet it begins as the protocol does.
                if (!one.any() && stream.size() >= 8 &&
                    head_.from_stream_start[index_of(direction)]) {
                    return {};
                }
            }
        }
        const bool talk = (said[0].commands > 0 && said[1].replies()) ||
                          (said[1].commands > 0 && said[0].replies());
        if (!talk && !said[0].proves && !said[1].proves) {
            return {};
        }
        Evidence evidence;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            add(evidence, direction, said[index_of(direction)], talk);
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kMostLines = 8;
    struct Said {
        std::array<std::size_t, kMostLines> at{};  // words, in the stream
        std::array<std::size_t, kMostLines> length{};
        std::size_t count = 0;
        std::size_t commands = 0;
        std::size_t greeting = 0;  // its length
        std::size_t phrases = 0;
        std::size_t name_at = kNotFound;
        std::size_t name = 0;
        TextLine first;
        bool proves = false;
        [[nodiscard]] bool replies() const noexcept { return greeting > 0 || phrases > 0; }
        [[nodiscard]] bool any() const noexcept { return commands > 0 || replies(); }
    };

    void keep(Said& said, std::size_t offset, std::size_t length) const noexcept {
        said.at[said.count] = offset;
        said.length[said.count++] = length;
    }

    [[nodiscard]] std::size_t behind_tag(Bytes stream, std::size_t offset) const noexcept {
        constexpr std::size_t kLongestTag = 12;
        if (!protocol_.tagged) {
            return offset;
        }
        for (std::size_t length = 0; length <= kLongestTag; ++length) {
            const std::uint8_t octet = at(stream, offset + length).u8();
            if (octet == ' ' && length > 0) {
                return offset + length + 1;
            }
            const std::uint8_t letter = upper_case(octet);
            if ((letter < 'A' || letter > 'Z') && !is_digit(octet) && octet != '.') {
                break;
            }
        }
        return kNotFound;
    }

    [[nodiscard]] Said read(Bytes stream) const noexcept {
        Said said;
        const std::size_t greeting = word_at(stream, 0, protocol_.greetings);
        if (greeting == 0 && !begins_with_word(stream)) {
            return said;  // nearly every stream of other protocols ends here
        }
        said.first = read_line(stream, 0);
        if (!said.first.clean) {
            return said;
        }
        said.greeting = greeting;
        for (const std::string_view name : protocol_.names) {
            const std::size_t place =
                said.greeting > 0 ? find_any_case(stream.first(said.first.end), name) : kNotFound;
            if (place != kNotFound && place >= said.greeting) {
                said.name_at = place;
                said.name = name.size();
                said.proves = true;
                break;
            }
        }
        TextLine line = said.first;
        for (std::size_t count = 0; count < kMostLines && line.clean; ++count) {
            if (!read_words(stream, line, said) || !line.ended) {
                break;
            }
            line = read_line(stream, line.next);
        }
        return said;
    }

    // Whether a line's first words are known, before it is known to be a line.
    [[nodiscard]] bool begins_with_word(Bytes stream) const noexcept {
        if (word_at(stream, 0, protocol_.phrases) > 0) {
            return true;
        }
        const std::size_t word = behind_tag(stream, 0);
        return word != kNotFound && (word_at(stream, word, protocol_.commands) > 0 ||
                                     word_at(stream, word, protocol_.shared) > 0);
    }

    // False where a client's line begins with a word of no command. A side that replies is no
    // client, whatever its lines begin with.
    bool read_words(Bytes stream, const TextLine& line, Said& said) const noexcept {
        const std::size_t phrase = word_at(stream, line.begin, protocol_.phrases);
        if (phrase > 0) {
            ++said.phrases;
            said.proves = true;
            keep(said, line.begin, phrase);
            return true;
        }
        if (said.replies()) {
            return true;
        }
        const std::size_t word = behind_tag(stream, line.begin);
        if (word == kNotFound) {
            return false;
        }
        const std::size_t own = word_at(stream, word, protocol_.commands);
        const std::size_t length = own > 0 ? own : word_at(stream, word, protocol_.shared);
        if (length == 0) {
            return false;
        }
        said.proves = said.proves || own > 0;
        ++said.commands;
        keep(said, word, length);
        return true;
    }

    void add(Evidence& evidence, Direction direction, const Said& said, bool talk) const noexcept {
        if (!said.any() || (!talk && !said.proves)) {
            return;
        }
        const bool client = said.commands > 0;
        // What a phrase holds is not counted again as a greeting or a name.
        const std::size_t held = !client && said.count > 0 && said.at[0] == 0 ? said.length[0] : 0;
        if (said.greeting > held) {
            add_octets(evidence,
                       protocol_.reply,
                       head_,
                       direction,
                       0,
                       said.greeting,
                       word_bits(said.greeting, protocol_.greetings));
        }
        if (said.name > 0 && said.name_at >= held) {
            // Anywhere in some 32 octets: 5 fewer.
            add_octets(evidence,
                       protocol_.name,
                       head_,
                       direction,
                       said.name_at,
                       said.name,
                       word_bits(said.name, protocol_.names) - 4);
        }
        for (std::size_t index = 0; index < said.count && index < 3; ++index) {
            // Later words lean on the first.
            const double bits =
                word_bits(said.length[index], client ? protocol_.commands : protocol_.phrases);
            add_octets(evidence,
                       client ? protocol_.command : protocol_.reply,
                       head_,
                       direction,
                       said.at[index],
                       said.length[index],
                       index == 0 ? bits : bits / 2);
        }
        if (said.first.ended) {
            add_octets(evidence,
                       protocol_.line,
                       head_,
                       direction,
                       said.first.end,
                       said.first.next - said.first.end,
                       kLineEndBits);
        }
        evidence.set_initiator(client ? direction : opposite(direction));
    }

    const FlowHead& head_;
    const LineProtocol& protocol_;
};

inline Evidence match_lines(const FlowHead& head, const LineProtocol& protocol) noexcept {
    return LineTalk(head, protocol).match();
}

}  // namespace flowclass::fingerprint
