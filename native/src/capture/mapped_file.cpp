#include "capture/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace flowclass::capture {

namespace {

class FileHandle {
  public:
    // Non-blocking, so that opening a named pipe does not wait for its writer; regular files ignore
    // it.
    explicit FileHandle(const std::string& path) noexcept
        : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    [[nodiscard]] int number() const noexcept { return number_; }

  private:
    int number_;
};

base::Error system_error(const std::string& verb, const std::string& path, int code) {
    return {"Cannot " + verb + " " + path + ": " + std::generic_category().message(code) + "."};
}

}  // namespace

MappedFile::MappedFile(MappedFile&& other) noexcept
    : map_(std::exchange(other.map_, {})), released_(std::exchange(other.released_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    if (this != &other) {
        unmap();
        map_ = std::exchange(other.map_, {});
        released_ = std::exchange(other.released_, 0);
    }
    return *this;
}

MappedFile::~MappedFile() {
    unmap();
}

base::Result<MappedFile> MappedFile::open(const std::string& path) {
    const FileHandle file(path);
    if (file.number() < 0) {
        return system_error("open", path, errno);
    }
    struct stat facts{};
    if (::fstat(file.number(), &facts) != 0) {
        return system_error("look at", path, errno);
    }
    if (S_ISDIR(facts.st_mode)) {
        return base::Error{path + " is a directory, not a capture file."};
    }
    if (!S_ISREG(facts.st_mode)) {
        return base::Error{path + " is not a regular file; read it as a stream instead."};
    }
    if (facts.st_size == 0) {
        return MappedFile();
    }
    const auto size = static_cast<std::size_t>(facts.st_size);
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
    if (address == MAP_FAILED) {
        return system_error("map", path, errno);
    }
    ::madvise(address, size, MADV_SEQUENTIAL);  // advice only: a refusal changes nothing
    return MappedFile(std::span(static_cast<std::uint8_t*>(address), size));
}

void MappedFile::release_first(std::size_t count) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t whole_pages = std::min(count, map_.size()) / page * page;
    if (whole_pages > released_) {
        const std::span<std::uint8_t> part = map_.subspan(released_, whole_pages - released_);
        ::madvise(part.data(), part.size(), MADV_DONTNEED);
        released_ = whole_pages;
    }
}

void MappedFile::unmap() noexcept {
    if (!map_.empty()) {
        ::munmap(map_.data(), map_.size());
        map_ = {};
    }
}

}  // namespace flowclass::capture
