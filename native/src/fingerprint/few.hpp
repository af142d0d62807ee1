// A short list of fixed room. Takes: values. Gives: those that found room, in order.
// Guarantees: an empty list costs nothing, whatever its room: a place is made when it is filled.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace flowclass::fingerprint {

template <typename Value, std::size_t kRoom>
class Few {
    static_assert(std::is_trivially_copyable_v<Value>);

  public:
    void add(const Value& value) noexcept {
        if (count_ < kRoom) {
            std::construct_at(&places_[count_++].value, value);
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    const Value& operator[](std::size_t index) const noexcept { return places_[index].value; }

  private:
    union Place {
        Place() noexcept {}  // NOLINT(modernize-use-equals-default)
        Value value;
    };

    std::array<Place, kRoom> places_;
    std::size_t count_ = 0;
};

}  // namespace flowclass::fingerprint
