// Fuzz target of pieces: a pcap is cut at record boundaries, each range goes through an engine of
// its own behind the file header, and what they leave at their borders through the engines that
// join. The rows and the balance must be those of one engine that read the whole. With octets of
// the columns that are left written over, or with any octets for them, they are refused, or they
// are sound enough to be run, which the sanitizers watch.
//
//   how(1): 2 = heads and features, 4 = registry, 8 = short timeouts, 16 = no tunnels,
//           64 = the columns are damaged, 128 = what follows are columns
//   counts(1): cuts, at most 7, in the low three bits; pauses, at most 7, in the next three
//   slack(1, s): by which pieces may overlap in time, before it is known that they do by more
//   cuts times: place(2); pauses times: place(2) and seconds(2, signed) by which all later
//   packets come later; places are in 65536 parts of the records. Where columns are damaged:
//   writes(1), at most 7, and so many times place(4) value(1); then the capture
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/byte_reader.hpp"
#include "cut_pcap.hpp"
#include "engine/carried_packets.hpp"
#include "engine/engine.hpp"
#include "engine/piece_scan.hpp"
#include "engine_rows.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::base::TimeNs;
using flowclass::packet::PacketView;
namespace capture = flowclass::capture;
using namespace cut_pcap;
using namespace engine_rows;

namespace {

constexpr std::uint8_t kNoTunnels = 16;
constexpr std::uint8_t kDamaged = 64;
constexpr std::uint8_t kIsColumns = 128;
constexpr std::uint32_t kPartitions = 2;

struct Plan {
    std::uint8_t how = 0;
    TimeNs slack = 0;
    std::vector<std::uint16_t> cuts;
    std::vector<Pause> pauses;
};

Plan read_plan(ByteReader& reader) {
    Plan plan;
    plan.how = reader.u8();
    const std::uint8_t counts = reader.u8();
    plan.slack = reader.u8() * base::kSecond;
    for (unsigned number = counts & 7U; number > 0; --number) {
        plan.cuts.push_back(reader.be16());
    }
    std::sort(plan.cuts.begin(), plan.cuts.end());
    for (unsigned number = counts >> 3U & 7U; number > 0; --number) {
        const std::uint16_t place = reader.be16();
        plan.pauses.push_back({place, static_cast<std::int16_t>(reader.be16())});
    }
    return plan;
}

engine::Options options_of(std::uint8_t how) {
    engine::Options options = options_with(how, std::size_t{4} << 20U);
    options.tunnels = (how & kNoTunnels) == 0;
    return options;
}

struct Piece {
    std::vector<std::uint8_t> octets;  // with the file header
    std::uint64_t frames_before = 0;
    bool has_packets = false;
    TimeNs first = 0, least = 0, greatest = 0;
    TimeNs needed = 0;        // slack
    TimeNs clock_before = 0;  // greatest of all pieces before
    bool any_before = false;
    engine::CarriedPackets left;
};

std::vector<Piece> cut(const Plan& plan,
                       const std::vector<std::uint8_t>& input,
                       const std::vector<std::size_t>& records) {
    std::vector<std::size_t> bounds;
    for (const std::uint16_t place : plan.cuts) {
        const std::size_t record = records.empty() ? 0 : part_of(records.size() - 1, place);
        if (record > 0 && (bounds.empty() || bounds.back() < record)) {
            bounds.push_back(record);
        }
    }
    std::vector<Piece> pieces;
    std::size_t begin = 0;
    for (std::size_t number = 0; number <= bounds.size(); ++number) {
        Piece piece;
        if (number > 0) {
            piece.octets.assign(input.begin(), input.begin() + kFileHeader);
            piece.frames_before = bounds[number - 1];
        }
        const std::size_t end = number < bounds.size() ? records[bounds[number]] : input.size();
        piece.octets.insert(piece.octets.end(),
                            input.begin() + static_cast<std::ptrdiff_t>(begin),
                            input.begin() + static_cast<std::ptrdiff_t>(end));
        pieces.push_back(std::move(piece));
        begin = end;
    }
    return pieces;
}

std::shared_ptr<const flowclass::decode::BorderPairs> scan(const Plan& plan,
                                                           Piece& piece,
                                                           TimeNs slack,
                                                           bool is_last) {
    engine::PieceScan first_look(options_of(plan.how).idle_timeout, slack);
    first_look.push(piece.octets);
    const capture::CaptureReport& report = first_look.finish();
    require(is_last || report.problem == capture::Problem::none);
    piece.has_packets = first_look.has_packets();
    piece.first = first_look.time_first();
    piece.least = first_look.time_least();
    piece.greatest = first_look.time_greatest();
    return first_look.border();
}

// What each piece has to know of those before and after it, as distributed/streams.py finds it.
void compare_neighbours(std::vector<Piece>& pieces) {
    TimeNs greatest = 0;
    bool any = false;
    for (Piece& piece : pieces) {
        piece.any_before = any;
        piece.clock_before = greatest;
        if (any && piece.has_packets) {
            piece.needed = std::max(piece.needed, greatest - piece.first);
        }
        if (piece.has_packets) {
            greatest = any ? std::max(greatest, piece.greatest) : piece.greatest;
            any = true;
        }
    }
    TimeNs least = std::numeric_limits<TimeNs>::max();
    for (std::size_t number = pieces.size(); number-- > 0;) {
        Piece& piece = pieces[number];
        if (piece.has_packets) {
            if (least != std::numeric_limits<TimeNs>::max()) {
                piece.needed = std::max(piece.needed, piece.greatest - least);
            }
            least = std::min(least, piece.least);
        }
    }
}

struct Run {
    std::vector<Row> rows;
    std::uint64_t frames = 0, octets = 0, inner = 0;
    bool full = false;  // of a table that is full, who leaves depends on who else is in it
};

void end(engine::Engine& one, std::uint64_t frames_before, Run& out) {
    one.end_source();
    one.finish();
    std::vector<Row> rows;
    take(one.poll(), rows);
    std::uint64_t packets = 0;
    for (Row& row : rows) {
        packets += row.packets;
        row.packet_first += frames_before;
        out.rows.push_back(std::move(row));
    }
    const engine::Counters counters = one.counters();
    require(packets == counters.in_flows.packets + counters.inner_packets);
    engine::Tally skipped;
    for (std::size_t row = 0; row < counters.skipped.size(); ++row) {
        skipped.packets += counters.skipped[row].tally.packets;
    }
    require(counters.read.packets == counters.in_flows.packets + skipped.packets);
    out.frames += counters.read.packets;
    out.octets += counters.read.bytes;
    out.inner += counters.inner_packets;
    out.full = out.full || counters.evicted + counters.heads_cut + counters.leaders_forgotten > 0;
}

// One octet of a column is written over, or its last value taken away.
template <typename T>
void spoil(std::vector<T>& column, std::size_t place, std::uint8_t value) {
    if (column.empty()) {
        return;
    }
    if (value == 0xff) {
        column.pop_back();
    } else {
        T& cell = column[place / sizeof(T) % column.size()];
        std::array<std::uint8_t, sizeof(T)> octets;
        std::memcpy(octets.data(), &cell, sizeof(T));
        octets[place % sizeof(T)] = value;
        std::memcpy(&cell, octets.data(), sizeof(T));
    }
}

void damage(engine::CarriedPackets& left, std::uint32_t place, std::uint8_t value) {
    const std::size_t rest = place >> 3U;
    switch (place & 7U) {
        case 0:
            return spoil(left.times, rest, value);
        case 1:
            return spoil(left.clocks, rest, value);
        case 2:
            return spoil(left.frames, rest, value);
        case 3:
            return spoil(left.wire_lengths, rest, value);
        case 4:
            return spoil(left.link_types, rest, value);
        case 5:
            return spoil(left.octets, rest, value);
        default:
            return spoil(left.offsets, rest, value);
    }
}

engine::CarriedColumns columns_of(const engine::CarriedPackets& left) {
    return {.times = left.times,
            .clocks = left.clocks,
            .frames = left.frames,
            .wire_lengths = left.wire_lengths,
            .link_types = left.link_types,
            .offsets = left.offsets,
            .octets = left.octets};
}

// Columns that may be anything: refused with a reason, or run.
void run_any(std::uint8_t how, const engine::CarriedPackets& left) {
    const auto views = engine::views_of(columns_of(left));
    if (!views.ok()) {
        require(!views.error().empty());
        return;
    }
    engine::Engine one(options_of(how));
    one.begin_source("input");
    one.push_carried(views.value(), left.clocks);
    Run out;
    end(one, 0, out);
    require(out.frames == views.value().size());
}

// The packets of one partition, in a block that is as long as they are.
engine::CarriedPackets partition_of(const Piece& piece, std::uint32_t partition) {
    const auto all = engine::views_of(columns_of(piece.left));
    require(all.ok() && piece.left.partitions.size() == all.value().size());
    engine::CarriedPackets out;
    for (std::size_t row = 0; row < all.value().size(); ++row) {
        if (piece.left.partitions[row] % kPartitions == partition) {
            PacketView view = all.value()[row];
            view.frame += piece.frames_before;
            out.add(view, piece.left.clocks[row], 0, piece.left.partitions[row]);
        }
    }
    return out;
}

void join(const Plan& plan, const std::vector<Piece>& pieces, std::uint32_t partition, Run& out) {
    engine::Engine one(options_of(plan.how));
    one.begin_source("input");
    TimeNs greatest = std::numeric_limits<TimeNs>::min();
    for (const Piece& piece : pieces) {
        const engine::CarriedPackets left = partition_of(piece, partition);
        const auto views = engine::views_of(columns_of(left));
        require(views.ok());
        if (!left.times.empty()) {
            if (piece.any_before) {
                one.advance(piece.clock_before);
            }
            one.push_carried(views.value(), left.clocks);
        }
        greatest = piece.has_packets ? std::max(greatest, piece.greatest) : greatest;
    }
    if (greatest != std::numeric_limits<TimeNs>::min()) {
        one.advance(greatest);
    }
    end(one, 0, out);
}

void run_pieces(const Plan& plan, std::vector<Piece>& pieces, Run& out) {
    for (std::size_t number = 0; number < pieces.size(); ++number) {
        scan(plan, pieces[number], plan.slack, number + 1 == pieces.size());
    }
    compare_neighbours(pieces);
    for (std::size_t number = 0; number < pieces.size(); ++number) {
        Piece& piece = pieces[number];
        engine::Options options = options_of(plan.how);
        options.border =
            scan(plan, piece, std::max(plan.slack, piece.needed), number + 1 == pieces.size());
        engine::Engine one(options);
        one.begin_source("input");
        one.push(piece.octets);
        end(one, piece.frames_before, out);
        piece.left = one.take_carried();
    }
}

// Columns out of any octets.
engine::CarriedPackets any_columns(ByteReader& reader) {
    engine::CarriedPackets left;
    for (unsigned rows = reader.u8() % 64U; rows > 0; --rows) {
        left.times.push_back(static_cast<TimeNs>(reader.be64()));
        left.clocks.push_back(static_cast<TimeNs>(reader.be64()));
        left.frames.push_back(reader.be16());
        left.wire_lengths.push_back(reader.be16());
        left.link_types.push_back(reader.u8());
        left.offsets.push_back(static_cast<std::int16_t>(reader.be16()));
    }
    const Bytes octets = reader.rest();
    left.octets.assign(octets.begin(), octets.end());
    return left;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    const Plan plan = read_plan(reader);
    if ((plan.how & kIsColumns) != 0) {
        run_any(plan.how, any_columns(reader));
        return 0;
    }
    const unsigned writes = (plan.how & kDamaged) != 0 ? reader.u8() % 8U : 0;
    ByteReader changes(reader.bytes(std::size_t{writes} * 5));
    const Bytes rest = reader.rest();
    std::vector<std::uint8_t> input(rest.begin(), rest.end());
    const std::vector<std::size_t> records = records_of(input);
    if (!records.empty()) {
        for (const Pause& one : plan.pauses) {
            delay(input, records, one);
        }
    }
    std::vector<Piece> pieces = cut(plan, input, records);
    Run parts;
    run_pieces(plan, pieces, parts);
    if (writes > 0) {
        engine::CarriedPackets left = pieces.back().left;
        while (changes.remaining() > 0) {
            const std::uint32_t place = changes.be32();
            damage(left, place, changes.u8());
        }
        run_any(plan.how, left);
        return 0;
    }
    for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
        join(plan, pieces, partition, parts);
    }
    Run whole;
    engine::Engine one(options_of(plan.how));
    one.begin_source("input");
    one.push(input);
    end(one, 0, whole);
    require(parts.frames == whole.frames && parts.octets == whole.octets);
    require(parts.inner == whole.inner);
    if (!parts.full && !whole.full) {
        std::sort(parts.rows.begin(), parts.rows.end());
        std::sort(whole.rows.begin(), whole.rows.end());
        require(parts.rows == whole.rows);
    }
    return 0;
}
