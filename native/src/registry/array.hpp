// An immutable array that either owns its elements or looks at elements that lie elsewhere, such as
// in a mapped file. Takes: a vector, or a span whose memory outlives the array. Gives: a span.
// Guarantees: reading an element costs the same either way; a copy of an owning array owns, a copy
// of a looking one looks.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace flowclass::registry {

template <typename T>
class Array {
  public:
    Array() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): a vector is handed over as what it is
    Array(std::vector<T> elements) noexcept : owned_(std::move(elements)), view_(owned_) {}
    Array(const Array& other)
        : owned_(other.owned_), view_(other.owns() ? std::span<const T>(owned_) : other.view_) {}
    // A moved vector keeps its memory, so that the view stays right.
    Array(Array&& other) noexcept
        : owned_(std::move(other.owned_)), view_(std::exchange(other.view_, {})) {}
    Array& operator=(Array other) noexcept {
        owned_ = std::move(other.owned_);
        view_ = std::exchange(other.view_, {});
        return *this;
    }
    ~Array() = default;

    static Array looking_at(std::span<const T> elements) noexcept {
        Array array;
        array.view_ = elements;
        return array;
    }

    [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return view_[index]; }
    [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
    [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
    [[nodiscard]] std::span<const T> span() const noexcept { return view_; }
    // NOLINTNEXTLINE(google-explicit-constructor): reads are through spans everywhere
    operator std::span<const T>() const noexcept { return view_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return view_.size_bytes(); }

  private:
    [[nodiscard]] bool owns() const noexcept { return !owned_.empty(); }

    std::vector<T> owned_;
    std::span<const T> view_;
};

}  // namespace flowclass::registry
