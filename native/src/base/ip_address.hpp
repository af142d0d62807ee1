// An IPv4 or IPv6 address as two host-order words: comparing words compares addresses in network
// order. IPv4 lies in the low 32 bits of `low`. An IPv4 address never equals an IPv6 one: the
// version is part of the value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_reader.hpp"

namespace flowclass::base {

struct IpAddress {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::uint8_t version = 0;  // 4 or 6; 0 = none

    static IpAddress v4(std::uint32_t address) noexcept { return {0, address, 4}; }
    static IpAddress v6(std::uint64_t high, std::uint64_t low) noexcept { return {high, low, 6}; }

    friend auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(high, low, version);
    }

    // The address in network order: 4 or 16 bytes, at the front of the array.
    [[nodiscard]] std::array<std::uint8_t, 16> to_bytes() const noexcept;
    [[nodiscard]] std::size_t byte_count() const noexcept { return version == 4 ? 4 : 16; }
};

// Text of RFC 5952 (IPv6) or dotted decimal (IPv4). The buffer form returns the length written and
// allocates nothing.
inline constexpr std::size_t kMaxAddressText = 46;
std::size_t write_text(const IpAddress& address, std::array<char, kMaxAddressText>& out) noexcept;
std::string to_string(const IpAddress& address);

// Strict: no leading zeros in IPv4, no zone, no spaces.
std::optional<IpAddress> parse_ip_address(std::string_view text);

}  // namespace flowclass::base
