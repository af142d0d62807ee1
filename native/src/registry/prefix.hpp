// An address prefix, and the order of prefixes the tree and the set table are built in.
// Takes: text or an address and a length. Gives: a prefix whose host bits are zero, or why there is
// none. Guarantees: `first_key <= last_key`; a prefix sorts directly before everything it covers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/status.hpp"

namespace flowclass::registry {

struct Prefix {
    base::IpAddress address;
    std::uint8_t length = 0;

    friend bool operator==(const Prefix&, const Prefix&) noexcept = default;
};

// An address as 128 bits, left-aligned: the first bit of an IPv4 and of an IPv6 address is the top
// bit, so that one algorithm serves both. An IPv4 key ends in 96 zero bits.
using Key = unsigned __int128;

constexpr Key make_key(std::uint64_t high, std::uint64_t low) noexcept {
    return static_cast<Key>(high) << 64U | low;
}
constexpr Key key_of(const base::IpAddress& address) noexcept {
    return address.version == 4 ? make_key(address.low << 32U, 0)
                                : make_key(address.high, address.low);
}
// The low `128 - length` bits.
constexpr Key host_mask(unsigned length) noexcept {
    return length >= 128 ? Key{0} : ~Key{0} >> length;
}
constexpr Key first_key(const Prefix& prefix) noexcept {
    return key_of(prefix.address);
}
constexpr Key last_key(const Prefix& prefix) noexcept {
    return key_of(prefix.address) | host_mask(prefix.length);
}
constexpr unsigned width_of(const base::IpAddress& address) noexcept {
    return address.version == 4 ? 32 : 128;
}

// IPv4 before IPv6, then by address, then the shorter (covering) prefix first.
constexpr bool precedes(const Prefix& left, const Prefix& right) noexcept {
    if (left.address.version != right.address.version) {
        return left.address.version < right.address.version;
    }
    const Key left_key = first_key(left);
    const Key right_key = first_key(right);
    return left_key != right_key ? left_key < right_key : left.length < right.length;
}

// Version 4 or 6, a length the version has, no host bits set.
bool is_valid(const Prefix& prefix) noexcept;

// "192.0.2.0/24", "2001:db8::/32"; a bare address is a host prefix. An IPv4-mapped address stays
// the IPv6 address that it is on the wire.
base::Result<Prefix> parse_prefix(std::string_view text);
std::string to_string(const Prefix& prefix);

}  // namespace flowclass::registry
