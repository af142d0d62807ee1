// Mapped files: what is mapped, what is refused with a sentence.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "capture/mapped_file.hpp"
#include "check.hpp"

using flowclass::capture::MappedFile;

namespace {

class TemporaryFolder {
  public:
    TemporaryFolder() { made_ = ::mkdtemp(path_) != nullptr; }
    ~TemporaryFolder() {
        for (const std::string& path : files_) {
            ::unlink(path.c_str());
        }
        ::rmdir(path_);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string file(const std::string& name, const std::string& content) {
        const std::string path = place(name);
        if (std::FILE* out = std::fopen(path.c_str(), "wb")) {
            std::fwrite(content.data(), 1, content.size(), out);
            std::fclose(out);
        }
        return path;
    }
    std::string place(const std::string& name) {
        files_.push_back(folder() + "/" + name);
        return files_.back();
    }
    [[nodiscard]] std::string folder() const { return path_; }
    [[nodiscard]] bool made() const { return made_; }

  private:
    char path_[32] = "/tmp/flowclass-test-XXXXXX";
    bool made_ = false;
    std::vector<std::string> files_;
};

}  // namespace

TEST(capture_mapped_file_content) {
    TemporaryFolder folder;
    CHECK(folder.made());
    const std::string content(100'000, 'x');
    auto opened = MappedFile::open(folder.file("content", content + "end"));
    CHECK(opened.ok());
    MappedFile file = std::move(opened.value());
    CHECK_EQ(file.bytes().size(), 100'003U);
    CHECK_EQ(file.bytes().back(), 'd');
    file.release_first(50'000);
    file.release_first(10);
    file.release_first(1'000'000);
    CHECK_EQ(file.bytes().front(), 'x');  // released memory comes back from the file
    CHECK_EQ(file.bytes()[99'999], 'x');

    MappedFile moved(std::move(file));
    CHECK_EQ(moved.bytes().size(), 100'003U);
    MappedFile other;
    CHECK_EQ(other.bytes().size(), 0U);
    other = std::move(moved);
    CHECK_EQ(other.bytes()[100'000], 'e');
}

TEST(capture_mapped_file_empty) {
    TemporaryFolder folder;
    const auto opened = MappedFile::open(folder.file("empty", ""));
    CHECK(opened.ok());
    CHECK_EQ(opened.value().bytes().size(), 0U);
}

TEST(capture_mapped_file_refusals) {
    TemporaryFolder folder;
    const auto missing = MappedFile::open(folder.folder() + "/missing");
    CHECK(!missing.ok());
    CHECK_EQ(missing.error(),
             "Cannot open " + folder.folder() + "/missing: No such file or directory.");
    const auto directory = MappedFile::open(folder.folder());
    CHECK(!directory.ok());
    CHECK(directory.error().find("is a directory") != std::string::npos);
    const std::string pipe = folder.place("pipe");
    CHECK_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto piped = MappedFile::open(pipe);
    CHECK(!piped.ok());
    CHECK(piped.error().find("not a regular file") != std::string::npos);
}
