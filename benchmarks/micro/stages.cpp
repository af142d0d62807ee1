// The pipeline's stages, each with all before it, over one mapped capture.
//   flowclass_stages CAPTURE [--stage NAME]... [--repeat N] [--threads N]
// Takes: a capture. Gives: one line of JSON for each stage: packets, flows, the least and the
// median seconds of the repetitions (which go round the stages, so that a noisy moment hits all),
// memory, and what the stage found, so that the caller can check the answer before it believes a
// time. read .. match are put together here from the rooms' own classes, without what the engine
// adds; shard and engine are the product's. calibration, which runs only when it is named, is a
// fixed piece of work that none of the rooms has a part in: stages are told by their ratio to it.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "batch/dictionaries.hpp"
#include "batch/schema.hpp"
#include "capture/mapped_file.hpp"
#include "engine/engine.hpp"
#include "partial.hpp"

namespace {

using namespace flowclass;
using namespace flowclass::benchmark;

constexpr std::size_t kChunk = std::size_t{4} << 20U;

// The processor's time of all threads: on a busy machine it says more than the clock on the wall.
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

struct Seconds {
    std::vector<double> wall, processor;
};

std::uint64_t anonymous_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("RssAnon:")) {
            return std::strtoull(line.c_str() + std::strlen("RssAnon:"), nullptr, 10) * 1024;
        }
    }
    return 0;
}

template <typename Push>
void each_chunk(base::Bytes bytes, Push&& push) {
    for (std::size_t begin = 0; begin < bytes.size(); begin += kChunk) {
        push(bytes.subspan(begin, std::min(kChunk, bytes.size() - begin)));
    }
}

Found run_partial(Stage stage, base::Bytes bytes) {
    const auto partial = std::make_unique<Partial>(stage);
    each_chunk(bytes, [&](base::Bytes chunk) { partial->push(chunk); });
    return partial->finish();
}

// The packet and head clocks of the product alone: flows end, and no row is made of them.
Found run_shard(base::Bytes bytes) {
    engine::Options options;
    options.memcap = std::size_t{4} << 30U;
    const auto shard = std::make_unique<engine::Shard>(options, base::random_hash_key(), 0, 1);
    Found found;
    const auto take = [&] {
        found.flows += shard->ended().size();
        shard->release_ended();
    };
    shard->begin_source(0);
    each_chunk(bytes, [&](base::Bytes chunk) {
        shard->push(chunk);
        take();
    });
    shard->end_source();
    shard->finish();
    take();
    found.packets = shard->counters().read.packets;
    return found;
}

Found run_engine(base::Bytes bytes, std::uint32_t threads, bool watch) {
    engine::Options options;
    options.threads = threads;
    engine::Engine engine(options);
    Found found;
    std::int64_t rows = 0;
    const auto take = [&] {
        for (const batch::FlowBatch& batch : engine.poll()) {
            rows += batch.rows;
        }
        if (watch) {
            found.peak_anonymous = std::max(found.peak_anonymous, anonymous_memory());
        }
    };
    engine.begin_source("trace");
    each_chunk(bytes, [&](base::Bytes chunk) {
        engine.push(chunk);
        take();
    });
    engine.end_source();
    engine.finish();
    take();
    found.packets = engine.counters().read.packets;
    found.flows = static_cast<std::uint64_t>(rows);
    found.memory = engine.memory();
    for (const engine::VerdictCount& row : engine.verdicts()) {
        found.protocols[batch::protocol_names()[batch::protocol_index(row.key.matcher)]] +=
            row.flows;
    }
    return found;
}

// What the stages do, in small and for ever the same: hashing in registers, copying in order,
// sorting, and following pointers. splitmix64 is Steele, Lea and Flood's, "Fast splittable
// pseudorandom number generators", 2014.
Found run_calibration() {
    // As much as a core's own cache holds, and no fresh pages after the first round: where the
    // kernel puts them, and what it takes to clear them, would be timed too.
    constexpr std::size_t kWords = std::size_t{1} << 16U;
    constexpr std::size_t kSorted = kWords / 8;
    constexpr int kTimes = 16;
    constexpr int kCopies = 4;
    static std::vector<std::uint64_t> words(kWords);
    static std::vector<std::uint64_t> copy(kWords);
    Found found;
    std::uint64_t state = 1;
    for (int time = 0; time < kTimes; ++time) {
        for (std::uint64_t& word : words) {
            state += 0x9e3779b97f4a7c15U;
            word = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
            word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
            word ^= word >> 31U;
        }
        base::SipHash<1, 3> hash({1, 2});
        for (const std::uint64_t word : words) {
            hash.add(word);
        }
        std::uint64_t at = hash.finish() % kWords;
        for (int round = 0; round < kCopies; ++round) {
            std::memcpy(copy.data(), words.data(), kWords * sizeof(std::uint64_t));
            words[static_cast<std::size_t>(round)] ^= copy[at];
        }
        std::sort(copy.begin(), copy.begin() + kSorted);
        for (std::size_t step = 0; step < kWords / 4; ++step) {
            at = (words[at] + step) % kWords;
        }
        found.sum += at + copy.front();
    }
    return found;
}

Found run(Stage stage, base::Bytes bytes, std::uint32_t threads, bool watch) {
    return stage == Stage::calibration ? run_calibration()
           : stage == Stage::engine    ? run_engine(bytes, threads, watch)
           : stage == Stage::shard     ? run_shard(bytes)
                                       : run_partial(stage, bytes);
}

void print(Stage stage, std::uint32_t threads, const Found& found, Seconds seconds) {
    std::sort(seconds.wall.begin(), seconds.wall.end());
    std::sort(seconds.processor.begin(), seconds.processor.end());
    std::printf(
        "{\"stage\": \"%s\", \"threads\": %u, \"packets\": %llu, \"flows\": %llu, "
        "\"seconds_least\": %.6f, "
        "\"seconds_median\": %.6f, \"processor_seconds_least\": %.6f, "
        "\"processor_seconds_median\": %.6f, \"sum\": %llu, ",
        kStageNames[static_cast<std::size_t>(stage)],
        threads,
        static_cast<unsigned long long>(found.packets),
        static_cast<unsigned long long>(found.flows),
        seconds.wall.front(),
        seconds.wall[seconds.wall.size() / 2],
        seconds.processor.front(),
        seconds.processor[seconds.processor.size() / 2],
        static_cast<unsigned long long>(found.sum));
    std::printf(
        "\"repeats\": %zu, \"table_bytes\": %zu, \"head_bytes\": %zu, \"evidence_bytes\": %zu, "
        "\"peak_flows\": %zu, ",
        seconds.wall.size(),
        found.memory.tables,
        found.memory.heads,
        found.memory.evidence,
        found.memory.peak_flows);
    std::printf("\"processor_seconds\": [");
    for (std::size_t round = 0; round < seconds.processor.size(); ++round) {
        std::printf("%s%.6f", round == 0 ? "" : ", ", seconds.processor[round]);
    }
    std::printf("], ");
    std::printf("\"bytes_per_flow\": %zu, \"peak_anonymous\": %llu, \"protocols\": {",
                found.memory.bytes_per_flow,
                static_cast<unsigned long long>(found.peak_anonymous));
    const char* comma = "";
    for (const auto& [name, count] : found.protocols) {
        std::printf("%s\"%s\": %llu", comma, name.c_str(), static_cast<unsigned long long>(count));
        comma = ", ";
    }
    std::printf("}}\n");
}

struct Arguments {
    std::string capture;
    std::vector<Stage> stages;
    std::size_t repeat = 3;
    std::uint32_t threads = 1;
    bool ok = false;
};

Arguments parse(int count, char** values) {
    Arguments out;
    for (int index = 1; index < count; ++index) {
        const std::string_view name = values[index];
        if (!name.starts_with("--")) {
            out.capture = name;
            continue;
        }
        if (index + 1 == count) {
            return out;
        }
        const std::string_view value = values[++index];
        if (name == "--repeat") {
            out.repeat = std::strtoull(value.data(), nullptr, 10);
        } else if (name == "--threads") {
            out.threads = static_cast<std::uint32_t>(std::strtoul(value.data(), nullptr, 10));
        } else {
            const auto* const stage = std::find(kStageNames.begin(), kStageNames.end(), value);
            if (name != "--stage" || stage == kStageNames.end()) {
                return out;
            }
            out.stages.push_back(static_cast<Stage>(stage - kStageNames.begin()));
        }
    }
    if (out.stages.empty()) {
        for (std::size_t stage = 0; stage < static_cast<std::size_t>(Stage::calibration); ++stage) {
            out.stages.push_back(static_cast<Stage>(stage));
        }
    }
    out.ok = !out.capture.empty() && out.repeat > 0 && out.threads > 0;
    return out;
}

}  // namespace

int main(int count, char** values) {
    const Arguments arguments = parse(count, values);
    if (!arguments.ok) {
        std::fprintf(
            stderr,
            "usage: flowclass_stages CAPTURE [--stage NAME]... [--repeat N] [--threads N]\n");
        return 2;
    }
    const auto file = capture::MappedFile::open(arguments.capture);
    if (!file.ok()) {
        std::fprintf(stderr, "%s\n", file.error().c_str());
        return 4;
    }
    const base::Bytes bytes = file.value().bytes();
    std::vector<Found> found;
    for (const Stage stage : arguments.stages) {
        found.push_back(arguments.repeat > 1 ? run(stage, bytes, arguments.threads, true)
                                             : Found{});  // warms the page cache too
    }
    std::vector<Seconds> seconds(arguments.stages.size());
    for (std::size_t round = 0; round < arguments.repeat; ++round) {
        for (std::size_t index = 0; index < arguments.stages.size(); ++index) {
            const double wall = wall_seconds();
            const double processor = processor_seconds();
            const Found again = run(arguments.stages[index], bytes, arguments.threads, false);
            seconds[index].wall.push_back(wall_seconds() - wall);
            seconds[index].processor.push_back(processor_seconds() - processor);
            if (arguments.repeat == 1) {
                found[index] = again;
            }
        }
    }
    for (std::size_t index = 0; index < arguments.stages.size(); ++index) {
        print(arguments.stages[index], arguments.threads, found[index], seconds[index]);
    }
    return 0;
}
