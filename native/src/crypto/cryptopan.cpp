// All blocks of an address go through the cipher in one call: they do not depend on each other.
#include "crypto/cryptopan.hpp"

#include <algorithm>
#include <string_view>

#include "base/byte_reader.hpp"

namespace flowclass::crypto {

namespace {

constexpr std::size_t kWordBits = 64;
constexpr std::size_t kV4Bits = 32;
constexpr std::size_t kV6Bits = 128;
constexpr std::size_t kV4Prefix = 24;
constexpr std::size_t kV6Prefix = 64;
constexpr unsigned kPlaceBits = 14;
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;  // Knuth: multiplicative hashing
constexpr std::string_view kNameLabel = "flowclass flow ids 1";

// The first `count` bits set.
constexpr std::uint64_t leading(std::size_t count) noexcept {
    return count == 0           ? 0
           : count >= kWordBits ? ~std::uint64_t{0}
                                : ~std::uint64_t{0} << (kWordBits - count);
}

AesKey first_half(const CryptoPanKey& key) noexcept {
    AesKey half{};
    std::copy_n(key.begin(), half.size(), half.begin());
    return half;
}

}  // namespace

CryptoPan::CryptoPan(const CryptoPanKey& key)
    : cipher_(first_half(key)), prefixes_(std::size_t{1} << kPlaceBits) {
    AesBlock pad{};
    ok_ = cipher_.encrypt(base::Bytes(key).last(kAesBlockLength), pad);
    base::ByteReader reader(pad);
    pad_.high = reader.be64();
    pad_.low = reader.be64();
}

// Bits first to last - 1 of what is to be added to the address; the others of `out` stay.
bool CryptoPan::cipher_bits(Word address, std::size_t first, std::size_t last, Word& out) noexcept {
    std::array<std::uint8_t, kV6Bits * kAesBlockLength> plain;
    std::array<std::uint8_t, kV6Bits * kAesBlockLength> sealed;
    const std::size_t length = (last - first) * kAesBlockLength;
    for (std::size_t bit = first; bit < last; ++bit) {
        const std::uint64_t high = leading(bit);
        const std::uint64_t low = leading(bit - std::min(bit, kWordBits));
        const auto block = base::IpAddress::v6((address.high & high) | (pad_.high & ~high),
                                               (address.low & low) | (pad_.low & ~low))
                               .to_bytes();
        std::copy(block.begin(),
                  block.end(),
                  std::span(plain).subspan((bit - first) * kAesBlockLength).begin());
    }
    if (!cipher_.encrypt(std::span(plain).first(length), std::span(sealed).first(length))) {
        return false;
    }
    for (std::size_t bit = first; bit < last; ++bit) {
        const std::uint64_t value = sealed[(bit - first) * kAesBlockLength] >> 7U;
        std::uint64_t& word = bit < kWordBits ? out.high : out.low;
        word |= value << (kWordBits - 1 - bit % kWordBits);
    }
    return true;
}

bool CryptoPan::prefix_bits(std::uint64_t high,
                            std::size_t length,
                            std::uint8_t version,
                            Word& out) noexcept {
    const std::uint64_t prefix = high & leading(length);
    Prefix& place = prefixes_[((prefix ^ version) * kGolden) >> (kWordBits - kPlaceBits)];
    if (place.version != version || place.prefix != prefix) {
        Word bits;
        if (!cipher_bits({high, 0}, 0, length, bits)) {
            return false;
        }
        place = {prefix, bits.high, version};
    }
    out.high = place.bits;
    return true;
}

base::IpAddress CryptoPan::anonymized(const base::IpAddress& address) noexcept {
    const bool v4 = address.version == 4;
    if (!ok_ || (!v4 && address.version != 6)) {
        return {};
    }
    const Word word =
        v4 ? Word{address.low << (kWordBits - kV4Bits), 0} : Word{address.high, address.low};
    const std::size_t prefix = v4 ? kV4Prefix : kV6Prefix;
    Word bits;
    if (!prefix_bits(word.high, prefix, address.version, bits) ||
        !cipher_bits(word, prefix, v4 ? kV4Bits : kV6Bits, bits)) {
        return {};
    }
    const Word sum{word.high ^ bits.high, word.low ^ bits.low};
    return v4 ? base::IpAddress::v4(static_cast<std::uint32_t>(sum.high >> kV4Bits))
              : base::IpAddress::v6(sum.high, sum.low);
}

bool name_keys(const CryptoPanKey& key, NameKeys& out) noexcept {
    std::array<std::uint8_t, kNameLabel.size()> label{};
    std::copy(kNameLabel.begin(), kNameLabel.end(), label.begin());
    Digest digest{};
    if (!hmac_sha256(key, label, digest)) {
        return false;
    }
    base::ByteReader reader(digest);
    out.high = {reader.be64(), reader.be64()};
    out.low = {reader.be64(), reader.be64()};
    return true;
}

}  // namespace flowclass::crypto
