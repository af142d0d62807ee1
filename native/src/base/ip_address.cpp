// Text of addresses: RFC 5952 for IPv6, dotted decimal for IPv4. arpa/inet.h does both, strictly.
#include "base/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace flowclass::base {

namespace {

// Digits of one IPv4 octet, without the C library: addresses are written for every flow.
std::size_t write_octet(std::uint8_t octet, char* out) noexcept {
    std::size_t length = 0;
    if (octet >= 100) {
        out[length++] = static_cast<char>('0' + octet / 100);
    }
    if (octet >= 10) {
        out[length++] = static_cast<char>('0' + octet / 10 % 10);
    }
    out[length++] = static_cast<char>('0' + octet % 10);
    return length;
}

}  // namespace

std::array<std::uint8_t, 16> IpAddress::to_bytes() const noexcept {
    std::array<std::uint8_t, 16> out{};
    if (version == 4) {
        const auto word = __builtin_bswap32(static_cast<std::uint32_t>(low));
        std::memcpy(out.data(), &word, sizeof word);
    } else {
        const std::array<std::uint64_t, 2> words{__builtin_bswap64(high), __builtin_bswap64(low)};
        std::memcpy(out.data(), words.data(), sizeof words);
    }
    return out;
}

std::size_t write_text(const IpAddress& address, std::array<char, kMaxAddressText>& out) noexcept {
    const auto bytes = address.to_bytes();
    if (address.version == 4) {
        std::size_t length = 0;
        for (std::size_t index = 0; index < 4; ++index) {
            if (index > 0) {
                out[length++] = '.';
            }
            length += write_octet(bytes[index], &out[length]);
        }
        return length;
    }
    // glibc writes the compressed lower-case form of RFC 5952, IPv4-mapped addresses included.
    if (inet_ntop(AF_INET6, bytes.data(), out.data(), static_cast<socklen_t>(out.size())) ==
        nullptr) {
        return 0;
    }
    return std::strlen(out.data());
}

std::string to_string(const IpAddress& address) {
    std::array<char, kMaxAddressText> text{};
    const std::size_t length = write_text(address, text);
    return {text.data(), length};
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
    std::array<char, kMaxAddressText> terminated{};
    if (text.size() >= terminated.size()) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), terminated.begin());
    std::array<std::uint8_t, 16> bytes{};
    if (inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) {
        return IpAddress::v4(ByteReader(bytes).be32());
    }
    if (inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) {
        ByteReader reader(bytes);
        const std::uint64_t high = reader.be64();
        return IpAddress::v6(high, reader.be64());
    }
    return std::nullopt;
}

}  // namespace flowclass::base
