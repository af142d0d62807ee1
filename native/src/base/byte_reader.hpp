// Takes: a span of untrusted bytes. Gives: values read from it in wire order.
// Guarantees: no read outside the span, whatever is asked. A read that does not fit makes the
// reader fail, once and for good: it is then empty, every later read gives zero, and ok() is false.
// A parser runs straight down and asks at the end. This is the only place in the code where an
// address inside a packet is computed.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace flowclass::base {

using Bytes = std::span<const std::uint8_t>;

class ByteReader {
  public:
    constexpr ByteReader() noexcept = default;
    constexpr explicit ByteReader(Bytes bytes) noexcept : rest_(bytes), size_(bytes.size()) {}

    [[nodiscard]] constexpr bool ok() const noexcept { return ok_; }
    [[nodiscard]] constexpr std::size_t remaining() const noexcept { return rest_.size(); }
    [[nodiscard]] constexpr std::size_t position() const noexcept { return size_ - rest_.size(); }
    [[nodiscard]] constexpr Bytes rest() const noexcept { return rest_; }

    std::uint8_t u8() noexcept { return integer<std::uint8_t, std::endian::big>(); }
    std::uint16_t be16() noexcept { return integer<std::uint16_t, std::endian::big>(); }
    std::uint32_t be32() noexcept { return integer<std::uint32_t, std::endian::big>(); }
    std::uint64_t be64() noexcept { return integer<std::uint64_t, std::endian::big>(); }
    std::uint16_t le16() noexcept { return integer<std::uint16_t, std::endian::little>(); }
    std::uint32_t le32() noexcept { return integer<std::uint32_t, std::endian::little>(); }
    std::uint64_t le64() noexcept { return integer<std::uint64_t, std::endian::little>(); }

    // Three bytes, as in TLS handshake lengths and VXLAN network identifiers.
    std::uint32_t be24() noexcept {
        const Bytes three = bytes(3);
        if (three.size() != 3) {
            return 0;
        }
        return static_cast<std::uint32_t>(three[0]) << 16U |
               static_cast<std::uint32_t>(three[1]) << 8U | three[2];
    }

    // Takes the next `count` bytes; an empty span and a failed reader when there are fewer.
    constexpr Bytes bytes(std::size_t count) noexcept {
        if (count > rest_.size()) {
            fail();
            return {};
        }
        const Bytes taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    constexpr void skip(std::size_t count) noexcept { static_cast<void>(bytes(count)); }

    // Drops what lies behind the next `count` bytes; more than there is changes nothing.
    constexpr void limit(std::size_t count) noexcept {
        const std::size_t dropped = rest_.size() - std::min(count, rest_.size());
        rest_ = rest_.first(rest_.size() - dropped);
        size_ -= dropped;
    }

    constexpr void fail() noexcept {
        ok_ = false;
        size_ -= rest_.size();
        rest_ = {};
    }

  private:
    template <typename Integer, std::endian Order>
    Integer integer() noexcept {
        if (sizeof(Integer) > rest_.size()) {
            fail();
            return 0;
        }
        Integer value{};
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_ = rest_.subspan(sizeof value);
        return in_order<Integer, Order>(value);
    }

    // The swap is spelled with compiler intrinsics because g++ 12 at -O2 does not fold the byte
    // loop.
    template <typename Integer, std::endian Order>
    static Integer in_order(Integer value) noexcept {
        if constexpr (Order == std::endian::native || sizeof(Integer) == 1) {
            return value;
        } else if constexpr (sizeof(Integer) == 2) {
            return __builtin_bswap16(value);
        } else if constexpr (sizeof(Integer) == 4) {
            return __builtin_bswap32(value);
        } else {
            return __builtin_bswap64(value);
        }
    }

    Bytes rest_;
    std::size_t size_ = 0;
    bool ok_ = true;
};

// Values at a fixed offset, for fingerprints that compare fields far apart; out of bounds gives a
// failed reader's zero, so callers state the least length first (`at(p, 9, 1).ok()`).
inline ByteReader at(Bytes bytes, std::size_t offset) noexcept {
    ByteReader reader(bytes);
    reader.skip(offset);
    return reader;
}

}  // namespace flowclass::base
