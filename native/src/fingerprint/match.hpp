// Takes: complete heads. Gives: for each the best Evidence and the losers worth naming.
// A table over (IP protocol, first octet) picks the candidates; each is tried; the best tier wins,
// then the most bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fingerprint/contract.hpp"
#include "hello/client_hello.hpp"

namespace flowclass::fingerprint {

inline constexpr std::uint16_t kNoMatcher = 0xffff;
inline constexpr std::size_t kMaxAlternatives = 4;

struct Alternative {
    std::uint16_t matcher = kNoMatcher;
    float bits = 0;
};

struct Match {
    // Index into matchers(), those of the caller behind them; never leaves the process.
    std::uint16_t matcher = kNoMatcher;
    Tier tier = Tier::none;
    Evidence evidence;
    std::array<Alternative, kMaxAlternatives> alternatives{};  // >= 16 bits, strongest first
    std::size_t alternative_count = 0;
    bool has_hello = false;
    hello::ClientHello hello;  // what the client said, where has_hello; lives as long as the head
};

struct MatcherEntry {
    std::string_view name;  // of its file
    const MatcherInfo* info = nullptr;
    const Prefilter* prefilter = nullptr;
    Evidence (*match)(const FlowHead&) noexcept = nullptr;
};

// All matchers of this build, sorted by file name.
std::span<const MatcherEntry> matchers() noexcept;

// Reads the client's hello first, if there is one; `head` then shows it to the matchers, and points
// into `out` from then on.
void match(FlowHead& head, Match& out) noexcept;

// Whether a head is worth a trial, asked of one prefilter alone.
bool passes(const Prefilter& filter, const FlowHead& head) noexcept;

// Takes evidence, not empty, into account: it is the best so far, or an alternative.
void consider(Match& out, std::uint16_t matcher, const Evidence& evidence) noexcept;

}  // namespace flowclass::fingerprint
