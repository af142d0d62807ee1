// Datagram protocols in which every payload has the protocol's form.
// Takes: a reader of one payload. Gives: the flow's evidence. Guarantees: payloads without octets
// are passed over, a payload that contradicts ends the claim as Tally has it, and a port is added
// only to evidence that is there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint {

// `read(evidence, payload, first)` says how a payload reads and, where it fits, adds its checks;
// `first` holds until a payload of its direction has fitted.
template <typename Read>
Evidence match_datagrams(const FlowHead& head,
                         std::span<const std::uint16_t> ports,
                         const Rule& port_rule,
                         Read read) noexcept {
    Evidence evidence;
    Tally tally;
    std::array<bool, 2> said{};
    for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
        const Payload payload = head.payload(entry);
        if (payload.length == 0) {
            continue;
        }
        bool& by_this_side = said[index_of(payload.direction)];
        const Reading reading = read(evidence, payload, !by_this_side);
        by_this_side = by_this_side || reading == Reading::fits;
        tally.add(reading);
        if (evidence.empty() && reading == Reading::contradicts) {
            return {};  // what begins so is another protocol
        }
    }
    if (!tally.holds() || evidence.empty()) {
        return {};
    }
    for (const std::uint16_t port : ports) {
        if (head.has_port(port)) {
            add_port(evidence, port_rule, head);
            break;
        }
    }
    return evidence;
}

// What each direction said last, so that the other's answer can be held against it.
template <typename Value>
class LastSaid {
  public:
    void say(const Payload& payload, const Value& value) noexcept {
        values_[index_of(payload.direction)] = value;
        known_[index_of(payload.direction)] = true;
    }
    // Whether the other direction said the same; true once a flow, for it is news once.
    [[nodiscard]] bool answers(const Payload& payload, const Value& value) noexcept {
        const std::size_t other = index_of(opposite(payload.direction));
        const bool same = !told_ && known_[other] && values_[other] == value;
        told_ = told_ || same;
        return same;
    }

  private:
    std::array<Value, 2> values_{};
    std::array<bool, 2> known_{};
    bool told_ = false;
};

// Octets of text: printable ASCII, tab and line ends.
inline bool is_text(Bytes bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t octet) {
        return is_printable(octet) || octet == '\t' || octet == '\r' || octet == '\n';
    });
}

// A known word: five bits a letter, for text is common.
inline double word_bits(std::string_view word) noexcept {
    constexpr double kLetter = 5;
    constexpr double kMost = 64;
    return std::min(kMost, kLetter * static_cast<double>(word.size()));
}

// The first of `words` that stands at an offset; empty when none does.
template <std::size_t kCount>
std::string_view word_at(Bytes bytes,
                         const std::array<std::string_view, kCount>& words,
                         std::size_t offset = 0) noexcept {
    for (const std::string_view word : words) {
        if (has_text(bytes, word, offset)) {
            return word;
        }
    }
    return {};
}

}  // namespace flowclass::fingerprint
