// Flows that set up others between the same two addresses, for a while. Takes: verdicts at the head
// clock. Gives: for a flow that follows, the one that led it. Guarantees: fixed size; what is found
// depends on the packets' times alone, not on when it is asked, as long as nothing was forgotten.
//
// A leader counts for a follower when it began before it, at most kLinkWindow, and its verdict
// stood when the follower's case is closed (`due`). Verdicts stand at fixed packet times, so every
// cut of the input and every number of threads finds the same leader: flows between two addresses
// share a shard.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/hash.hpp"
#include "base/time.hpp"
#include "base/virtual_array.hpp"
#include "engine/kept_names.hpp"
#include "fingerprint/link.hpp"
#include "flow/flow_record.hpp"

namespace flowclass::engine {

inline constexpr base::TimeNs kLinkWindow = 120 * base::kSecond;
// A follower waits this long for its leader's verdict: longer than any head is open.
inline constexpr base::TimeNs kLinkWait = 16 * base::kSecond;

// What a flow's verdict says about links, and what was found.
struct Link {
    fingerprint::LinkKind leads = fingerprint::LinkKind::none;
    std::array<fingerprint::LinkKind, 2> follows{};
    std::uint64_t token = 0;  // 0: none
    base::TimeNs begun = 0;   // first payload
    flow::FlowId own;     // as of when the verdict stood: later segments have names of their own
    flow::FlowId leader;  // none until one is found
    base::TimeNs leader_begun = 0;
    const fingerprint::LinkRule* rule = nullptr;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(leads, follows, token, begun, own, leader, leader_begun);
        std::uint8_t number = link_rule_number(rule);
        archive.up_to(number, static_cast<std::uint8_t>(fingerprint::kLinkRules.size()));
        rule = link_rule_of(number);
        archive.require((rule == nullptr) == leader.none());
    }

    [[nodiscard]] bool may_follow() const noexcept {
        return follows[0] != fingerprint::LinkKind::none;
    }
};

class LinkTable {
  public:
    LinkTable() noexcept = default;
    LinkTable(std::size_t capacity, base::HashKey key);

    // The two addresses, in a form that both directions and all ports share.
    [[nodiscard]] std::uint64_t pair_of(const flow::FlowKey& key) const noexcept;

    void add_leader(std::uint64_t pair, const Link& link, base::TimeNs matched) noexcept;
    // Fills the leader in where there is one.
    void find_leader(std::uint64_t pair, Link& link, base::TimeNs due) const noexcept;

    // The leaders that are remembered, the oldest first; a table that is filled so must be new.
    template <typename Archive>
    void keep(Archive& archive);

    [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return std::min(last_, mask_ + 1) * kLeaderBytes;
    }

  private:
    struct Leader {
        std::uint64_t pair = 0;
        std::uint64_t token = 0;
        std::uint64_t older = 0;  // number of the leader before it in its bucket, 0: none
        base::TimeNs begun = 0;
        base::TimeNs matched = 0;
        flow::FlowId id;
        fingerprint::LinkKind kind = fingerprint::LinkKind::none;

        // `older` follows from the others.
        template <typename Archive>
        void keep(Archive& archive) {
            archive(pair, token, begun, matched, id, kind);
            archive.require(kind != fingerprint::LinkKind::none);
        }
    };

  public:
    static constexpr std::size_t kLeaderBytes = sizeof(Leader) + sizeof(std::uint64_t);

  private:
    // The leader of a number that was not overwritten yet.
    [[nodiscard]] const Leader* at(std::uint64_t number) const noexcept {
        return number == 0 || number + mask_ < last_ ? nullptr : &leaders_[number & mask_];
    }

    base::HashKey key_;
    base::VirtualArray<Leader> leaders_;         // a ring
    base::VirtualArray<std::uint64_t> buckets_;  // the newest number of each
    std::uint64_t mask_ = 0;
    std::uint64_t last_ = 0;  // numbers count from 1
    std::uint64_t forgotten_ = 0;
};

template <typename Archive>
void LinkTable::keep(Archive& archive) {
    constexpr std::size_t kLeastOctets = 45;
    const auto there =
        static_cast<std::size_t>(leaders_.capacity() == 0 ? 0 : std::min(last_, mask_ + 1));
    archive(forgotten_);
    const std::size_t count = archive.count(there, leaders_.capacity(), kLeastOctets);
    for (std::size_t index = 0; archive.ok() && index < count; ++index) {
        if constexpr (Archive::kLoads) {
            Leader& leader = leaders_[++last_ & mask_];
            archive(leader);
            leader.older = std::exchange(buckets_[leader.pair & mask_], last_);
        } else {
            archive(leaders_[(last_ - count + 1 + index) & mask_]);
        }
    }
}

}  // namespace flowclass::engine
