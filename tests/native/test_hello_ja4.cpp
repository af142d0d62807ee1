// JA4 against the values that FoxIO publishes, and the rules of its specification one by one; the
// library that hashes.
#include <array>
#include <string>

#include "check.hpp"
#include "crypto/libcrypto.hpp"
#include "hello_heads.hpp"

using namespace flowclass;
using namespace hello_heads;

namespace {

std::string ja4_of(const Hello& hello) {
    ClientHello out;
    HeadBuilder builder(kTcp);
    builder.add(records(hello.message()));
    return builder.read(out) ? std::string(out.ja4()) : std::string("none");
}

std::string first_part(const Hello& hello) {
    return ja4_of(hello).substr(0, 10);
}

Hello with(const Extension& extension) {
    Hello hello;
    hello.extensions = {extension};
    return hello;
}

std::string hex_of(const crypto::Digest& digest) {
    std::string out;
    for (const std::uint8_t octet : digest) {
        out += "0123456789abcdef"[octet >> 4U];
        out += "0123456789abcdef"[octet & 15U];
    }
    return out;
}

}  // namespace

TEST(ja4_needs_a_library_that_is_here) {
    // All other tests of this file would be void without it.
    CHECK(crypto::libcrypto_available());
    CHECK_EQ(crypto::crypto_library().substr(0, 8), "OpenSSL ");
    CHECK(crypto::crypto_library().size() <= 16);
}

TEST(a_library_that_is_not_there_is_no_error) {
    const std::array<const char*, 2> names{"libno-such-library.so.1", "/nonexistent/libcrypto.so"};
    CHECK(!crypto::can_load_libcrypto(names));
    const std::array<const char*, 1> another{"libc.so.6"};  // loads, and has none of the functions
    CHECK(!crypto::can_load_libcrypto(another));
}

TEST(sha256_and_hmac_as_published) {
    crypto::Digest digest;
    // FIPS 180-4's example, from NIST's cryptographic standards page.
    CHECK(crypto::sha256(octets_of("abc"), digest));
    CHECK_EQ(hex_of(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231 §4.2 and §4.3.
    CHECK(crypto::hmac_sha256(Octets(20, 0x0b), octets_of("Hi There"), digest));
    CHECK_EQ(hex_of(digest), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(
        crypto::hmac_sha256(octets_of("Jefe"), octets_of("what do ya want for nothing?"), digest));
    CHECK_EQ(hex_of(digest), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(ja4_of_foxio) {
    CHECK_EQ(ja4_of(foxio_hello()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    Hello without = foxio_hello();
    std::erase_if(without.extensions, [](const Extension& row) { return row.first == 13; });
    without.extensions.push_back({13, {}});  // there, but with no list
    CHECK_EQ(ja4_of(without), "t13d1516h2_8daaf6152771_6d807ffa2a79");
}

TEST(ja4_does_not_see_the_order_of_suites_and_extensions) {
    Hello turned = foxio_hello();
    std::reverse(turned.extensions.begin(), turned.extensions.end());
    Octets suites;
    for (std::size_t at = turned.suites.size(); at > 0; at -= 2) {
        put_all(suites, part(turned.suites, at - 2, at));
    }
    turned.suites = suites;
    CHECK_EQ(ja4_of(turned), ja4_of(foxio_hello()));
    Hello signatures = foxio_hello();
    for (Extension& row : signatures.extensions) {
        if (row.first == 13) {
            std::swap(row.second[2], row.second[4]);
            std::swap(row.second[3], row.second[5]);
        }
    }
    CHECK(ja4_of(signatures) != ja4_of(foxio_hello()));
}

TEST(ja4_of_a_hello_with_nothing) {
    Hello hello;
    hello.suites = words({0x0a0a, 0x5a5a});
    hello.has_extensions = false;
    CHECK_EQ(ja4_of(hello), "t12i000000_000000000000_000000000000");
    // A name and protocols alone leave no extension to hash.
    hello.has_extensions = true;
    hello.extensions = {server_name("a.example"), alpn({"h2"})};
    CHECK_EQ(ja4_of(hello), "t12d0002h2_000000000000_000000000000");
}

TEST(ja4_versions) {
    for (const auto& [version, name] : std::initializer_list<std::pair<std::uint16_t, const char*>>{
             {0x0300, "ts3"}, {0x0301, "t10"}, {0x0302, "t11"}, {0x0303, "t12"}, {0x0304, "t13"}}) {
        Hello hello;
        hello.version = version;
        CHECK_EQ(first_part(hello).substr(0, 3), name);
    }
    CHECK_EQ(first_part(with(supported_versions({0x0303, 0x0304, 0xfafa}))).substr(0, 3), "t13");
    CHECK_EQ(first_part(with(supported_versions({0x0302, 0x0301}))).substr(0, 3), "t11");
    CHECK_EQ(first_part(with(supported_versions({0x7f1c}))).substr(0, 3), "t00");
    // Only GREASE: as if the extension were not there.
    CHECK_EQ(first_part(with(supported_versions({0x1a1a}))).substr(0, 3), "t12");
}

TEST(ja4_protocol_names) {
    const auto shown = [](std::string_view name) {
        return first_part(with(alpn({name}))).substr(8, 2);
    };
    CHECK_EQ(shown("h2"), "h2");
    CHECK_EQ(shown("http/1.1"), "h1");
    CHECK_EQ(shown("h"), "hh");
    CHECK_EQ(shown(""), "00");
    // JA4.md, "ALPN Extension Value".
    CHECK_EQ(shown("\xab"), "ab");
    CHECK_EQ(shown("\xab\xcd"), "ad");
    CHECK_EQ(shown("\x30\xab"), "3b");
    CHECK_EQ(shown("\x30\x31\xab\xcd"), "3d");
    CHECK_EQ(shown("\x30\xab\xcd\x31"), "01");
    CHECK_EQ(first_part(with({16, {}})).substr(8, 2), "00");
    CHECK_EQ(first_part(with(alpn({"\x3a\x3a", "h3"}))).substr(8, 2), "h3");
}

TEST(ja4_counts_stop_at_99) {
    Hello hello;
    hello.suites = {};
    for (std::uint16_t suite = 1; suite <= 150; ++suite) {
        put(hello.suites, suite, 2);
        hello.extensions.push_back({static_cast<std::uint16_t>(suite + 100), {}});
    }
    CHECK_EQ(first_part(hello), "t12i999900");
}
