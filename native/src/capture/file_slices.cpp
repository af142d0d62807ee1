// Parts are read at their own offsets; behind the first that came up short nothing is believed.
#include "capture/file_slices.hpp"

#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

namespace flowclass::capture {

void FileSlices::begin_ahead(std::size_t parts) {
    ahead_.resize(size_);
    parts_.assign(parts, {});
    for (std::size_t part = 0; part < parts; ++part) {
        parts_[part].begin = size_ * part / parts;
        parts_[part].end = size_ * (part + 1) / parts;
    }
}

void FileSlices::read_part(std::size_t part) noexcept {
    read(parts_[part]);
}

void FileSlices::read(Part& part) noexcept {
    const std::size_t wanted = part.end - part.begin;
    while (part.read < wanted) {
        const std::size_t at = part.begin + part.read;
        const std::span<std::uint8_t> room = std::span(ahead_).subspan(at, wanted - part.read);
        const ssize_t count =
            ::pread(file_, room.data(), room.size(), static_cast<off_t>(offset_ + at));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            part.problem = count < 0 ? errno : 0;
            return;
        }
        part.read += static_cast<std::size_t>(count);
    }
}

std::size_t FileSlices::next() {
    if (problem_ != 0) {
        return length_ = 0;
    }
    if (parts_.empty()) {
        begin_ahead(1);
        read_part(0);
    }
    length_ = 0;
    for (const Part& part : parts_) {
        length_ += part.read;
        if (part.read < part.end - part.begin) {
            problem_ = part.problem;
            break;
        }
    }
    parts_.clear();
    offset_ += length_;
    here_.swap(ahead_);
    return length_;
}

}  // namespace flowclass::capture
