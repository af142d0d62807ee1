// Fuzz target of the whole engine. The input is a capture; it goes through one engine at once and
// through one of two shards in pieces cut where the input says. Aborts when the rows, the counters
// or the report differ, when a frame is neither in a flow nor skipped, or when rows do not add up.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "engine_rows.hpp"

using flowclass::base::Bytes;
namespace base = flowclass::base;
namespace engine = flowclass::engine;
using namespace engine_rows;

namespace {

struct Run {
    std::vector<Row> rows;
    engine::Counters counters;
    std::string problem;
};

// `piece(n)` is the length of the n-th push, at least 1.
template <typename Piece>
Run run(Bytes input, std::uint32_t threads, Piece piece) {
    static const auto registered = make_registry();
    engine::Options options;
    options.memcap = std::size_t{16} << 20U;
    options.threads = threads;
    options.heads = threads > 1;
    options.batch_rows = threads == 1 ? 1000 : 7;
    options.hash_key = base::HashKey{};
    options.registry = registered;
    engine::Engine engine(options);
    Run out;
    engine.begin_source("input");
    std::size_t turn = 0;
    while (!input.empty()) {
        const std::size_t count = std::min(piece(turn++), input.size());
        const std::vector<std::uint8_t> own(input.begin(),
                                            input.begin() + static_cast<std::ptrdiff_t>(count));
        engine.push(own);
        take(engine.poll(), out.rows);
        input = input.subspan(count);
    }
    out.problem = engine.end_source().sentence();
    engine.finish();
    take(engine.poll(), out.rows);
    out.counters = engine.counters();
    return out;
}

// The balance: each frame is in one flow or skipped for one reason, each row counted once.
void check_balance(const Run& run) {
    engine::Tally skipped;
    for (std::size_t row = 0; row < run.counters.skipped.size(); ++row) {
        skipped.packets += run.counters.skipped[row].tally.packets;
        skipped.bytes += run.counters.skipped[row].tally.bytes;
    }
    require(run.counters.read.packets == run.counters.in_flows.packets + skipped.packets);
    require(run.counters.read.bytes ==
            run.counters.in_flows.bytes + skipped.bytes +
                static_cast<std::uint64_t>(run.counters.link_overhead_bytes));
    std::uint64_t packets = 0;
    for (const Row& row : run.rows) {
        require(row.packets > 0 && row.start <= row.end);
        packets += row.packets;
    }
    require(packets == run.counters.in_flows.packets + run.counters.inner_packets);
    require(run.counters.flows == run.rows.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input(data, size);
    const Run whole = run(input, 1, [size](std::size_t) { return size; });
    check_balance(whole);
    // Long inputs in longer pieces: a capture of megabytes is not pushed octet by octet.
    const std::size_t scale = 1 + size / 4096;
    const Run cut = run(input, 2, [input, scale](std::size_t turn) {
        return 1 + scale * (input[(turn * 13 + 5) % input.size()] % 61U);
    });
    check_balance(cut);
    // When a table fills up, which flow leaves first depends on how many tables there are.
    if (whole.counters.evicted + cut.counters.evicted == 0) {
        require(whole.rows == cut.rows);
    }
    require(whole.problem == cut.problem);
    require(whole.counters.read.packets == cut.counters.read.packets);
    require(whole.counters.read.bytes == cut.counters.read.bytes);
    require(whole.counters.out_of_order == cut.counters.out_of_order);
    return 0;
}
