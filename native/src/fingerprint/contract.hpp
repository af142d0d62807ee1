// The contract of a fingerprint. Takes: a FlowHead. Gives: Evidence, the list of checks that held.
// One file protocols/<name>.hpp holds everything about one protocol and ends with
// `static_assert(FingerprintMatcher<Matcher>)`; the build finds it, nothing else is edited.
//
// bits of a check = -log2 of the chance that payload of unrelated traffic passes it: a constant
// octet 8, an echoed 64-bit id 64, an exact length at most 6, a port at most 2 and never enough
// alone. The sum, and whether both directions took part, give the tier (tier_of).
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "head/flow_head.hpp"

namespace flowclass::fingerprint {

using base::at;
using base::ByteReader;
using base::Bytes;
using head::Direction;
using head::FlowHead;
using head::index_of;
using head::kMaxEntries;
using head::opposite;
using head::Payload;

enum class ProtocolClass : std::uint8_t { unknown, vpn, overlay, proxy, covert, app, count_ };
enum class Tier : std::uint8_t { none, possible, probable, confirmed, count_ };
const char* to_string(ProtocolClass protocol_class) noexcept;
const char* to_string(Tier tier) noexcept;

// A check as it is published: `id` is "<protocol>.<what>", stable across releases.
struct Rule {
    std::string_view id;
    std::string_view meaning;  // one sentence with its source
};

struct Check {
    const Rule* rule;
    base::TimeNs time;
    std::uint32_t packet;  // which payload-bearing packet of the flow, from 1
    std::uint16_t offset;  // in that packet's payload, octets
    std::uint16_t length;  // octets; 0 for a check of the length itself
    Direction direction;
    float bits;
};

// How one flow sets up another between the same two addresses. A matcher's info says which kind its
// flows lead and which they follow; the engine puts them together (engine/link_table.hpp).
enum class LinkKind : std::uint8_t { none, ike, tls, pptp, tinc, count_ };
const char* to_string(LinkKind kind) noexcept;

// Who a protocol's own roles say is the initiator.
enum class Initiator : std::uint8_t { not_known, forward, reverse };

class Evidence {
  public:
    static constexpr std::size_t kMaxChecks = 16;

    // The checks stay uninitialised (Check has no initialisers): a matcher that finds nothing must
    // cost nothing.
    Evidence() noexcept {}  // NOLINT(modernize-use-equals-default)
    // A copy has the checks that are there: evidence is returned by value, and mostly empty.
    Evidence(const Evidence& other) noexcept { *this = other; }
    Evidence& operator=(const Evidence& other) noexcept {
        count_ = other.count_;
        std::copy_n(other.checks_.begin(), count_, checks_.begin());
        variant_ = other.variant_;
        link_token_ = other.link_token_;
        bits_ = other.bits_;
        directions_ = other.directions_;
        initiator_ = other.initiator_;
        assigned_ip_protocol_ = other.assigned_ip_protocol_;
        return *this;
    }
    ~Evidence() = default;

    // The check held on octets [offset, offset + length) of an entry's payload. Checks beyond the
    // cap still count their bits.
    void add(const Rule& rule,
             const FlowHead& head,
             std::size_t entry,
             std::size_t offset,
             std::size_t length,
             double bits) noexcept {
        const head::HeadEntry& seen = head.entries[entry < kMaxEntries ? entry : 0];
        bits_ += static_cast<float>(bits);
        directions_[index_of(seen.direction)] = true;
        if (count_ < kMaxChecks) {
            checks_[count_++] = {&rule,
                                 seen.time,
                                 seen.packet,
                                 static_cast<std::uint16_t>(offset + seen.payload_offset),
                                 static_cast<std::uint16_t>(length),
                                 seen.direction,
                                 static_cast<float>(bits)};
        }
    }
    // The same for octet `offset` of a TCP direction's stream; no evidence where no entry holds
    // that octet.
    void add_stream(const Rule& rule,
                    const FlowHead& head,
                    Direction direction,
                    std::size_t offset,
                    std::size_t length,
                    double bits) noexcept {
        const std::size_t entry = head.entry_at(direction, offset);
        if (entry < kMaxEntries) {
            add(rule, head, entry, offset - head.entries[entry].start, length, bits);
        }
    }
    void set_variant(std::string_view variant) noexcept { variant_ = variant; }  // a string literal
    void set_initiator(Direction direction) noexcept {
        initiator_ = direction == Direction::forward ? Initiator::forward : Initiator::reverse;
    }
    // The flow's IP protocol number is assigned to this protocol alone and its header checks hold
    // (DESIGN: confirmed).
    void set_assigned_ip_protocol() noexcept { assigned_ip_protocol_ = true; }

    // A number that the leading and the following flow both carry (an SPI, a call id), or 0.
    void set_link_token(std::uint64_t token) noexcept { link_token_ = token; }

    [[nodiscard]] std::span<const Check> checks() const noexcept {
        return std::span(checks_).first(count_);
    }
    [[nodiscard]] float bits() const noexcept { return bits_; }
    [[nodiscard]] std::string_view variant() const noexcept { return variant_; }
    [[nodiscard]] Initiator initiator() const noexcept { return initiator_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] bool both_directions() const noexcept { return directions_[0] && directions_[1]; }
    [[nodiscard]] bool assigned_ip_protocol() const noexcept { return assigned_ip_protocol_; }
    [[nodiscard]] std::uint64_t link_token() const noexcept { return link_token_; }

  private:
    std::array<Check, kMaxChecks> checks_;
    std::string_view variant_;
    std::uint64_t link_token_ = 0;
    float bits_ = 0;
    std::uint8_t count_ = 0;
    std::array<bool, 2> directions_{};
    Initiator initiator_ = Initiator::not_known;
    bool assigned_ip_protocol_ = false;
};

constexpr Tier tier_of(float bits, bool both_directions, bool assigned_ip_protocol) noexcept {
    if (assigned_ip_protocol || (bits >= 64 && both_directions) || bits >= 96) {
        return Tier::confirmed;
    }
    if (bits >= 32) {
        return Tier::probable;
    }
    return bits >= 16 ? Tier::possible : Tier::none;
}
inline Tier tier_of(const Evidence& evidence) noexcept {
    return evidence.empty()
               ? Tier::none
               : tier_of(
                     evidence.bits(), evidence.both_directions(), evidence.assigned_ip_protocol());
}

// 256 bits: which first octets of a payload are worth a trial.
class ByteSet {
  public:
    static constexpr ByteSet all() noexcept {
        ByteSet set;
        set.words_ = {~0ULL, ~0ULL, ~0ULL, ~0ULL};
        return set;
    }
    static constexpr ByteSet of(std::initializer_list<int> values) noexcept {
        ByteSet set;
        for (const int value : values) {
            set.add(static_cast<std::uint8_t>(value));
        }
        return set;
    }
    static constexpr ByteSet range(int first, int last) noexcept {
        ByteSet set;
        for (int value = first; value <= last; ++value) {
            set.add(static_cast<std::uint8_t>(value));
        }
        return set;
    }
    // Octets in which the bits of a mask have a value.
    static constexpr ByteSet masked(unsigned mask, unsigned value) noexcept {
        ByteSet set;
        for (unsigned octet = 0; octet < 256; ++octet) {
            if ((octet & mask) == value) {
                set.add(static_cast<std::uint8_t>(octet));
            }
        }
        return set;
    }
    constexpr ByteSet operator|(const ByteSet& other) const noexcept {
        ByteSet set;
        for (std::size_t word = 0; word < 4; ++word) {
            set.words_[word] = words_[word] | other.words_[word];
        }
        return set;
    }
    constexpr bool operator==(const ByteSet& other) const noexcept = default;
    [[nodiscard]] constexpr bool contains(std::uint8_t value) const noexcept {
        return (words_[value / 64U] >> (value % 64U) & 1U) != 0;
    }

  private:
    constexpr void add(std::uint8_t value) noexcept {
        words_[value / 64U] |= 1ULL << (value % 64U);
    }
    std::array<std::uint64_t, 4> words_{};
};

inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;

// An octet of the payload, where it was kept, and what it may be; over one IP protocol alone, or
// all.
struct OctetTest {
    std::uint8_t at = 0;
    ByteSet octets = ByteSet::all();
    std::uint8_t ip_proto = 0;
};
using OctetTests = std::array<OctetTest, 6>;

// The cheap first test: a matcher is tried when the flow's IP protocol is listed and, in either
// direction, the first payload has a first octet in the set, a length on the wire in
// [least_length, most_length], and passes all of `octets`, or all of `or_octets` where a protocol
// begins in two ways. It decides most trials: what a first payload must hold belongs here.
struct Prefilter {
    std::array<std::uint8_t, 8> ip_protos{};  // IANA numbers, 0-filled
    ByteSet first_bytes = ByteSet::all();
    std::uint32_t least_length = 1;
    std::uint32_t most_length = UINT32_MAX;
    OctetTests octets{};
    OctetTests or_octets{};  // none: there is one way
};

struct MatcherInfo {
    std::string_view protocol;  // id in the schema's dictionary, e.g. "wireguard"; several matchers
                                // may share one
    ProtocolClass protocol_class = ProtocolClass::unknown;
    std::string_view title;                // for people
    std::span<const std::uint16_t> ports;  // usual ones: they may order trials, they never decide
    std::span<const std::string_view> variants;  // every variant the matcher can say
    std::span<const Rule* const> rules;          // every rule it can say
    std::string_view sources;
    LinkKind leads = LinkKind::none;
    std::array<LinkKind, 2> follows{};
};

template <typename M>
concept FingerprintMatcher = requires(const FlowHead& head) {
    { M::info } -> std::convertible_to<const MatcherInfo&>;
    { M::prefilter } -> std::convertible_to<const Prefilter&>;
    { M::match(head) } noexcept -> std::same_as<Evidence>;
};

}  // namespace flowclass::fingerprint
