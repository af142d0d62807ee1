// A file read in slices, the next of which may be read in parts while this one is worked on. Takes:
// a descriptor of a plain file, which the caller keeps open, and the size of a slice. Gives: its
// octets in order. Guarantees: what is given is what lies there one behind another when it is read,
// also where the file grows or shrinks meanwhile; memory for two slices at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_reader.hpp"

namespace flowclass::capture {

class FileSlices {
  public:
    FileSlices(int file, std::size_t size) : file_(file), size_(size) {}

    // Goes on to the next slice; gives its size, 0 at the end. Check problem() then.
    std::size_t next();
    // Of the last read that failed, as in errno; 0 when all went well.
    [[nodiscard]] int problem() const noexcept { return problem_; }
    // Lives until the next call of next(); what is read ahead lies elsewhere.
    [[nodiscard]] base::Bytes slice() const noexcept { return base::Bytes(here_).first(length_); }

    // To read ahead: once how many parts there are, then every part, in any order, on any threads.
    void begin_ahead(std::size_t parts);
    void read_part(std::size_t part) noexcept;

  private:
    struct Part {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t read = 0;
        int problem = 0;
    };
    void read(Part& part) noexcept;

    int file_;
    std::size_t size_;
    std::uint64_t offset_ = 0;  // of what comes behind this slice
    std::vector<std::uint8_t> here_, ahead_;
    std::size_t length_ = 0;
    std::vector<Part> parts_;  // of the slice ahead; none: it was not read
    int problem_ = 0;
};

}  // namespace flowclass::capture
