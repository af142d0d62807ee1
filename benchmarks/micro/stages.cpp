// The pipeline's stages, each with all before it, over one mapped capture.
//   flowclass_stages CAPTURE [--stage NAME]... [--repeat N] [--threads N]
// Takes: a capture. Gives: one line of JSON for each stage: packets, flows, the least and the
// median seconds of the repetitions (which go round the stages, so that a noisy moment hits all),
// memory, and what the stage found, so that the caller can check the answer before it believes a
// time. read .. match are put together here from the rooms' own classes, without what the engine
// adds; shard and engine are the product's.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "batch/schema.hpp"
#include "capture/capture_reader.hpp"
#include "capture/mapped_file.hpp"
#include "decode/decode.hpp"
#include "engine/engine.hpp"
#include "fingerprint/match.hpp"
#include "flow/flow_key.hpp"
#include "flow/flow_table.hpp"
#include "head/head_block.hpp"

namespace {

using namespace flowclass;

constexpr std::size_t kChunk = std::size_t{4} << 20U;
constexpr std::size_t kFlows = std::size_t{1} << 21U;
constexpr base::TimeNs kIdle = 120 * base::kSecond;

enum class Stage : std::uint8_t { read, decode, table, heads, match, shard, engine, count_ };
constexpr std::array<const char*, static_cast<std::size_t>(Stage::count_)> kStageNames{
    "read", "decode", "table", "heads", "match", "shard", "engine"};

struct Found {
    std::uint64_t packets = 0;
    std::uint64_t flows = 0;
    std::uint64_t sum = 0;  // of what was read, so that no stage is optimised away
    std::map<std::string, std::uint64_t> protocols;
    engine::MemoryUse memory;
    std::uint64_t peak_anonymous = 0;  // octets of the process's own memory
};

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

// ---- The stages up to `match`, without timers but idleness, without TCP's states, without rows.
// ----
struct State {
    feature::Accumulators sums;
    base::TimeNs touched = 0;
    base::TimeNs head_deadline = 0;
    std::uint32_t head = head::HeadPool::kNone;
    std::uint32_t payloads = 0;
    bool from_a = true;
    bool head_done = false;
};

class Partial {
  public:
    explicit Partial(Stage last)
        : last_(last),
          table_(kFlows),
          heads_(kFlows / 4),
          by_matcher_(fingerprint::matchers().size()) {}

    void push(base::Bytes chunk) {
        reader_.push(chunk);
        for (std::size_t count = reader_.next_burst(views_); count > 0;
             count = reader_.next_burst(views_)) {
            on_burst(count);
        }
    }
    Found finish() {
        table_.for_each([this](std::uint32_t slot) { close_head(table_[slot].value); });
        for (std::size_t matcher = 0; matcher < by_matcher_.size(); ++matcher) {
            if (by_matcher_[matcher] > 0) {
                found_.protocols[std::string(fingerprint::matchers()[matcher].info->protocol)] +=
                    by_matcher_[matcher];
            }
        }
        return found_;
    }

  private:
    void on_burst(std::size_t count) {
        found_.packets += count;
        if (last_ == Stage::read) {
            for (std::size_t index = 0; index < count; ++index) {
                found_.sum += views_[index].wire_length;
            }
            return;
        }
        layers_.clear();
        for (std::size_t index = 0; index < count; ++index) {
            clock_ = std::max(clock_, views_[index].time);
            if (!layers_.has_room()) {
                on_layers();
            }
            const auto reason =
                decoder_.decode(views_[index], static_cast<std::uint16_t>(index), layers_);
            found_.sum += static_cast<std::uint64_t>(reason.kind);
        }
        on_layers();
        if (last_ != Stage::decode) {
            wheel_.advance(
                clock_,
                table_.links(),
                [](std::span<const std::uint32_t>) {},
                [this](std::uint32_t slot) { on_due(slot); });
        }
    }
    void on_layers() {
        if (last_ == Stage::decode) {
            found_.sum += layers_.layer_count;
            layers_.clear();
            return;
        }
        if (!started_) {
            started_ = true;
            wheel_.start(clock_);
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            flow::make_key(layers_.layers[index], 0, options_, keys_[index]);
            table_.prefetch_index(keys_[index].hash);
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            table_.prefetch_slot(keys_[index].hash);
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            on_layer(index);
        }
        layers_.clear();
    }
    void on_layer(std::size_t index) {
        const packet::FlowLayer& layer = layers_.layers[index];
        const base::TimeNs time = views_[layer.packet].time;
        std::uint32_t slot = table_.find(keys_[index].key, keys_[index].hash);
        if (slot == flow::kNoSlot) {
            slot = table_.insert(keys_[index].key, keys_[index].hash);
            table_[slot].value = {};
            table_[slot].value.from_a = keys_[index].from_a;
            wheel_.schedule(slot, time + head::kHeadTime, table_.links());
            ++found_.flows;
        }
        State& state = table_[slot].value;
        const auto direction = keys_[index].from_a == state.from_a ? packet::Direction::forward
                                                                   : packet::Direction::reverse;
        state.sums.add(layer, direction);
        state.touched = time;
        if (last_ >= Stage::heads && layer.payload_length > 0 &&
            layer.fragment != packet::Fragment::later && !state.head_done) {
            add_payload(state, layer, direction, time);
        }
    }
    void add_payload(State& state,
                     const packet::FlowLayer& layer,
                     packet::Direction direction,
                     base::TimeNs time) {
        if (state.head == head::HeadPool::kNone) {
            state.head = heads_.open(layer, time, {});
            state.head_deadline = time + head::kHeadTime;
        }
        if (time > state.head_deadline ||
            heads_.add(state.head, layer, direction, time, ++state.payloads)) {
            close_head(state);
        }
    }
    void on_due(std::uint32_t slot) {
        State& state = table_[slot].value;
        if (state.touched + kIdle < clock_) {
            close_head(state);
            table_.erase(slot);
            return;
        }
        if (clock_ > state.head_deadline) {
            close_head(state);
        }
        wheel_.schedule(slot, state.touched + kIdle, table_.links());
    }
    void close_head(State& state) {
        if (state.head == head::HeadPool::kNone) {
            return;
        }
        const head::FlowHead& sealed = heads_.seal(state.head);
        if (last_ >= Stage::match) {
            fingerprint::match(sealed, match_);
            if (match_.tier != fingerprint::Tier::none) {
                ++by_matcher_[match_.matcher];
            }
        }
        found_.sum += sealed.entry_count;
        heads_.close(state.head);
        state.head = head::HeadPool::kNone;
        state.head_done = true;
    }

    Stage last_;
    capture::CaptureReader reader_;
    decode::Decoder decoder_{decode::DecodeOptions{}};
    flow::KeyOptions options_{base::random_hash_key(), true};
    flow::FlowTable<State> table_;
    flow::TimerWheel wheel_;
    head::HeadPool heads_;
    std::array<packet::PacketView, packet::kBurst> views_;
    packet::LayerBuffer layers_;
    std::array<flow::KeyedLayer, packet::LayerBuffer::kLayers> keys_;
    fingerprint::Match match_;
    std::vector<std::uint64_t> by_matcher_;
    base::TimeNs clock_ = INT64_MIN;
    bool started_ = false;
    Found found_;
};

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
    for (std::size_t protocol = 0; protocol < engine.verdicts().size(); ++protocol) {
        for (const std::uint64_t count : engine.verdicts()[protocol].by_tier) {
            if (count > 0) {
                found.protocols[batch::protocol_names()[protocol]] += count;
            }
        }
    }
    return found;
}

Found run(Stage stage, base::Bytes bytes, std::uint32_t threads, bool watch) {
    return stage == Stage::engine  ? run_engine(bytes, threads, watch)
           : stage == Stage::shard ? run_shard(bytes)
                                   : run_partial(stage, bytes);
}

void print(Stage stage, std::uint32_t threads, const Found& found, Seconds seconds) {
    std::sort(seconds.wall.begin(), seconds.wall.end());
    std::sort(seconds.processor.begin(), seconds.processor.end());
    std::printf(
        "{\"stage\": \"%s\", \"threads\": %u, \"packets\": %llu, \"flows\": %llu, "
        "\"seconds_least\": %.6f, "
        "\"seconds_median\": %.6f, \"processor_seconds_least\": %.6f, ",
        kStageNames[static_cast<std::size_t>(stage)],
        threads,
        static_cast<unsigned long long>(found.packets),
        static_cast<unsigned long long>(found.flows),
        seconds.wall.front(),
        seconds.wall[seconds.wall.size() / 2],
        seconds.processor.front());
    std::printf(
        "\"repeats\": %zu, \"table_bytes\": %zu, \"head_bytes\": %zu, \"evidence_bytes\": %zu, "
        "\"peak_flows\": %zu, ",
        seconds.wall.size(),
        found.memory.tables,
        found.memory.heads,
        found.memory.evidence,
        found.memory.peak_flows);
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
        for (std::size_t stage = 0; stage < kStageNames.size(); ++stage) {
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
