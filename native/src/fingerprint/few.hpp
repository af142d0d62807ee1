// A short list of fixed room. Takes: values. Gives: those that found room, in order.
// Guarantees: an empty list costs nothing, whatever its room: a place is made when it is filled.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace flowclass::fingerprint {

template <typename Value, std::size_t kRoom>
class Few {
    static_assert(std::is_trivially_copyable_v<Value>);

  public:
    // The places stay uninitialised.
    Few() noexcept {}  // NOLINT(modernize-use-equals-default)

    void add(const Value& value) noexcept {
        if (count_ < kRoom) {
            std::construct_at(places() + count_++, value);
        }
    }
    void shorten(std::size_t count) noexcept { count_ = std::min(count_, count); }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    const Value& operator[](std::size_t index) const noexcept { return values()[index]; }
    [[nodiscard]] std::span<Value> values() noexcept { return {places(), count_}; }
    [[nodiscard]] std::span<const Value> values() const noexcept {
        return {reinterpret_cast<const Value*>(room_.data()), count_};
    }

  private:
    Value* places() noexcept { return reinterpret_cast<Value*>(room_.data()); }

    alignas(Value) std::array<std::byte, sizeof(Value) * kRoom> room_;
    std::size_t count_ = 0;
};

}  // namespace flowclass::fingerprint
