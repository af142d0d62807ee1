// A short list of fixed room. Takes: values. Gives: those that found room, in order.
// Guarantees: an empty list costs nothing, whatever its room: a place is made when it is filled.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace flowclass::fingerprint {

template <typename Value, std::size_t kRoom>
class Few {
    static_assert(std::is_trivially_copyable_v<Value>);

  public:
    void add(const Value& value) noexcept {
        if (count_ < kRoom) {
            std::construct_at(&room_.values[count_++], value);
        }
    }
    void shorten(std::size_t count) noexcept { count_ = std::min(count_, count); }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    const Value& operator[](std::size_t index) const noexcept { return room_.values[index]; }
    [[nodiscard]] std::span<Value> values() noexcept {
        return std::span(room_.values).first(count_);
    }
    [[nodiscard]] std::span<const Value> values() const noexcept {
        return std::span(room_.values).first(count_);
    }

  private:
    union Room {
        Room() noexcept {}  // NOLINT(modernize-use-equals-default)
        std::array<Value, kRoom> values;
    };

    Room room_;
    std::size_t count_ = 0;
};

}  // namespace flowclass::fingerprint
