// Takes: what will soon be read or written. Gives: nothing; its lines are on their way from memory.
#pragma once

#include <cstddef>

namespace flowclass::base {

inline constexpr std::size_t kLine = 64;  // octets that come from memory at once

// The empty asm is there because g++ takes a function that does nothing but prefetch for one
// without effect, and then its calls away (seen with 12.2: no prefetch was left of a loop of them).
inline void prefetch_line(const void* address) noexcept {
    __builtin_prefetch(address);
    asm volatile("");  // NOLINT(portability-no-assembler): no instruction in it
}

// The lines of an object's first octets.
template <std::size_t Octets, typename T>
void prefetch_front(const T& object) noexcept {
    static_assert(Octets <= sizeof(T));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): an address, never read
    const auto* const at = reinterpret_cast<const char*>(&object);
    for (std::size_t offset = 0; offset < Octets; offset += kLine) {
        // NOLINTNEXTLINE(cppcoreguidelines-pro-bounds-pointer-arithmetic): within the object
        prefetch_line(at + offset);
    }
}

// All lines of an object.
template <typename T>
void prefetch(const T& object) noexcept {
    prefetch_front<sizeof(T)>(object);
}

}  // namespace flowclass::base
