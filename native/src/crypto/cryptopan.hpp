// Crypto-PAn: prefix-preserving anonymisation of addresses (Xu, Fan, Ammar, Moon:
// "Prefix-Preserving IP Address Anonymization", ICNP 2002; the figures of the reference
// implementation of 2005).
//   K = key[0..15], pad = AES_K(key[16..31]); bit i of the result = bit i of the address XOR the
//   first bit of AES_K(the first i bits of the address, then the pad's bits from i on)
// Takes: a key of 32 octets, addresses. Gives: addresses of the same version; two that share k
// leading bits share k leading bits afterwards, and no more. Guarantees: the same key gives the
// same result everywhere; nothing is special, private and multicast addresses neither; an address
// that cannot be anonymised becomes none, never itself; bounded memory. An object is for one thread
// at a time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "crypto/libcrypto.hpp"

namespace flowclass::crypto {

inline constexpr std::size_t kCryptoPanKeyLength = 32;
using CryptoPanKey = std::array<std::uint8_t, kCryptoPanKeyLength>;

class CryptoPan {
  public:
    explicit CryptoPan(const CryptoPanKey& key);

    // False where there is no libcrypto; every address is none then.
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    // Version 0: none.
    base::IpAddress anonymized(const base::IpAddress& address) noexcept;

  private:
    // The cipher's bits of the first 24 bits of an IPv4 address, or 64 of an IPv6 one: hosts lie
    // close together, and only the bits behind these are ciphered for the next one.
    struct Prefix {
        std::uint64_t prefix = 0;
        std::uint64_t bits = 0;
        std::uint8_t version = 0;
    };

    struct Word {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
    };

    bool cipher_bits(Word address, std::size_t first, std::size_t last, Word& out) noexcept;
    bool prefix_bits(std::uint64_t high,
                     std::size_t length,
                     std::uint8_t version,
                     Word& out) noexcept;

    AesEncryptor cipher_;
    Word pad_;
    bool ok_ = false;
    std::vector<Prefix> prefixes_;  // one place for each; a later one takes it
};

// Two keys of SipHash derived from the key, to give flow ids other names: HMAC-SHA-256 of a
// constant.
struct NameKeys {
    base::HashKey high, low;
};
bool name_keys(const CryptoPanKey& key, NameKeys& out) noexcept;

}  // namespace flowclass::crypto
