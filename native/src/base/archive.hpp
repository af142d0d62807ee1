// Takes: values, member by member, in an order that is written down once: a class that is kept has
//
//   template <typename Archive>
//   void keep(Archive& archive) { archive(first_, second_); archive.up_to(count_, kMost); }
//
// which a Saver reads and a Loader fills. Gives: little-endian octets in pieces, and the values
// from octets again. Guarantees: a Loader reads through ByteReader alone and fails once and for
// good, at octets that end too early, at a truth value that is neither 0 nor 1, at an enumerator
// that there is none of, and where a class says that a value cannot be; what it has filled by then
// must not be used.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/byte_reader.hpp"

namespace flowclass::base {

template <typename T>
concept CountedEnum = std::is_enum_v<T> && requires { T::count_; };

// What both kinds of archive do with the parts of a value.
template <typename Self>
class Archive {
  public:
    template <typename... T>
    void operator()(T&... values) {
        (each(values), ...);
    }
    // A number or an enumerator that is at most `most`; where it is more, that fails, and it is 0.
    template <typename T>
    void up_to(T& value, T most) {
        if constexpr (std::is_enum_v<T>) {
            value = static_cast<T>(kept(static_cast<std::underlying_type_t<T>>(value)));
        } else {
            self().number(value);
        }
        if (value > most) {
            self().require(false);
            value = T{};
        }
    }
    // Sections begin with a mark, so that a reader that is out of step does not go on.
    void mark(std::uint32_t expected) { self().require(kept(expected) == expected); }

  private:
    friend Self;
    Archive() = default;

    Self& self() noexcept { return static_cast<Self&>(*this); }
    // The number as it is saved, or as it was loaded.
    template <std::integral T>
    T kept(T number) {
        self().number(number);
        return number;
    }

    template <typename T>
    void each(T& value) {
        if constexpr (std::same_as<T, bool>) {
            const std::uint8_t number = kept(static_cast<std::uint8_t>(value));
            self().require(number <= 1);
            value = number == 1;
        } else if constexpr (CountedEnum<T>) {
            up_to(value, static_cast<T>(static_cast<std::underlying_type_t<T>>(T::count_) - 1));
        } else if constexpr (std::same_as<T, float>) {
            value = std::bit_cast<float>(kept(std::bit_cast<std::uint32_t>(value)));
        } else if constexpr (std::same_as<T, double>) {
            value = std::bit_cast<double>(kept(std::bit_cast<std::uint64_t>(value)));
        } else if constexpr (sizeof(T) == 16 && !std::is_class_v<T>) {
            const std::uint64_t low = kept(static_cast<std::uint64_t>(value));
            const std::uint64_t high = kept(static_cast<std::uint64_t>(value >> 64U));
            value = static_cast<T>(high) << 64U | low;
        } else if constexpr (std::integral<T>) {
            self().number(value);
        } else {
            whole(value);
        }
    }
    template <typename T, std::size_t Size>
    void whole(std::array<T, Size>& values) {
        for (T& value : values) {
            each(value);
        }
    }
    template <typename T>
    void whole(T& value) {
        value.keep(self());
    }
};

// Gives the octets to `put` in pieces of up to a megabyte; a `put` that says false ends it.
class Saver : public Archive<Saver> {
  public:
    static constexpr bool kLoads = false;
    using Put = std::function<bool(Bytes)>;

    explicit Saver(Put put) : put_(std::move(put)), buffer_(kBuffer) {}

    template <std::integral T>
    void number(T value) {
        if (used_ + sizeof value > buffer_.size()) {
            hand_on();
        }
        if constexpr (std::endian::native == std::endian::big) {
            T swapped{};
            for (std::size_t octet = 0; octet < sizeof value; ++octet) {
                swapped = static_cast<T>(swapped << 8U | (value & 0xff));
                value = static_cast<T>(value >> 8U);
            }
            value = swapped;
        }
        std::memcpy(&buffer_[used_], &value, sizeof value);
        used_ += sizeof value;
    }
    void octets(std::span<std::uint8_t> values) {
        for (std::size_t done = 0; done < values.size();) {
            if (used_ == buffer_.size()) {
                hand_on();
            }
            const std::size_t count = std::min(values.size() - done, buffer_.size() - used_);
            std::memcpy(&buffer_[used_], &values[done], count);
            used_ += count;
            done += count;
        }
    }
    // What cannot be said in octets is not saved.
    void require(bool promise) noexcept { ok_ = ok_ && promise; }
    // Of a list of so many; how many there are.
    std::size_t count(std::size_t size, std::size_t most, std::size_t least_octets) {
        static_cast<void>(least_octets);
        number(static_cast<std::uint64_t>(size));
        require(size <= most);
        return size;
    }
    // Hands on the rest; false when not everything could be saved.
    bool finish() {
        hand_on();
        return ok_;
    }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool refused() const noexcept { return refused_; }  // by `put`

  private:
    static constexpr std::size_t kBuffer = std::size_t{1} << 20U;

    void hand_on() {
        if (used_ > 0 && !refused_) {
            refused_ = !put_(Bytes(buffer_).first(used_));
            ok_ = ok_ && !refused_;
        }
        used_ = 0;
    }

    Put put_;
    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    bool ok_ = true;
    bool refused_ = false;
};

class Loader : public Archive<Loader> {
  public:
    static constexpr bool kLoads = true;

    explicit Loader(Bytes octets) noexcept : reader_(octets) {}

    template <std::integral T>
    void number(T& value) noexcept {
        if constexpr (sizeof(T) == 1) {
            value = static_cast<T>(reader_.u8());
        } else if constexpr (sizeof(T) == 2) {
            value = static_cast<T>(reader_.le16());
        } else if constexpr (sizeof(T) == 4) {
            value = static_cast<T>(reader_.le32());
        } else {
            value = static_cast<T>(reader_.le64());
        }
    }
    void octets(std::span<std::uint8_t> values) noexcept {
        const Bytes taken = reader_.bytes(values.size());
        std::copy(taken.begin(), taken.end(), values.begin());
    }
    void require(bool promise) noexcept {
        if (!promise) {
            reader_.fail();
        }
    }
    // 0 for a number that there cannot be: more than `most`, or than there are octets for when each
    // has `least_octets` of them.
    std::size_t count(std::size_t size, std::size_t most, std::size_t least_octets) noexcept {
        static_cast<void>(size);
        const std::uint64_t found = reader_.le64();
        require(found <= most && found <= reader_.remaining() / least_octets);
        return ok() ? static_cast<std::size_t>(found) : 0;
    }
    [[nodiscard]] bool ok() const noexcept { return reader_.ok(); }
    [[nodiscard]] std::size_t remaining() const noexcept { return reader_.remaining(); }

  private:
    ByteReader reader_;
};

}  // namespace flowclass::base
