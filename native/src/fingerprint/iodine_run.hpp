// iodine in the middle of a session: questions whose first labels count on.
// Takes: a flow of DNS messages. Gives: the checks that the questions of one direction (asked, or
// repeated in the answers) are those of one user. Guarantees: bounded steps; one question proves
// nothing, only numbers that go on do.
//
//  ping  "p", base32 of user 1 (0 to 15), acknowledged 1, counter 2: a label of eight
//  data  user in hexadecimal, three base32 letters, counter (one of 36 characters), data
//        letters: sequence 3, fragment 2 | fragment 2, acknowledged 3 | acknowledged 4, last 1
//
// Sources: iodine's doc/proto_00000502.txt, client.c (send_ping, send_chunk).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/dns_tunnel.hpp"

namespace flowclass::fingerprint::iodine {

inline constexpr Rule kPing{"iodine.ping",
                            "a first label of p and seven base32 letters, of a user below 16; "
                            "proto_00000502"};
inline constexpr Rule kPingRun{"iodine.ping_run",
                               "the user stays the same and the counter goes on; proto_00000502"};
inline constexpr Rule kDataRun{"iodine.data_run",
                               "the user stays the same, the sequence or fragment and the counter "
                               "go on together; proto_00000502"};

// Base32 and the counter's characters have one order, of which base32 has the first 32.
inline constexpr unsigned kNoLetter = 255;
constexpr unsigned letter_value(std::uint8_t octet) noexcept {
    const auto letter = static_cast<std::uint8_t>(octet | 0x20U);
    if (letter >= 'a' && letter <= 'z') {
        return letter - unsigned{'a'};
    }
    return octet >= '0' && octet <= '9' ? 26U + octet - unsigned{'0'} : kNoLetter;
}
constexpr unsigned base32_value(std::uint8_t octet) noexcept {
    const unsigned value = letter_value(octet);
    return value < 32 ? value : kNoLetter;
}

class QuestionRun {
  public:
    QuestionRun(const FlowHead& head, Direction direction) noexcept
        : head_(head), direction_(direction) {}

    Evidence judge() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.direction != direction_ || !dns_tunnel::has_question(payload.bytes)) {
                continue;
            }
            ByteReader reader = at(payload.bytes, kDnsHeader);
            const std::uint8_t length = reader.u8();
            const Bytes label = reader.bytes(8);
            if (!reader.ok() || length > 63) {
                continue;
            }
            if (length == 8 && (label[0] | 0x20U) == 'p') {
                judge_ping(entry, label);
            } else if (length > 8) {
                judge_data(entry, label);
            }
        }
        return runs_ ? evidence_ : Evidence{};
    }

  private:
    static constexpr std::size_t kLabelAt = kDnsHeader + 1;

    void judge_ping(std::size_t entry, Bytes label) noexcept {
        std::uint64_t value = 0;
        for (const std::uint8_t octet : label.subspan(1)) {
            const unsigned letter = base32_value(octet);
            if (letter == kNoLetter) {
                return;
            }
            value = value << 5U | letter;
        }
        // 35 bits: user 8, acknowledged 8, counter 16, three that are zero.
        const auto user = static_cast<std::uint8_t>(value >> 27U);
        const auto counter = static_cast<std::uint16_t>(value >> 3U);
        if ((value & 7U) != 0 || user > 15) {
            return;
        }
        const auto step = static_cast<std::uint16_t>(counter - ping_counter_);
        if (!pinged_) {
            // A letter and a length among names 7; a zero in the last letter 3 bits.
            add(kPing, entry, 8, 10);
        } else if (user == ping_user_ && step >= 1 && step <= 3) {
            // 16 bits of counter; names with numbers in them count too, but not in base32.
            add(kPingRun, entry, 8, step == 1 ? 16 : 12);
            runs_ = true;
        }
        pinged_ = true;
        ping_user_ = user;
        ping_counter_ = counter;
    }

    void judge_data(std::size_t entry, Bytes label) noexcept {
        const auto user = static_cast<std::uint8_t>(label[0] | 0x20U);
        const bool hexadecimal =
            (label[0] >= '0' && label[0] <= '9') || (user >= 'a' && user <= 'f');
        const unsigned first = base32_value(label[1]);
        const unsigned second = base32_value(label[2]);
        const unsigned counter = letter_value(label[4]);
        if (!hexadecimal || first == kNoLetter || second == kNoLetter ||
            base32_value(label[3]) == kNoLetter || counter == kNoLetter) {
            sent_ = false;
            return;
        }
        const unsigned sequence = first >> 2U;
        const unsigned fragment = (first & 3U) << 2U | second >> 3U;
        const unsigned step = (counter + 36 - counter_) % 36;
        // The counter alone goes on when a fragment is sent again, and in numbered names.
        const bool next = (sequence == ((sequence_ + 1) & 7U) && fragment == 0) ||
                          (sequence == sequence_ && fragment == fragment_ + 1);
        if (sent_ && user == user_ && next && step >= 1 && step <= 3) {
            // Of seven bits two values, of 36 characters one, the same user.
            add(kDataRun, entry, 5, step == 1 ? 12 : 8);
            runs_ = true;
        }
        sent_ = true;
        user_ = user;
        sequence_ = sequence;
        fragment_ = fragment;
        counter_ = counter;
    }

    void add(const Rule& rule, std::size_t entry, std::size_t length, double bits) noexcept {
        evidence_.add(rule, head_, entry, kLabelAt, length, bits);
    }

    const FlowHead& head_;
    Direction direction_;
    Evidence evidence_;
    bool runs_ = false;
    bool pinged_ = false;
    std::uint8_t ping_user_ = 0;
    std::uint16_t ping_counter_ = 0;
    bool sent_ = false;
    std::uint8_t user_ = 0;
    unsigned sequence_ = 0;
    unsigned fragment_ = 0;
    unsigned counter_ = 0;
};

// The better of both directions: answers repeat the questions and prove nothing beside them.
inline Evidence judge_questions(const FlowHead& head) noexcept {
    const Evidence forward = QuestionRun(head, Direction::forward).judge();
    const Evidence reverse = QuestionRun(head, Direction::reverse).judge();
    return forward.bits() >= reverse.bits() ? forward : reverse;
}

}  // namespace flowclass::fingerprint::iodine
