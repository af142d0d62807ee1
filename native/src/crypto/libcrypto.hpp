// The few cryptographic functions that QUIC Initials, JA4 and Crypto-PAn need, from OpenSSL's
// libcrypto, loaded at run time (docs/decisions/0008). Takes: octets. Gives: octets, or false.
// Guarantees: no header of OpenSSL is needed to build; the library is looked for once, by whichever
// thread comes first; where there is none every function gives false and nothing else happens.
// Algorithms are fetched once and contexts are kept for each thread, or in an AesEncryptor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/byte_reader.hpp"

namespace flowclass::crypto {

inline constexpr std::size_t kDigestLength = 32;  // SHA-256
inline constexpr std::size_t kAesKeyLength = 16;
inline constexpr std::size_t kAesBlockLength = 16;
inline constexpr std::size_t kGcmNonceLength = 12;
inline constexpr std::size_t kGcmTagLength = 16;

using Digest = std::array<std::uint8_t, kDigestLength>;
using AesKey = std::array<std::uint8_t, kAesKeyLength>;
using AesBlock = std::array<std::uint8_t, kAesBlockLength>;
using GcmNonce = std::array<std::uint8_t, kGcmNonceLength>;

bool libcrypto_available() noexcept;
// "OpenSSL 3.0.22", or "" where there is none.
std::string_view crypto_library() noexcept;

bool sha256(base::Bytes octets, Digest& out) noexcept;
bool hmac_sha256(base::Bytes key, base::Bytes octets, Digest& out) noexcept;
// One block of AES-128 in ECB mode.
bool aes128_block(const AesKey& key, base::Bytes block, AesBlock& out) noexcept;
// AES-128 in ECB mode under one key, for many blocks: its own context, so an object is for one
// thread at a time. Without libcrypto it gives false.
class AesEncryptor {
  public:
    explicit AesEncryptor(const AesKey& key) noexcept;
    ~AesEncryptor();
    AesEncryptor(const AesEncryptor&) = delete;
    AesEncryptor& operator=(const AesEncryptor&) = delete;

    // `out` has at least the room of `blocks`, which are whole ones.
    bool encrypt(base::Bytes blocks, std::span<std::uint8_t> out) noexcept;

  private:
    void* context_ = nullptr;  // OpenSSL's; nullptr where there is none
};

// AES-128-GCM; the tag is the last 16 octets of `sealed`. False when it does not fit: `out` then
// holds nothing of worth. `out` must have room for sealed.size() - 16 octets.
bool aes128_gcm_open(const AesKey& key,
                     const GcmNonce& nonce,
                     std::initializer_list<base::Bytes> associated,
                     base::Bytes sealed,
                     std::span<std::uint8_t> out) noexcept;

// For tests: whether one of these names is a library with all that is needed.
bool can_load_libcrypto(std::span<const char* const> names) noexcept;

}  // namespace flowclass::crypto
