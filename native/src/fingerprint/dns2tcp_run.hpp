// dns2tcp in the middle of a session: questions whose base64 headers count on.
// Takes: a flow of DNS messages. Gives: the checks that the questions of one direction (asked, or
// repeated in the answers) are those of one session. Guarantees: bounded steps; one question proves
// nothing.
//
//  first label: base64(session be16, acknowledged be16, sequence be16, type 1, data)
//
// Source: dns2tcp 0.5 (common/includes/packet.h, client/queue.c).
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/dns_tunnel.hpp"

namespace flowclass::fingerprint::dns2tcp {

inline constexpr Rule kSessionRun{"dns2tcp.session_run",
                                  "the session of the base64 header stays, its sequence goes on; "
                                  "packet.h"};

// Seven octets of header take ten letters.
inline constexpr std::size_t kHeaderLetters = 10;

constexpr unsigned base64_value(std::uint8_t octet) noexcept {
    if (octet >= 'A' && octet <= 'Z') {
        return octet - unsigned{'A'};
    }
    if (octet >= 'a' && octet <= 'z') {
        return 26U + octet - unsigned{'a'};
    }
    if (octet >= '0' && octet <= '9') {
        return 52U + octet - unsigned{'0'};
    }
    // Names cannot have "/"; a resolver of old may not pass "+".
    return octet == '+' || octet == '-' ? 62 : octet == '/' || octet == '_' ? 63 : 64;
}

class SessionRun {
  public:
    SessionRun(const FlowHead& head, Direction direction) noexcept
        : head_(head), direction_(direction) {}

    Evidence judge() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.direction == direction_ && dns_tunnel::has_question(payload.bytes)) {
                judge_one(entry, payload.bytes);
            }
        }
        return evidence_;
    }

  private:
    void judge_one(std::size_t entry, Bytes payload) noexcept {
        ByteReader reader = at(payload, kDnsHeader);
        const std::uint8_t length = reader.u8();
        std::uint64_t value = 0;
        for (const std::uint8_t octet : reader.bytes(kHeaderLetters)) {
            const unsigned letter = base64_value(octet);
            if (letter > 63) {
                return;
            }
            value = value << 6U | letter;
        }
        if (!reader.ok() || length < kHeaderLetters || length > 63) {
            return;
        }
        // Sixty bits: 16, 16, 16, 8 and four of data or none.
        const auto session = static_cast<std::uint16_t>(value >> 44U);
        const auto acknowledged = static_cast<std::uint16_t>(value >> 28U);
        const auto sequence = static_cast<std::uint16_t>(value >> 12U);
        const auto type = static_cast<std::uint8_t>(value >> 4U);
        if (session == 0 || type > 31) {
            return;
        }
        const auto step = static_cast<std::uint16_t>(sequence - sequence_);
        const auto heard = static_cast<std::uint16_t>(acknowledged - acknowledged_);
        if (session == session_ && step >= 1 && step <= 3 && heard <= 16) {
            // 16 bits of sequence, 12 of what was heard, three of type: at half, since numbered
            // names count on too; names with one beginning are common.
            evidence_.add(kSessionRun, head_, entry, kDnsHeader + 1, kHeaderLetters, 16);
        }
        session_ = session;
        acknowledged_ = acknowledged;
        sequence_ = sequence;
    }

    const FlowHead& head_;
    Direction direction_;
    Evidence evidence_;
    std::uint16_t session_ = 0;
    std::uint16_t acknowledged_ = 0;
    std::uint16_t sequence_ = 0;
};

// The better of both directions: answers repeat the questions and prove nothing beside them.
inline Evidence judge_sessions(const FlowHead& head) noexcept {
    const Evidence forward = SessionRun(head, Direction::forward).judge();
    const Evidence reverse = SessionRun(head, Direction::reverse).judge();
    return forward.bits() >= reverse.bits() ? forward : reverse;
}

}  // namespace flowclass::fingerprint::dns2tcp
