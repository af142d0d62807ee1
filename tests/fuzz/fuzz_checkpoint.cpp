// Fuzz target of saved states. The input is a capture; an engine reads a part of it and saves its
// state, another one restores it and reads the rest. Without a change of the state the rows and the
// counters must be those of one engine that read all. With octets of it written over, or with any
// octets for a state, it is refused, or what was restored is sound enough to read on and to give
// its rows, which the sanitizers watch.
//
//   how(1): 1 = two threads, 2 = heads and features, 4 = registry, 8 = short timeouts,
//           128 = what follows `cut` is the state
//   writes(1), at most 8 of them; cut(2): of 65536 parts of the capture, how many come first
//   writes times: place(4) value(1); then the capture
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_reader.hpp"
#include "engine/engine.hpp"
#include "engine_rows.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
namespace base = flowclass::base;
namespace engine = flowclass::engine;
using namespace engine_rows;

namespace {

constexpr std::uint8_t kThreads = 1;
constexpr std::uint8_t kIsState = 128;
constexpr std::uint8_t kMostWrites = 8;

engine::Options options_of(std::uint8_t how) {
    engine::Options options = options_with(how, std::size_t{8} << 20U);
    options.threads = (how & kThreads) != 0 ? 2 : 1;
    return options;
}

struct Run {
    std::vector<Row> rows;
    engine::Counters counters;
};

void read(engine::Engine& one, Bytes octets, Run& out) {
    const std::vector<std::uint8_t> own(octets.begin(), octets.end());
    one.push(own);
    one.flush();
    take(one.poll(), out.rows);
}

void end(engine::Engine& one, Run& out) {
    one.end_source();
    one.finish();
    take(one.poll(), out.rows);
    out.counters = one.counters();
}

std::vector<std::uint8_t> state_of(engine::Engine& one) {
    std::vector<std::uint8_t> state;
    require(!one.save([&state](Bytes piece) {
        state.insert(state.end(), piece.begin(), piece.end());
        return true;
    }));
    return state;
}

// Any octets for a state: refused, and then the engine is as new; or good for more packets.
void restore_any(std::uint8_t how, Bytes state, Bytes rest) {
    engine::Engine one(options_of(how));
    Run out;
    if (one.restore(state)) {
        require(one.source_count() == 0 && !one.started());
        one.begin_source("input");
    }
    read(one, rest, out);
    end(one, out);
}

void check_same(const Run& whole, const Run& parts) {
    require(whole.rows == parts.rows);
    require(whole.counters.read.packets == parts.counters.read.packets);
    require(whole.counters.in_flows.bytes == parts.counters.in_flows.bytes);
    require(whole.counters.flows == parts.counters.flows);
    require(whole.counters.evicted == parts.counters.evicted);
    require(whole.counters.out_of_order == parts.counters.out_of_order);
    require(whole.counters.skipped.size() == parts.counters.skipped.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    const std::uint8_t how = reader.u8();
    const std::size_t writes = reader.u8() % (kMostWrites + 1U);
    const std::size_t cut = reader.be16();
    if ((how & kIsState) != 0) {
        restore_any(how, reader.rest(), {});
        return 0;
    }
    ByteReader changes(reader.bytes(writes * 5));
    const Bytes capture = reader.rest();
    const Bytes before = capture.first(capture.size() * cut / 65536U);
    const Bytes rest = capture.subspan(before.size());

    Run parts;
    engine::Engine first(options_of(how));
    first.begin_source("input");
    read(first, before, parts);
    std::vector<std::uint8_t> state = state_of(first);
    if (writes > 0) {
        while (changes.remaining() > 0) {
            const std::size_t place = changes.be32() % state.size();
            state[place] = changes.u8();
        }
        restore_any(how, state, rest);
        return 0;
    }
    engine::Engine second(options_of(how));
    require(!second.restore(state));
    require(state_of(second) == state);
    read(second, rest, parts);
    end(second, parts);

    Run whole;
    engine::Engine one(options_of(how));
    one.begin_source("input");
    read(one, before, whole);
    read(one, rest, whole);
    end(one, whole);
    check_same(whole, parts);
    return 0;
}
