// Text of addresses: RFC 5952 for IPv6, dotted decimal for IPv4. Read by arpa/inet.h, strictly;
// written here, because two of them are written for every flow.
#include "base/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

namespace flowclass::base {

namespace {

// Digits of one IPv4 octet, without the C library: addresses are written for every flow.
std::size_t write_octet(std::uint8_t octet, std::span<char> out) noexcept {
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

std::size_t write_v4(std::uint32_t address, std::span<char> out) noexcept {
    std::size_t length = 0;
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        if (shift < 32) {
            out[length++] = '.';
        }
        length +=
            write_octet(static_cast<std::uint8_t>(address >> (shift - 8U)), out.subspan(length));
    }
    return length;
}

constexpr std::size_t kGroups = 8;

// The groups that `::` stands for: the longest run of zeros, the first of equals, at least two (RFC
// 5952 §4.2).
struct Run {
    std::size_t begin = kGroups;
    std::size_t length = 0;
};
Run zeros_of(const std::array<std::uint16_t, kGroups>& groups) noexcept {
    Run best;
    for (std::size_t begin = 0; begin < kGroups; ++begin) {
        std::size_t end = begin;
        while (end < kGroups && groups[end] == 0) {
            ++end;
        }
        if (end - begin >= 2 && end - begin > best.length) {
            best = {begin, end - begin};
        }
        begin = end;
    }
    return best;
}

std::size_t write_group(std::uint16_t group, std::span<char> out) noexcept {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::size_t length = 0;
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        const unsigned rest = group >> (shift - 4U);
        if (rest > 0 || shift == 4) {
            out[length++] = kDigits[rest & 15U];
        }
    }
    return length;
}

std::size_t write_v6(const IpAddress& address, std::array<char, kMaxAddressText>& out) noexcept {
    std::array<std::uint16_t, kGroups> groups{};
    for (std::size_t index = 0; index < kGroups; ++index) {
        const std::uint64_t half = index < 4 ? address.high : address.low;
        groups[index] = static_cast<std::uint16_t>(half >> (48U - 16U * (index % 4)));
    }
    const Run zeros = zeros_of(groups);
    // The last two groups are an IPv4 address in mapped and in compatible addresses, as glibc's
    // inet_ntop writes them.
    const bool dotted =
        zeros.begin == 0 && (zeros.length == 6 || (zeros.length == 5 && groups[5] == 0xffff));
    std::size_t length = 0;
    for (std::size_t index = 0; index < (dotted ? kGroups - 2 : kGroups); ++index) {
        if (index == zeros.begin) {
            out[length++] = ':';
            index += zeros.length - 1;
            if (index + 1 == kGroups) {
                out[length++] = ':';
            }
            continue;
        }
        if (index > 0) {
            out[length++] = ':';
        }
        length += write_group(groups[index], std::span(out).subspan(length));
    }
    if (dotted) {
        out[length++] = ':';
        length += write_v4(static_cast<std::uint32_t>(address.low), std::span(out).subspan(length));
    }
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
    if (address.version == 4) {
        return write_v4(static_cast<std::uint32_t>(address.low), out);
    }
    return write_v6(address, out);
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
