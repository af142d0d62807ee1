// Names of the fingerprint room's closed lists.
#include <array>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint {

const char* to_string(ProtocolClass protocol_class) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(ProtocolClass::count_)> kNames{
        "unknown", "vpn", "overlay", "proxy", "covert", "app"};
    return kNames[static_cast<std::size_t>(protocol_class)];
}

const char* to_string(Tier tier) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(Tier::count_)> kNames{
        "none", "possible", "probable", "confirmed"};
    return kNames[static_cast<std::size_t>(tier)];
}

const char* to_string(LinkKind kind) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(LinkKind::count_)> kNames{
        "none", "ike", "tls", "pptp", "tinc"};
    return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace flowclass::fingerprint
