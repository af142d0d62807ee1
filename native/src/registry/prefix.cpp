// Prefixes from text and to text.
#include "registry/prefix.hpp"

#include <charconv>
#include <memory>
#include <optional>
#include <system_error>

namespace flowclass::registry {

bool is_valid(const Prefix& prefix) noexcept {
    const base::IpAddress& address = prefix.address;
    if (address.version != 4 && address.version != 6) {
        return false;
    }
    if (address.version == 4 && (address.high != 0 || address.low > UINT32_MAX)) {
        return false;
    }
    return prefix.length <= width_of(address) && (key_of(address) & host_mask(prefix.length)) == 0;
}

base::Result<Prefix> parse_prefix(std::string_view text) {
    const auto shown = [&] { return std::string(text.substr(0, 64)); };
    const std::size_t slash = text.find('/');
    const std::optional<base::IpAddress> address = base::parse_ip_address(text.substr(0, slash));
    if (!address) {
        return base::Error{"'" + shown() + "' is not an IPv4 or IPv6 prefix"};
    }
    Prefix prefix{*address, static_cast<std::uint8_t>(width_of(*address))};
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const char* const behind = std::to_address(digits.end());
        const auto [end, error] =
            std::from_chars(std::to_address(digits.begin()), behind, prefix.length);
        if (error != std::errc{} || end != behind || prefix.length > width_of(*address)) {
            return base::Error{"'" + shown() + "' has no prefix length between 0 and " +
                               std::to_string(width_of(*address))};
        }
    }
    if (!is_valid(prefix)) {
        return base::Error{"'" + shown() + "' has bits set behind its prefix length"};
    }
    return prefix;
}

std::string to_string(const Prefix& prefix) {
    return base::to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

}  // namespace flowclass::registry
