// Runs a fuzz target where the compiler brings no fuzzing engine: replays every seed, then mutates
// seeds at random.
//
//   fuzz_<target> [-runs=N] [-max_total_time=SECONDS] [-seed=S] [-max_len=BYTES] [file or folder
//   ...]
//
// The same seeds and number give the same inputs. The input at work is kept in ./crash-input
// (written only by the handler of the signal that ended the run), so a crash can be replayed by
// naming that file. Without guidance by coverage it finds less than an engine would; it is for
// replay and for smoke runs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Of the sanitizers' run-time library; absent where the program is built without one.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Input = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

struct Options {
    std::uint64_t runs = 10'000;
    std::uint64_t seconds = 0;  // 0: no limit
    std::uint64_t seed = 1;
    std::size_t max_length = 4096;
    std::vector<std::filesystem::path> seeds;
};

// What the signal handler writes out; plain values, as a handler may touch nothing else.
const std::uint8_t* g_current = nullptr;
std::size_t g_current_size = 0;

void save_current() {
    const int file = ::open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) {
        static_cast<void>(!::write(file, g_current, g_current_size));
        ::close(file);
    }
    static constexpr std::string_view kMessage = "input saved to ./crash-input\n";
    static_cast<void>(!::write(STDERR_FILENO, kMessage.data(), kMessage.size()));
}

void save_and_die(int signal_number) {
    save_current();
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

// A sanitizer tells of faulty accesses itself and ends the program without a signal; it is asked to
// call back. Only an abort of the target comes as a signal in every build.
void watch_for_crashes() {
    std::signal(SIGABRT, save_and_die);
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(save_current);
        return;
    }
    for (const int signal_number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) {
        std::signal(signal_number, save_and_die);
    }
}

void run(const Input& input) {
    g_current = input.data();
    g_current_size = input.size();
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

bool number_after(std::string_view argument, std::string_view name, std::uint64_t& value) {
    if (!argument.starts_with(name)) {
        return false;
    }
    value = std::strtoull(std::string(argument.substr(name.size())).c_str(), nullptr, 10);
    return true;
}

Options parse(int count, char** arguments) {
    Options options;
    std::uint64_t length = options.max_length;
    for (int index = 1; index < count; ++index) {
        const std::string_view argument = arguments[index];
        if (number_after(argument, "-runs=", options.runs) ||
            number_after(argument, "-max_total_time=", options.seconds) ||
            number_after(argument, "-seed=", options.seed) ||
            number_after(argument, "-max_len=", length)) {
            continue;
        }
        if (argument.starts_with("-")) {
            std::fprintf(stderr, "ignored: %s\n", arguments[index]);
            continue;
        }
        options.seeds.emplace_back(argument);
    }
    options.max_length = std::max<std::size_t>(length, 1);
    return options;
}

Input load(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return Input(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<Input> load_seeds(const Options& options) {
    std::vector<std::filesystem::path> files;
    for (const auto& path : options.seeds) {
        if (std::filesystem::is_directory(path)) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
                if (entry.is_regular_file()) {
                    files.push_back(entry.path());
                }
            }
        } else {
            files.push_back(path);
        }
    }
    std::sort(files.begin(), files.end());
    std::vector<Input> seeds;
    for (const auto& file : files) {
        seeds.push_back(load(file));
    }
    return seeds;
}

std::size_t below(Random& random, std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(random() % limit);
}

// Numbers that sit at the edges of length fields.
std::uint32_t edge_number(Random& random) {
    static constexpr std::uint32_t kEdges[] = {
        0,      1,      2,       4,          7,          8,          12,
        16,     20,     0x7f,    0x80,       0xff,       0x100,      0x7fff,
        0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    return kEdges[below(random, std::size(kEdges))];
}

void overwrite_number(Input& input, Random& random) {
    const std::size_t size = std::size_t{1} << below(random, 3);
    const std::uint32_t value = edge_number(random);
    const bool big_endian = below(random, 2) == 0;
    const std::size_t at = below(random, input.size());
    for (std::size_t index = 0; index < size && at + index < input.size(); ++index) {
        const std::size_t place = big_endian ? size - 1 - index : index;
        input[at + index] = static_cast<std::uint8_t>(value >> (8 * place));
    }
}

void mutate_once(Input& input, const std::vector<Input>& seeds, Random& random) {
    if (input.empty()) {
        input.push_back(static_cast<std::uint8_t>(random()));
        return;
    }
    const auto at = static_cast<std::ptrdiff_t>(below(random, input.size()));
    const auto count = static_cast<std::ptrdiff_t>(
        1 + below(random, std::min<std::size_t>(64, input.size() - static_cast<std::size_t>(at))));
    switch (below(random, 7)) {
        case 0:
            input[static_cast<std::size_t>(at)] ^=
                static_cast<std::uint8_t>(1U << below(random, 8));
            break;
        case 1:
            input[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
            break;
        case 2:
            overwrite_number(input, random);
            break;
        case 3:
            input.erase(input.begin() + at,
                        input.begin() + std::min<std::ptrdiff_t>(
                                            at + count, static_cast<std::ptrdiff_t>(input.size())));
            break;
        case 4: {
            const Input piece(input.begin() + at, input.begin() + at + count);
            const auto to = static_cast<std::ptrdiff_t>(below(random, input.size() + 1));
            input.insert(input.begin() + to, piece.begin(), piece.end());
            break;
        }
        case 5:
            input.resize(static_cast<std::size_t>(at));
            break;
        default: {
            const Input& other = seeds[below(random, seeds.size())];
            const auto from = static_cast<std::ptrdiff_t>(below(random, other.size() + 1));
            input.resize(static_cast<std::size_t>(at));
            input.insert(input.end(), other.begin() + from, other.end());
            break;
        }
    }
}

}  // namespace

int main(int argument_count, char** arguments) {
    const Options options = parse(argument_count, arguments);
    watch_for_crashes();
    std::vector<Input> seeds = load_seeds(options);
    for (const Input& seed : seeds) {
        run(seed);
    }
    const std::size_t replayed = seeds.size();
    seeds.push_back({});
    Random random(options.seed);
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t done = 0;
    for (; done < options.runs; ++done) {
        if (options.seconds > 0 &&
            std::chrono::steady_clock::now() - start >= std::chrono::seconds(options.seconds)) {
            break;
        }
        Input input = seeds[below(random, seeds.size())];
        input.resize(std::min(input.size(), options.max_length));
        for (std::size_t change = 1 + below(random, 8); change > 0; --change) {
            mutate_once(input, seeds, random);
        }
        input.resize(std::min(input.size(), options.max_length));
        run(input);
    }
    std::printf("%zu seeds replayed, %llu mutated inputs run, seed %llu\n",
                replayed,
                static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(options.seed));
    return 0;
}
