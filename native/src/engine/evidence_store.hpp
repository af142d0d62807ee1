// Verdicts of living flows. Takes: a Match. Gives: a number to keep in the flow's slot. A verdict
// is less than a cache line; the checks that held, which only its row is made of, and what few
// verdicts have (a link, alternatives) lie apart, so that memory follows what there is.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/virtual_array.hpp"
#include "engine/kept_names.hpp"
#include "engine/link_table.hpp"
#include "fingerprint/match.hpp"

namespace flowclass::engine {

class EvidenceStore {
  public:
    static constexpr std::uint32_t kNone = 0xffffffff;
    static constexpr std::size_t kChecksANode = 4;  // most verdicts have no more

    struct Saved {
        std::string_view variant;
        float bits = 0;
        std::uint32_t checks = kNone;  // the first node
        std::uint32_t link = kNone;
        std::uint32_t alternatives = kNone;
        base::TimeNs stood = 0;  // when the verdict did
        std::uint16_t matcher = fingerprint::kNoMatcher;
        fingerprint::Tier tier = fingerprint::Tier::none;
        fingerprint::Initiator initiator = fingerprint::Initiator::not_known;
        std::uint8_t check_count = 0;
        bool both_directions = false;
        bool assigned_ip_protocol = false;

        // What stands in the verdict itself.
        template <typename Archive>
        void keep(Archive& archive);
    };
    // What is kept of a match: all that a row says, or what flows are counted by.
    enum class Keep : std::uint8_t { all, verdict };

    EvidenceStore() noexcept = default;
    explicit EvidenceStore(std::size_t capacity) noexcept
        : saved_(capacity), checks_(3 * capacity), links_(capacity), alternatives_(capacity) {}

    // kNone for a match that says nothing, and when the store is full (the flow stays unknown,
    // which is a miss, not a lie).
    // `begun`: the first payload's time; `stood`: when the verdict did.
    std::uint32_t save(const fingerprint::Match& match,
                       base::TimeNs begun,
                       base::TimeNs stood,
                       Keep what) noexcept;
    std::uint32_t copy(std::uint32_t index) noexcept;
    // Loading takes a place for the verdict, and fails where there is none.
    template <typename Archive>
    void keep(Archive& archive, std::uint32_t& index);
    void release(std::uint32_t index) noexcept;
    void set_own_name(std::uint32_t index, flow::FlowId own) noexcept {
        if (saved_[index].link != kNone) {
            links_[saved_[index].link].own = own;
        }
    }
    // One that neither leads nor follows where there is none.
    [[nodiscard]] Link link(std::uint32_t index) const noexcept {
        const std::uint32_t link = saved_[index].link;
        return link == kNone ? Link() : links_[link];
    }
    [[nodiscard]] std::span<const fingerprint::Alternative> alternatives(
        std::uint32_t index) const noexcept {
        const std::uint32_t found = saved_[index].alternatives;
        return found == kNone
                   ? std::span<const fingerprint::Alternative>()
                   : std::span(alternatives_[found].all).first(alternatives_[found].count);
    }
    // Adds what the link is worth to the verdict, once a leader was found.
    void take_link(std::uint32_t index, const Link& link) noexcept;

    [[nodiscard]] const Saved& operator[](std::uint32_t index) const noexcept {
        return saved_[index];
    }
    // When every verdict that counts for this one's link has stood.
    [[nodiscard]] base::TimeNs link_due(std::uint32_t index) const noexcept {
        return base::saturating_add(saved_[index].stood, kLinkWait);
    }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return saved_.bytes() + checks_.bytes() + links_.bytes() + alternatives_.bytes();
    }

    // Verdicts are asked for long after they were saved: first the verdict is fetched, then, once
    // it is here, its checks.
    void prefetch(std::uint32_t index) const noexcept {
        if (index != kNone) {
            saved_.prefetch(index);
        }
    }
    void prefetch_checks(std::uint32_t index) const noexcept {
        if (index != kNone && saved_[index].checks != kNone) {
            checks_.prefetch(saved_[index].checks);
        }
    }

    template <typename Visit>  // visit(const Check&), in order
    void for_each_check(std::uint32_t index, Visit&& visit) const {
        const Saved& saved = saved_[index];
        std::uint32_t node = saved.checks;
        for (std::size_t number = 0; number < saved.check_count; ++number) {
            if (number > 0 && number % kChecksANode == 0) {
                node = checks_[node].next;
            }
            visit(checks_[node].checks[number % kChecksANode]);
        }
    }

  private:
    struct Checks {
        std::array<fingerprint::Check, kChecksANode> checks;
        std::uint32_t next;
    };
    struct Alternatives {
        std::array<fingerprint::Alternative, fingerprint::kMaxAlternatives> all;
        std::size_t count;

        template <typename Archive>
        void keep(Archive& archive) {
            archive.up_to(count, fingerprint::kMaxAlternatives);
            for (std::size_t index = 0; archive.ok() && index < count; ++index) {
                keep_matcher(archive, all[index].matcher);
                keep_bits(archive, all[index].bits);
            }
        }
    };
    template <typename Archive>
    static void keep_matcher(Archive& archive, std::uint16_t& matcher) {
        archive(matcher);
        archive.require(matcher == fingerprint::kNoMatcher ||
                        matcher < fingerprint::matchers().size());
    }
    template <typename Archive>
    static void keep_bits(Archive& archive, float& bits) {
        archive(bits);
        archive.require(std::isfinite(bits));
    }
    template <typename Archive>
    static void keep_check(Archive& archive, fingerprint::Check& check);
    template <typename Archive, typename T>
    static void keep_apart(Archive& archive, base::Pool<T>& pool, std::uint32_t& index);

    void save_checks(std::span<const fingerprint::Check> checks, Saved& saved) noexcept;

  public:
    static constexpr std::size_t kVerdictBytes = sizeof(Saved) + sizeof(Checks);

  private:
    base::Pool<Saved> saved_;
    base::Pool<Checks> checks_;
    base::Pool<Link> links_;
    base::Pool<Alternatives> alternatives_;
};

template <typename Archive>
void EvidenceStore::Saved::keep(Archive& archive) {
    keep_matcher(archive, matcher);
    keep_bits(archive, bits);
    archive(tier, stood, both_directions, assigned_ip_protocol);
    archive.up_to(initiator, fingerprint::Initiator::reverse);
    archive.up_to(check_count, static_cast<std::uint8_t>(fingerprint::Evidence::kMaxChecks));
    std::uint16_t number = variant_number(variant);
    archive(number);
    archive.require(number == kNoName ? Archive::kLoads || variant.empty()
                                      : !variant_of(number).empty());
    variant = variant_of(number);
}

template <typename Archive>
void EvidenceStore::keep_check(Archive& archive, fingerprint::Check& check) {
    if constexpr (Archive::kLoads) {
        check = {};
    }
    std::uint16_t rule = rule_number(check.rule);
    archive(rule, check.time, check.packet, check.offset, check.length);
    archive.up_to(check.direction, packet::Direction::reverse);
    keep_bits(archive, check.bits);
    check.rule = rule_of(rule);
    archive.require(check.rule != nullptr);
}

// What few verdicts have.
template <typename Archive, typename T>
void EvidenceStore::keep_apart(Archive& archive, base::Pool<T>& pool, std::uint32_t& index) {
    bool there = index != kNone;
    archive(there);
    if constexpr (Archive::kLoads) {
        index = there ? pool.acquire() : kNone;
        archive.require(there == (index != kNone));
        if (index != kNone) {
            pool[index] = {};
        }
    }
    if (archive.ok() && index != kNone) {
        archive(pool[index]);
    }
}

template <typename Archive>
void EvidenceStore::keep(Archive& archive, std::uint32_t& index) {
    if constexpr (Archive::kLoads) {
        index = saved_.acquire();
        archive.require(index != kNone);
        if (index == kNone) {
            return;
        }
        saved_[index] = {};
    }
    Saved& saved = saved_[index];
    archive(saved);
    keep_apart(archive, links_, saved.link);
    keep_apart(archive, alternatives_, saved.alternatives);
    std::array<fingerprint::Check, fingerprint::Evidence::kMaxChecks> checks;
    const std::size_t count = archive.ok() ? saved.check_count : 0;
    if constexpr (Archive::kLoads) {
        for (std::size_t number = 0; number < count; ++number) {
            keep_check(archive, checks[number]);
        }
        if (archive.ok()) {
            saved.check_count = 0;
            save_checks(std::span(checks).first(count), saved);
            archive.require(saved.check_count == count);
        }
    } else {
        std::size_t number = 0;
        for_each_check(index, [&](const fingerprint::Check& check) { checks[number++] = check; });
        for (fingerprint::Check& check : std::span(checks).first(count)) {
            keep_check(archive, check);
        }
    }
}

}  // namespace flowclass::engine
