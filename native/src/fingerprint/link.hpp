// The rules of linked flows: what it is worth that another flow between the same two addresses
// began shortly before. Takes: the kind, and whether both carry one number. Gives: the rule and its
// bits.
//
// Addresses are no octets of the payload and a pair of hosts talks about more than one thing, so a
// link by address alone is worth little: it explains a verdict and never makes one.
#pragma once

#include <array>
#include <cstddef>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint {

struct LinkRule {
    LinkKind kind = LinkKind::none;  // of the leading flow
    Rule rule;
    float bits = 0;
};

inline constexpr auto kLinkRules = std::to_array<LinkRule>({
    {LinkKind::ike,
     {"link.ike",
      "an IKE exchange between the same addresses began up to two minutes before; RFC 7296 §1, "
      "§2.23"},
     8},
    {LinkKind::ike,
     {"link.ike_spi",
      "an IKE exchange between the same addresses has the same initiator SPI; RFC 7296 §2.23, "
      "§3.1"},
     64},
    {LinkKind::tls,
     {"link.tls",
      "a TLS session between the same addresses began up to two minutes before: the VPNs that take "
      "their keys from HTTPS begin so"},
     4},
    {LinkKind::pptp,
     {"link.pptp",
      "a PPTP control connection between the same addresses began up to two minutes before; RFC "
      "2637 "
      "§1.3"},
     12},
    {LinkKind::tinc,
     {"link.tinc",
      "a tinc meta connection between the same addresses began up to two minutes before; tinc "
      "manual, "
      "the connection"},
     12},
});

// kind none has no rule.
inline const LinkRule& link_rule(LinkKind kind, bool same_token) noexcept {
    constexpr std::array<std::size_t, static_cast<std::size_t>(LinkKind::count_)> kPlaces{
        0, 0, 2, 3, 4};
    const std::size_t place = kPlaces.at(static_cast<std::size_t>(kind));
    return kLinkRules.at(kind == LinkKind::ike && same_token ? 1 : place);
}

}  // namespace flowclass::fingerprint
