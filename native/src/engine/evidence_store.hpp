// Verdicts of living flows. Takes: a Match. Gives: a number to keep in the flow's slot. A verdict
// is less than a cache line; the checks that held, which only its row is made of, and what few
// verdicts have (a link, alternatives) lie apart, so that memory follows what there is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/virtual_array.hpp"
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
    };

    void save_checks(std::span<const fingerprint::Check> checks, Saved& saved) noexcept;

  public:
    static constexpr std::size_t kVerdictBytes = sizeof(Saved) + sizeof(Checks);

  private:
    base::Pool<Saved> saved_;
    base::Pool<Checks> checks_;
    base::Pool<Link> links_;
    base::Pool<Alternatives> alternatives_;
};

}  // namespace flowclass::engine
