// Takes: a path. Gives: the file's bytes, mapped read-only, told to the system as read from front
// to back. Guarantees: the map lives as long as the object; an empty file is an empty span; what
// cannot be mapped is an error with a sentence. Not guarded: if somebody shortens the file while it
// is read, touching the lost pages raises SIGBUS, as for every mapped file. A file that is still
// being written is to be pushed in chunks instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/byte_reader.hpp"
#include "base/status.hpp"

namespace flowclass::capture {

class MappedFile {
  public:
    MappedFile() noexcept = default;
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    static base::Result<MappedFile> open(const std::string& path);

    [[nodiscard]] base::Bytes bytes() const noexcept { return map_; }

    // Gives the memory of the first `count` bytes back, so that a large file does not fill it; they
    // can still be read.
    void release_first(std::size_t count) noexcept;

  private:
    explicit MappedFile(std::span<std::uint8_t> map) noexcept : map_(map) {}
    void unmap() noexcept;

    std::span<std::uint8_t> map_;
    std::size_t released_ = 0;
};

}  // namespace flowclass::capture
