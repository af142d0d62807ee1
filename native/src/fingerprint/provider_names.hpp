// Host names that VPN providers' own programs and pages use. Takes: a server name. Gives: whose it
// is. Guarantees: a name says that a service is used, not that a tunnel is: `possible` at most.
// The list and the source of each name: provider_names.csv, which the build turns into a table.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "hello/client_hello.hpp"

namespace flowclass::fingerprint {

// vpn: of the provider's API, pages or relays; masque: asked for when a MASQUE tunnel is set up.
enum class ProviderRole : std::uint8_t { vpn, masque };

struct ProviderName {
    std::string_view suffix;
    std::string_view provider;
    ProviderRole role = ProviderRole::vpn;
};

#define FLOWCLASS_PROVIDER(suffix, provider, role) \
    ProviderName{suffix, provider, ProviderRole::role},
inline constexpr auto kProviderNames = [] {
    auto names = std::to_array<ProviderName>({
#include "provider_names.inc"
    });
    std::sort(names.begin(), names.end(), [](const ProviderName& left, const ProviderName& right) {
        return left.suffix < right.suffix;
    });
    return names;
}();
#undef FLOWCLASS_PROVIDER
static_assert(std::adjacent_find(kProviderNames.begin(),
                                 kProviderNames.end(),
                                 [](const ProviderName& left, const ProviderName& right) {
                                     return left.suffix == right.suffix;
                                 }) == kProviderNames.end());

struct ProviderList {
    std::array<std::string_view, kProviderNames.size()> names{};
    std::size_t count = 0;
};

// The providers of a role, each once, in the order of their first names.
constexpr ProviderList providers_of(ProviderRole role) noexcept {
    ProviderList list;
    for (const ProviderName& name : kProviderNames) {
        const bool known =
            std::find(list.names.begin(), list.names.end(), name.provider) != list.names.end();
        if (name.role == role && !known) {
            list.names[list.count++] = name.provider;
        }
    }
    return list;
}

// The variants of the two matchers.
inline constexpr ProviderList kVpnList = providers_of(ProviderRole::vpn);
inline constexpr ProviderList kMasqueList = providers_of(ProviderRole::masque);
inline constexpr std::span<const std::string_view> kVpnProviders(kVpnList.names.data(),
                                                                 kVpnList.count);
inline constexpr std::span<const std::string_view> kMasqueProviders(kMasqueList.names.data(),
                                                                    kMasqueList.count);

// Which lengths and first letters listed names have: few hosts of others agree in both.
constexpr std::size_t provider_key(std::string_view name) noexcept {
    constexpr std::size_t kLetters = 32;
    return (name.size() * kLetters + static_cast<std::uint8_t>(name[0]) % kLetters) % 1024;
}
inline constexpr auto kProviderKeys = [] {
    std::array<bool, 1024> keys{};
    for (const ProviderName& name : kProviderNames) {
        keys[provider_key(name.suffix)] = true;
    }
    return keys;
}();

// The listed name that is `host` or a parent of it, the longest first; nullptr for none.
inline const ProviderName* find_provider(std::string_view host) noexcept {
    while (!host.empty()) {
        if (kProviderKeys[provider_key(host)]) {
            const auto found = std::find_if(
                kProviderNames.begin(), kProviderNames.end(), [host](const ProviderName& name) {
                    return name.suffix == host;
                });
            if (found != kProviderNames.end()) {
                return &*found;
            }
        }
        const std::size_t dot = host.find('.');
        host = dot == std::string_view::npos ? std::string_view{} : host.substr(dot + 1);
    }
    return nullptr;
}

// Adds a check on a field of the hello: its octets, or for QUIC the packet that they are sealed in.
inline void add_hello_field(
    Evidence& evidence, const Rule& rule, const FlowHead& head, Bytes field, double bits) noexcept {
    const hello::ClientHello::Place place = head.hello->place_of(field);
    if (!place.there) {
        return;
    }
    if (head.hello->carrier == hello::Carrier::tls) {
        const std::size_t entry = head.entry_at(head.hello->direction, place.offset);
        if (entry < kMaxEntries) {
            const head::HeadEntry& seen = head.entries[entry];
            const std::size_t inside = place.offset - seen.start;
            const std::size_t most = std::min<std::size_t>(place.length, seen.length - inside);
            evidence.add(rule, head, entry, inside, most, bits);
        }
    } else {
        evidence.add(rule, head, place.entry, place.offset, place.length, bits);
    }
}

// The octets of a listed name in the name that was sent; none when it was sent in other letters,
// upper case among them, which no client does.
inline Bytes name_octets(const hello::ClientHello& hello, std::string_view suffix) noexcept {
    // A dot at the very end is not shown, but was sent.
    const Bytes sent = hello.server_name_octets.first(
        std::min(hello.server_name_octets.size(), hello.server_name().size()));
    const Bytes end = sent.last(std::min(suffix.size(), sent.size()));
    return std::equal(end.begin(), end.end(), suffix.begin(), suffix.end()) ? end : Bytes{};
}

}  // namespace flowclass::fingerprint
