#include "capi/reserve.hpp"

#include <sys/mman.h>
#include <unistd.h>

namespace flowclass::capi {

namespace {

// More than was measured: 1.4 to 1.8 octets for each octet of the cap, as much is reserved and
// never touched, and 13 MiB for the least tables of a thread; a thread's stack comes on top.
constexpr std::size_t kForEachOfCap = 2;
constexpr std::size_t kForEachThread = std::size_t{24} << 20U;

}  // namespace

std::size_t usual_memcap() noexcept {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    constexpr std::size_t kFallback = std::size_t{1} << 30U;
    return pages > 0 && page > 0
               ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) / 4
               : kFallback;
}

bool can_reserve(std::size_t memcap, std::uint32_t threads) noexcept {
    const std::size_t size = kForEachOfCap * memcap + kForEachThread * threads;
    void* const memory = mmap(
        nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    munmap(memory, size);
    return true;
}

}  // namespace flowclass::capi
