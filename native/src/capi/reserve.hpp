// Whether an engine's tables will find the address space that they reserve. Takes: the memory cap
// and the number of threads. Gives: yes or no, by trying. An engine does not tell by itself that a
// reservation was refused, and could not work without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flowclass::capi {

// What a cap of 0 stands for.
std::size_t usual_memcap() noexcept;

bool can_reserve(std::size_t memcap, std::uint32_t threads) noexcept;

}  // namespace flowclass::capi
