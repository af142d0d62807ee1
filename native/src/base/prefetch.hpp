// Takes: what will soon be read or written. Gives: nothing; its lines are on their way from memory.
#pragma once

#include <cstddef>

namespace flowclass::base {

inline constexpr std::size_t kLine = 64;  // octets that come from memory at once

// The empty asm is there because g++ takes a function that does nothing but prefetch for one
// without effect, and then its calls away (seen with 12.2: no prefetch was left of a loop of them).
inline void prefetch_line(const void* address) noexcept {
    __builtin_prefetch(address);
    asm volatile("");
}

// All lines of an object.
template <typename T>
void prefetch(const T& object) noexcept {
    const char* at = reinterpret_cast<const char*>(
        &object);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): an address, never read
    for (std::size_t offset = 0; offset < sizeof(T); offset += kLine) {
        prefetch_line(at +
                      offset);  // NOLINT(cppcoreguidelines-pro-bounds-pointer-arithmetic): the same
    }
}

}  // namespace flowclass::base
