// Crypto-PAn against the reference implementation's sample trace of 2005 (cryptopanlib,
// sample_trace_raw.dat and sample_trace_sanitized.dat) and, for IPv6, the figures that yacryptopan
// publishes.
#include <algorithm>
#include <bit>
#include <string>
#include <string_view>

#include "check.hpp"
#include "crypto/cryptopan.hpp"

using namespace flowclass;
using crypto::CryptoPan;
using crypto::CryptoPanKey;

namespace {

constexpr CryptoPanKey kReference{21,  34, 23,  141, 51, 164, 207, 128, 19,  10,  91,
                                  22,  73, 144, 125, 16, 216, 152, 143, 131, 121, 121,
                                  101, 39, 98,  87,  76, 45,  42,  132, 34,  2};

CryptoPanKey key_of(std::string_view text) {
    CryptoPanKey key{};
    std::copy_n(text.begin(), key.size(), key.begin());
    return key;
}

std::string through(CryptoPan& pan, std::string_view address) {
    return base::to_string(pan.anonymized(base::parse_ip_address(address).value()));
}

// Leading bits that are equal; both are IPv6.
int shared(const base::IpAddress& one, const base::IpAddress& other) {
    return one.high != other.high ? std::countl_zero(one.high ^ other.high)
                                  : 64 + std::countl_zero(one.low ^ other.low);
}

}  // namespace

TEST(cryptopan_reference_trace) {
    CryptoPan pan(kReference);
    CHECK(pan.ok());
    CHECK_EQ(through(pan, "128.11.68.132"), "135.242.180.132");
    CHECK_EQ(through(pan, "129.118.74.4"), "134.136.186.123");
    CHECK_EQ(through(pan, "130.132.252.244"), "133.68.164.234");
    CHECK_EQ(through(pan, "141.223.7.43"), "141.167.8.160");
    CHECK_EQ(through(pan, "24.5.0.80"), "100.9.15.210");
    CHECK_EQ(through(pan, "24.13.62.231"), "100.2.192.247");
    CHECK_EQ(through(pan, "208.234.120.210"), "227.154.67.17");
    CHECK_EQ(through(pan, "209.238.72.3"), "226.6.119.243");
    CHECK_EQ(through(pan, "10.0.0.1"), "117.15.0.1");
    CHECK_EQ(through(pan, "0.0.0.0"), "120.255.240.1");
}

TEST(cryptopan_second_key) {
    CryptoPan pan(key_of("32-char-str-for-AES-key-and-pad."));
    CHECK_EQ(through(pan, "192.0.2.1"), "192.0.125.244");
    CHECK_EQ(through(pan, "2001:db8::1"), "27fe:8bc7:fee:1e:1e1f:f0fe:f0e1:83fd");
}

TEST(cryptopan_kept_prefixes_change_nothing) {
    CryptoPan kept(kReference);
    for (std::uint32_t host = 0; host < 100'000; ++host) {
        // Many prefixes want the same place; each host comes twice, the second time after others.
        const auto one = base::IpAddress::v4(host * 2654435761U);
        const auto six = base::IpAddress::v6(host * 0x9e3779b97f4a7c15U, host);
        if (host % 997 == 0) {
            CryptoPan fresh(kReference);
            CHECK(kept.anonymized(one) == fresh.anonymized(one));
            CHECK(kept.anonymized(six) == fresh.anonymized(six));
        } else {
            CHECK_EQ(kept.anonymized(one).version, 4);
            CHECK_EQ(kept.anonymized(six).version, 6);
        }
    }
    CHECK_EQ(through(kept, "24.5.0.80"), "100.9.15.210");
    CHECK_EQ(through(kept, "24.13.62.231"), "100.2.192.247");
}

TEST(cryptopan_keeps_prefixes_of_ipv6_exactly) {
    CryptoPan pan(kReference);
    const auto origin = base::IpAddress::v6(0x20010db800010002U, 0x0003000400050006U);
    for (int bit = 0; bit < 128; ++bit) {
        base::IpAddress other = origin;
        (bit < 64 ? other.high : other.low) ^= std::uint64_t{1} << (63 - bit % 64);
        CHECK_EQ(shared(pan.anonymized(origin), pan.anonymized(other)), bit);
    }
}

TEST(cryptopan_gives_none_for_what_is_no_address) {
    CryptoPan pan(kReference);
    CHECK_EQ(pan.anonymized({}).version, 0);
}

TEST(cryptopan_name_keys_differ_from_each_other_and_by_key) {
    crypto::NameKeys one;
    crypto::NameKeys other;
    CHECK(crypto::name_keys(kReference, one));
    CHECK(crypto::name_keys(key_of("32-char-str-for-AES-key-and-pad."), other));
    CHECK(one.high.k0 != one.low.k0 && one.high.k1 != one.low.k1);
    CHECK(one.high.k0 != other.high.k0 && one.low.k1 != other.low.k1);
}
