// What one payload proves, kept back until the whole of it is known to fit; and the walk over a
// head's payloads that most datagram matchers need.
// Takes: a head and a function that reads one payload. Gives: evidence of the first few that fit.
// Guarantees: a payload that contradicts gives nothing, and ends the claim unless three times as
// many fit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint {

struct Claim {
    const Rule* rule;
    std::size_t offset;
    std::size_t length;
    double bits;
};

// What one payload gives, kept back until the whole payload is known to fit.
class Claims {
  public:
    // The claims stay uninitialised: a payload that is none of the protocol's must cost nothing.
    Claims() noexcept {}  // NOLINT(modernize-use-equals-default)

    void add(const Rule& rule, std::size_t offset, std::size_t length, double bits) noexcept {
        if (count_ < claims_.size()) {
            claims_[count_++] = {&rule, offset, length, bits};
            bits_ += bits;
        }
    }
    // A rule that held in an earlier packet is hardly news: 4 bits at most.
    void give(Evidence& evidence, const FlowHead& head, std::size_t entry) const noexcept {
        constexpr double kAgain = 4;
        for (std::size_t index = 0; index < count_; ++index) {
            const Claim& claim = claims_[index];
            const bool again = has_held(evidence, *claim.rule, head.entries[entry].packet);
            evidence.add(*claim.rule,
                         head,
                         entry,
                         claim.offset,
                         claim.length,
                         again ? std::min(claim.bits, kAgain) : claim.bits);
        }
    }
    // What was found inside; worth `most` bits at most where other protocols carry the same.
    void append(const Claims& others, double most = 1000) noexcept {
        const double share = others.bits_ > most ? most / others.bits_ : 1.0;
        for (std::size_t index = 0; index < others.count_; ++index) {
            const Claim& claim = others.claims_[index];
            add(*claim.rule, claim.offset, claim.length, claim.bits * share);
        }
    }
    [[nodiscard]] double bits() const noexcept { return bits_; }

  private:
    static bool has_held(const Evidence& evidence,
                         const Rule& rule,
                         std::uint32_t packet) noexcept {
        for (const Check& check : evidence.checks()) {
            if (check.rule == &rule && check.packet != packet) {
                return true;
            }
        }
        return false;
    }

    std::array<Claim, 10> claims_;
    std::size_t count_ = 0;
    double bits_ = 0;
};

// Reads every payload with `read_one(payload, claims) -> Reading`; true when the flow has the form.
// What contradicts before anything fits ends it early: over UDP, which many matchers try, at once.
template <typename ReadOne>
bool gather(const FlowHead& head, Evidence& evidence, std::size_t most, ReadOne read_one) noexcept {
    const std::size_t most_wrong = head.ip_proto == kUdp ? 1 : 2;
    Tally tally;
    std::size_t said = 0;
    std::size_t wrong = 0;
    for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
        const Payload payload = head.payload(entry);
        if (payload.length == 0) {
            continue;
        }
        Claims claims;  // NOLINT(misc-const-correctness): `read_one` fills it
        const Reading reading = read_one(payload, claims);
        tally.add(reading);
        wrong += reading == Reading::contradicts ? 1U : 0U;
        if (wrong == most_wrong && said == 0) {
            return false;
        }
        if (reading == Reading::fits && said++ < most) {
            claims.give(evidence, head, entry);
        }
    }
    return tally.holds() && !evidence.empty();
}

}  // namespace flowclass::fingerprint
