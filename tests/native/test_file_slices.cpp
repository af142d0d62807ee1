// A file in slices is the file, however it is cut and whoever reads its parts.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "capture/file_slices.hpp"
#include "check.hpp"

namespace {

using flowclass::capture::FileSlices;

// A file of `size` octets, each another than its neighbours, gone when closed.
class Scratch {
  public:
    explicit Scratch(std::size_t size) : file_(std::tmpfile()) {
        for (std::size_t at = 0; at < size; ++at) {
            text_.push_back(static_cast<char>(at * 131 >> 3U));
        }
        write(text_);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::fclose(file_); }
    void write(const std::string& more) {
        std::fwrite(more.data(), 1, more.size(), file_);
        std::fflush(file_);
    }
    [[nodiscard]] int number() const { return fileno(file_); }
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::FILE* file_;
    std::string text_;
};

std::string read_all(FileSlices& file, std::size_t parts, bool reversed) {
    std::string out;
    while (file.next() > 0) {
        const auto slice = file.slice();
        out.append(slice.begin(), slice.end());
        if (parts > 0) {
            file.begin_ahead(parts);
            for (std::size_t part = 0; part < parts; ++part) {
                file.read_part(reversed ? parts - 1 - part : part);
            }
        }
    }
    return out;
}

}  // namespace

TEST(file_slices_give_the_file) {
    for (const std::size_t size : {0U, 1U, 99U, 100U, 101U, 1000U, 4097U}) {
        const Scratch scratch(size);
        for (const std::size_t slice : {1U, 7U, 100U, 5000U}) {
            for (const std::size_t parts : {0U, 1U, 3U, 8U}) {
                FileSlices file(scratch.number(), slice);
                CHECK(read_all(file, parts, parts == 3) == scratch.text());
                CHECK_EQ(file.problem(), 0);
                CHECK_EQ(file.next(), std::size_t{0});
            }
        }
    }
}

TEST(file_slices_read_ahead_by_threads) {
    const Scratch scratch(100000);
    FileSlices file(scratch.number(), 4096);
    std::string out;
    while (file.next() > 0) {
        file.begin_ahead(4);
        std::vector<std::jthread> threads;
        for (std::size_t part = 0; part < 4; ++part) {
            threads.emplace_back([&file, part] { file.read_part(part); });
        }
        const auto slice = file.slice();
        out.append(slice.begin(), slice.end());
    }
    CHECK(out == scratch.text());
}

TEST(file_slices_of_a_file_that_grows_and_shrinks) {
    Scratch scratch(150);
    FileSlices file(scratch.number(), 100);
    CHECK_EQ(file.next(), std::size_t{100});
    file.begin_ahead(4);
    file.read_part(0);
    file.read_part(1);
    file.read_part(2);  // came up short: what is behind it was not there yet
    scratch.write(std::string(50, 'x'));
    file.read_part(3);
    CHECK_EQ(file.next(), std::size_t{50});
    CHECK_EQ(file.next(), std::size_t{50});
    CHECK_EQ(file.slice()[0], std::uint8_t{'x'});
    CHECK_EQ(ftruncate(scratch.number(), 10), 0);
    CHECK_EQ(file.next(), std::size_t{0});
    CHECK_EQ(file.problem(), 0);
}

TEST(file_slices_say_what_went_wrong) {
    FileSlices file(-1, 100);
    CHECK_EQ(file.next(), std::size_t{0});
    CHECK_EQ(file.problem(), EBADF);
    CHECK_EQ(file.next(), std::size_t{0});
}
