// Fingerprints that the caller brought, beside those of the build. Takes: what each publishes, a
// prefilter, and a function. Gives: the same Evidence that a matcher of the build gives; their
// numbers follow those of the build. Guarantees: a function sees the head where it lies and nothing
// else; what it says is held against the head before it counts; what fails says nothing and is
// counted. Not changed once it is made, so any number of threads may match.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fingerprint/match.hpp"

namespace flowclass::fingerprint {

inline constexpr std::size_t kMaxUserMatchers = 64;

// What a function is given: plain data, because another compiler makes the function. Who makes one
// holds its own offsets against user_layouts() first.
struct UserHead {
    base::TimeNs time_first;
    const std::uint8_t* octets_fwd;  // FlowHead::kept
    const std::uint8_t* octets_rev;
    const head::HeadEntry* entries;
    std::uint32_t size_fwd, size_rev;
    std::uint16_t src_port, dst_port;
    std::uint8_t ip_proto, entry_count;
    std::uint8_t start_fwd, start_rev;  // FlowHead::from_stream_start
    std::uint8_t gap_fwd, gap_rev;
    std::uint8_t truncated;
};

// What a function says: checks that held, by the place of the rule among its own and of the entry.
struct UserCheck {
    double bits;
    std::uint16_t rule, entry, offset, length;
};
struct UserEvidence {
    std::array<UserCheck, Evidence::kMaxChecks> checks;
    std::uint32_t count;     // checks beyond the last place are not kept
    std::uint8_t variant;    // from 1; 0: none
    std::uint8_t initiator;  // as Initiator
};
// 1: the evidence counts; 0: there is none; all else: the function failed.
using UserFunction = int (*)(const UserHead*, UserEvidence*);

struct UserField {
    std::string_view name;
    std::size_t offset, size;
};
struct UserLayout {
    std::string_view name;
    std::size_t size;
    std::vector<UserField> fields;
};
std::vector<UserLayout> user_layouts();

// What a caller says of a fingerprint.
struct UserMatcher {
    std::string protocol;
    ProtocolClass protocol_class = ProtocolClass::unknown;
    std::vector<std::string> variants;
    std::vector<std::pair<std::string, std::string>> rules;  // id, meaning
    Prefilter prefilter;
    UserFunction function = nullptr;
};

// By matcher: how often its function failed, and how often it claimed what no check can hold.
struct UserFaults {
    std::array<std::uint64_t, kMaxUserMatchers> failed{};
    std::array<std::uint64_t, kMaxUserMatchers> refused{};

    void add(const UserFaults& other) noexcept {
        for (std::size_t number = 0; number < kMaxUserMatchers; ++number) {
            failed[number] += other.failed[number];
            refused[number] += other.refused[number];
        }
    }
};

class UserMatchers {
  public:
    // At most kMaxUserMatchers; more are left out.
    explicit UserMatchers(std::vector<UserMatcher> given);
    UserMatchers(const UserMatchers&) = delete;
    UserMatchers& operator=(const UserMatchers&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return given_.size(); }
    [[nodiscard]] const MatcherInfo& info(std::size_t number) const noexcept {
        return infos_[number];
    }
    // Of all of them, one after the other.
    [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return rules_; }
    // Where a rule stands among them; the number of rules for one of the build.
    [[nodiscard]] std::size_t place_of(const Rule* rule) const noexcept;

    // Goes on with what the matchers of the build found in the same head.
    void match(const FlowHead& head, Match& out, UserFaults& faults) const noexcept;
    // What one of them says of a head that its prefilter lets pass.
    [[nodiscard]] Evidence evidence(std::size_t number,
                                    const FlowHead& head,
                                    UserFaults& faults) const noexcept;

  private:
    [[nodiscard]] bool fill(const FlowHead& head,
                            std::size_t number,
                            const UserEvidence& said,
                            Evidence& out) const noexcept;

    std::vector<UserMatcher> given_;
    std::vector<Rule> rules_;
    std::vector<std::size_t> first_rule_;  // by matcher: where its rules begin
    std::vector<std::vector<std::string_view>> variants_;
    std::vector<std::vector<const Rule*>> rule_lists_;
    std::vector<MatcherInfo> infos_;
};

// What a matcher of the build, or of the caller, publishes.
const MatcherInfo& info_of(std::uint16_t matcher, const UserMatchers* user) noexcept;

}  // namespace flowclass::fingerprint
