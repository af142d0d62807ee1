// The random key comes from the operating system; nothing else in the core is random.
#include "base/hash.hpp"

#include <random>

namespace flowclass::base {

HashKey random_hash_key() {
    std::random_device source;
    const auto word = [&source] { return static_cast<std::uint64_t>(source()) << 32U | source(); };
    return {word(), word()};
}

}  // namespace flowclass::base
