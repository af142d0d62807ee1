// Addresses as text against the C library's inet_ntop; SHA-1 against RFC 3174's example and sha1sum
// of GNU coreutils.
#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "base/ip_address.hpp"
#include "base/sha1.hpp"
#include "base/sha1_block.hpp"
#include "check.hpp"

namespace {

using namespace flowclass;

std::string expected(const base::IpAddress& address) {
    const auto bytes = address.to_bytes();
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(address.version == 4 ? AF_INET : AF_INET6,
              bytes.data(),
              text.data(),
              static_cast<socklen_t>(text.size()));
    return text.data();
}

std::string hex(const base::Sha1Digest& digest) {
    std::string text;
    for (const std::uint8_t octet : digest) {
        text += "0123456789abcdef"[octet >> 4U];
        text += "0123456789abcdef"[octet & 15U];
    }
    return text;
}

std::string sha1(const std::string& message) {
    std::array<std::uint8_t, 64> octets{};
    for (std::size_t index = 0; index < message.size(); ++index) {
        octets[index] = static_cast<std::uint8_t>(message[index]);
    }
    return hex(base::sha1_of_short(std::span(octets).first(message.size())));
}

}  // namespace

// Every pattern of zero and other groups, with last groups that look like an IPv4 address and one
// to four digits.
TEST(text_of_ipv6_is_inet_ntop_s) {
    for (unsigned pattern = 0; pattern < 256; ++pattern) {
        for (const std::uint64_t value : {0x1ULL, 0x20ULL, 0x300ULL, 0xabcdULL, 0xffffULL}) {
            std::array<std::uint64_t, 2> halves{};
            for (unsigned group = 0; group < 8; ++group) {
                halves[group / 4] =
                    halves[group / 4] << 16U | ((pattern >> group & 1U) != 0 ? value : 0U);
            }
            const auto address = base::IpAddress::v6(halves[0], halves[1]);
            CHECK_EQ(base::to_string(address), expected(address));
        }
    }
}

TEST(text_of_mapped_and_compatible_ipv6) {
    for (const std::uint64_t low : {0x0000ffffc0000201ULL,
                                    0x00000000c0000201ULL,
                                    0x0000fffec0000201ULL,
                                    0x0000ffff00000000ULL,
                                    0x1ULL,
                                    0x10000ULL,
                                    0x0ULL}) {
        const auto address = base::IpAddress::v6(0, low);
        CHECK_EQ(base::to_string(address), expected(address));
    }
}

TEST(text_of_ipv4) {
    for (const std::uint32_t address : {0U, 0x01020304U, 0x0a640009U, 0xffffffffU, 0xc0a80164U}) {
        const auto made = base::IpAddress::v4(address);
        CHECK_EQ(base::to_string(made), expected(made));
    }
}

TEST(sha1_of_short_messages) {
    CHECK_EQ(sha1("abc"), std::string("a9993e364706816aba3e25717850c26c9cd0d89d"));
    CHECK_EQ(sha1(""), std::string("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    CHECK_EQ(sha1("0123456701234567012345670123456701234567"),
             std::string("88af96506b0fffc96b5e03f81108a061932d32b1"));
}

TEST(sha1_by_instructions_equals_sha1_without) {
    if (!base::has_sha_instructions()) {
        return;  // nothing to compare: sha1_block_x86 may not run here
    }
    std::mt19937 random(5);
    for (int round = 0; round < 20000; ++round) {
        base::Sha1Block block{};
        for (std::uint8_t& octet : block) {
            octet = static_cast<std::uint8_t>(random());
        }
        CHECK(base::sha1_block_plain(block) == base::sha1_block_x86(block));
    }
}
