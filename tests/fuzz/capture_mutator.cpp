// What clang's fuzzing engine does to the inputs of targets that read captures: most of the time a
// change to the capture in the input that leaves its headers readable, else octets at random. In
// the C ABI's inputs the length of a push stands before the capture (FLOWCLASS_CAPTURE_HAS_LENGTH).
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "capture_mutations.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using capture_mutations::Bytes;
using capture_mutations::Octets;

constexpr std::size_t kLengthOctets = FLOWCLASS_CAPTURE_HAS_LENGTH != 0 ? 2 : 0;

struct Place {
    std::size_t begin, end;
};

// The first capture in an input; nothing of it where there is none.
Place capture_in(Bytes input) {
    static constexpr std::array<std::array<std::uint8_t, 4>, 5> kMagics{{{0xd4, 0xc3, 0xb2, 0xa1},
                                                                         {0xa1, 0xb2, 0xc3, 0xd4},
                                                                         {0x4d, 0x3c, 0xb2, 0xa1},
                                                                         {0xa1, 0xb2, 0x3c, 0x4d},
                                                                         {0x0a, 0x0d, 0x0d, 0x0a}}};
    auto found = input.end();
    for (const auto& magic : kMagics) {
        found =
            std::min(found, std::search(input.begin(), input.end(), magic.begin(), magic.end()));
    }
    Place place{static_cast<std::size_t>(found - input.begin()), input.size()};
    if (kLengthOctets > 0) {
        if (place.begin < kLengthOctets) {
            return {input.size(), input.size()};
        }
        const std::size_t length = flowclass::base::at(input, place.begin - kLengthOctets).be16();
        place.end = std::min(place.end, place.begin + length);
    }
    return place;
}

void blind(Octets& octets, std::size_t most) {
    const std::size_t size = octets.size();
    octets.resize(most);
    octets.resize(LLVMFuzzerMutate(octets.data(), size, most));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t most,
                                               unsigned int seed) {
    capture_mutations::Random random(seed);
    const Bytes input(data, size);
    const Place place = capture_in(input);
    if (capture_mutations::below(random, 4) == 0 || place.begin >= place.end) {
        return LLVMFuzzerMutate(data, size, most);
    }
    Octets out(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(place.begin));
    Octets capture(input.begin() + static_cast<std::ptrdiff_t>(place.begin),
                   input.begin() + static_cast<std::ptrdiff_t>(place.end));
    const std::size_t others = size - capture.size();
    const std::size_t room =
        std::min<std::size_t>(most - std::min(most, others), kLengthOctets > 0 ? 0xffff : most);
    if (!capture_mutations::mutate(capture, room, random, blind)) {
        return LLVMFuzzerMutate(data, size, most);
    }
    if (kLengthOctets > 0) {
        out[place.begin - 2] = static_cast<std::uint8_t>(capture.size() >> 8U);
        out[place.begin - 1] = static_cast<std::uint8_t>(capture.size());
    }
    out.insert(out.end(), capture.begin(), capture.end());
    out.insert(out.end(), input.begin() + static_cast<std::ptrdiff_t>(place.end), input.end());
    const std::size_t length = std::min(out.size(), most);
    std::copy_n(out.begin(), length, data);
    return length;
}
