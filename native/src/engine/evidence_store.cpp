// Checks lie in a chain of nodes.
#include "engine/evidence_store.hpp"

#include <algorithm>

namespace flowclass::engine {

namespace {

// Flows that a caller's fingerprint knows neither lead nor follow.
const fingerprint::MatcherInfo& info_of(const fingerprint::Match& match) noexcept {
    static constexpr fingerprint::MatcherInfo kNoLinks;
    return match.matcher < fingerprint::matchers().size()
               ? *fingerprint::matchers()[match.matcher].info
               : kNoLinks;
}

// Where the value lies in the pool from now on; Pool::kNone when that is full.
template <typename T>
std::uint32_t placed(base::Pool<T>& pool, const T& value) noexcept {
    const std::uint32_t index = pool.acquire();
    if (index != base::Pool<T>::kNone) {
        pool[index] = value;
    }
    return index;
}

template <typename T>
std::uint32_t twin_of(base::Pool<T>& pool, std::uint32_t index) noexcept {
    return index == base::Pool<T>::kNone ? index : placed(pool, pool[index]);
}

// Who leads must be sure of itself; who follows must at least be somebody.
Link link_of(const fingerprint::Match& match, base::TimeNs begun) noexcept {
    const fingerprint::MatcherInfo& info = info_of(match);
    Link link;
    link.begun = begun;
    link.token = match.evidence.link_token();
    if (match.tier >= fingerprint::Tier::probable) {
        link.leads = info.leads;
    }
    if (match.tier >= fingerprint::Tier::possible) {
        link.follows = info.follows;
    }
    return link;
}

}  // namespace

std::uint32_t EvidenceStore::save(const fingerprint::Match& match,
                                  base::TimeNs begun,
                                  base::TimeNs stood,
                                  Keep what) noexcept {
    if (match.matcher == fingerprint::kNoMatcher && match.alternative_count == 0) {
        return kNone;
    }
    const std::uint32_t index = saved_.acquire();
    if (index == kNone) {
        return kNone;
    }
    Saved& saved = saved_[index];
    const bool found = match.matcher != fingerprint::kNoMatcher;
    saved.matcher = match.matcher;
    saved.tier = match.tier;
    saved.bits = found ? match.evidence.bits() : 0;
    saved.variant = found ? match.evidence.variant() : std::string_view();
    saved.initiator = found ? match.evidence.initiator() : fingerprint::Initiator::not_known;
    saved.both_directions = found && match.evidence.both_directions();
    saved.assigned_ip_protocol = found && match.evidence.assigned_ip_protocol();
    saved.stood = stood;
    saved.link = kNone;
    if (found && (info_of(match).leads != fingerprint::LinkKind::none ||
                  info_of(match).follows[0] != fingerprint::LinkKind::none)) {
        saved.link = placed(links_, link_of(match, begun));
    }
    saved.alternatives = kNone;
    saved.checks = kNone;
    saved.check_count = 0;
    if (what == Keep::all) {
        if (match.alternative_count > 0) {
            saved.alternatives =
                placed(alternatives_, {match.alternatives, match.alternative_count});
        }
        if (found) {
            save_checks(match.evidence.checks(), saved);
        }
    }
    return index;
}

void EvidenceStore::save_checks(std::span<const fingerprint::Check> checks, Saved& saved) noexcept {
    std::uint32_t* link = &saved.checks;
    while (saved.check_count < checks.size()) {
        const std::uint32_t node = checks_.acquire();
        if (node == kNone) {
            break;
        }
        const auto rest = checks.subspan(saved.check_count);
        const std::size_t count = std::min(rest.size(), kChecksANode);
        std::copy_n(rest.begin(), count, checks_[node].checks.begin());
        checks_[node].next = kNone;
        *link = node;
        link = &checks_[node].next;
        saved.check_count = static_cast<std::uint8_t>(saved.check_count + count);
    }
}

std::uint32_t EvidenceStore::copy(std::uint32_t index) noexcept {
    const std::uint32_t twin = saved_.acquire();
    if (twin == kNone) {
        return kNone;
    }
    saved_[twin] = saved_[index];
    saved_[twin].link = twin_of(links_, saved_[index].link);
    saved_[twin].alternatives = twin_of(alternatives_, saved_[index].alternatives);
    std::uint32_t* link = &saved_[twin].checks;
    std::size_t copied = 0;
    for (std::uint32_t node = saved_[index].checks; node != kNone; node = checks_[node].next) {
        const std::uint32_t to = placed(checks_, checks_[node]);
        *link = to;
        if (to == kNone) {
            saved_[twin].check_count = static_cast<std::uint8_t>(copied);
            break;
        }
        link = &checks_[to].next;
        copied += kChecksANode;
    }
    return twin;
}

void EvidenceStore::take_link(std::uint32_t index, const Link& link) noexcept {
    Saved& saved = saved_[index];
    links_[saved.link] = link;
    saved.bits += link.rule->bits;
    saved.tier =
        fingerprint::tier_of(saved.bits, saved.both_directions, saved.assigned_ip_protocol);
}

void EvidenceStore::release(std::uint32_t index) noexcept {
    for (std::uint32_t node = saved_[index].checks; node != kNone;) {
        const std::uint32_t next = checks_[node].next;
        checks_.release(node);
        node = next;
    }
    if (saved_[index].link != kNone) {
        links_.release(saved_[index].link);
    }
    if (saved_[index].alternatives != kNone) {
        alternatives_.release(saved_[index].alternatives);
    }
    saved_.release(index);
}

}  // namespace flowclass::engine
