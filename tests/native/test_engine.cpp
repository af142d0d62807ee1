// The engine on hand-made captures: timeouts, TCP's end, segments, eviction, the balance, and that
// neither cuts nor threads change anything.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "check.hpp"
#include "engine/engine.hpp"

using namespace flowclass;

namespace {

constexpr base::TimeNs kSecond = base::kSecond;

struct Frame {
    base::TimeNs time;
    std::vector<std::uint8_t> bytes;
};

void put16(std::vector<std::uint8_t>& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8U));
    out.push_back(static_cast<std::uint8_t>(value));
}
void put32(std::vector<std::uint8_t>& out, std::uint32_t value) {
    put16(out, value >> 16U);
    put16(out, value & 0xffffU);
}

// A raw IPv4 packet (LINKTYPE_RAW).
std::vector<std::uint8_t> ip_packet(std::uint8_t proto,
                                    std::uint32_t src,
                                    std::uint32_t dst,
                                    const std::vector<std::uint8_t>& above) {
    std::vector<std::uint8_t> out{0x45, 0};
    put16(out, 20 + above.size());
    put32(out, 0);
    out.push_back(64);
    out.push_back(proto);
    put16(out, 0);
    put32(out, src);
    put32(out, dst);
    out.insert(out.end(), above.begin(), above.end());
    return out;
}

Frame udp(base::TimeNs time,
          std::uint32_t src,
          std::uint16_t src_port,
          std::uint32_t dst,
          std::uint16_t dst_port,
          std::size_t size = 20) {
    std::vector<std::uint8_t> above;
    put16(above, src_port);
    put16(above, dst_port);
    put16(above, 8 + size);
    put16(above, 0);
    above.resize(8 + size, 0xa5);
    return {time, ip_packet(17, src, dst, above)};
}

constexpr std::uint8_t kFin = 1;
constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kRst = 4;
constexpr std::uint8_t kAck = 16;

Frame tcp(base::TimeNs time, bool back, std::uint8_t flags) {
    std::vector<std::uint8_t> above;
    put16(above, back ? 80 : 4000);
    put16(above, back ? 4000 : 80);
    put32(above, 1);
    put32(above, 1);
    above.push_back(0x50);
    above.push_back(flags);
    put32(above, 0);
    put16(above, 0);
    return {time, ip_packet(6, back ? 2 : 1, back ? 1 : 2, above)};
}

struct Run {
    std::vector<flow::EndReason> reasons;
    std::vector<std::uint64_t> packets;
    std::vector<std::uint32_t> segments;
    std::string bytes;  // every column buffer's facts that a row shows
    engine::Counters counters;
};

const void* buffer(const batch::ColumnData& column, std::size_t index) {
    return column.buffers[index].data;
}

std::size_t column_index(std::string_view name) {
    for (std::size_t index = 0; index < batch::columns().size(); ++index) {
        if (batch::columns()[index].name == name) {
            return index;
        }
    }
    CHECK(false);
    return 0;
}

Run run(const std::vector<Frame>& frames, engine::Options options = {}, std::size_t piece = 1000) {
    options.memcap = options.memcap == 0 ? std::size_t{64} << 20U : options.memcap;
    engine::Engine engine(options);
    engine.begin_source("test");
    std::vector<packet::PacketView> views;
    for (const Frame& frame : frames) {
        views.push_back({frame.time,
                         frame.bytes,
                         static_cast<std::uint32_t>(frame.bytes.size()),
                         101,
                         views.size() + 1});
    }
    Run out;
    const auto take = [&out](std::vector<batch::FlowBatch> batches) {
        for (const batch::FlowBatch& ready : batches) {
            const auto& columns = ready.columns.children;
            for (std::int64_t row = 0; row < ready.rows; ++row) {
                const auto at = static_cast<std::size_t>(row);
                out.reasons.push_back(static_cast<flow::EndReason>(static_cast<const std::int16_t*>(
                    buffer(columns[column_index("end_reason")], 1))[at]));
                out.packets.push_back(static_cast<const std::uint64_t*>(
                                          buffer(columns[column_index("packets_fwd")], 1))[at] +
                                      static_cast<const std::uint64_t*>(
                                          buffer(columns[column_index("packets_rev")], 1))[at]);
                out.segments.push_back(static_cast<const std::uint32_t*>(
                    buffer(columns[column_index("segment")], 1))[at]);
                const batch::ColumnData& id = columns[column_index("flow_id")];
                const auto* offsets = static_cast<const std::int32_t*>(buffer(id, 1));
                out.bytes.append(static_cast<const char*>(buffer(id, 2)) + offsets[at],
                                 static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
            }
        }
    };
    for (std::size_t done = 0; done < views.size(); done += piece) {
        engine.push_packets(std::span(views).subspan(done, std::min(piece, views.size() - done)));
        take(engine.poll());
    }
    engine.finish();
    take(engine.poll());
    out.counters = engine.counters();
    return out;
}

}  // namespace

TEST(idle_flows_end_exactly_at_the_timeout) {
    const std::vector<Frame> frames{udp(0, 1, 10, 2, 20),
                                    udp(120 * kSecond, 2, 20, 1, 10),
                                    udp(240 * kSecond + 1, 1, 10, 2, 20),
                                    udp(241 * kSecond, 1, 10, 2, 20)};
    const Run seen = run(frames);
    CHECK_EQ(seen.packets.size(), 2U);
    CHECK_EQ(seen.packets[0], 2U);
    CHECK(seen.reasons[0] == flow::EndReason::idle);
    CHECK_EQ(seen.packets[1], 2U);
    CHECK(seen.reasons[1] == flow::EndReason::eof);
}

TEST(the_active_timeout_cuts_segments) {
    engine::Options options;
    options.active_timeout = 300 * kSecond;
    std::vector<Frame> frames;
    for (int second = 0; second <= 900; second += 100) {
        frames.push_back(udp(second * kSecond, 1, 10, 2, 20));
    }
    const Run seen = run(frames, options);
    // 0 to 300 s, 400 to 700 s, 800 to 900 s.
    CHECK_EQ(seen.packets.size(), 3U);
    CHECK_EQ(seen.packets[0], 4U);
    CHECK_EQ(seen.packets[1], 4U);
    CHECK_EQ(seen.packets[2], 2U);
    CHECK_EQ(seen.segments[0], 0U);
    CHECK_EQ(seen.segments[1], 1U);
    CHECK_EQ(seen.segments[2], 2U);
    CHECK(seen.reasons[0] == flow::EndReason::active);
}

TEST(tcp_ends_by_fin_or_reset_with_linger) {
    const std::vector<Frame> closed{
        tcp(0, false, kSyn),
        tcp(1, true, kSyn | kAck),
        tcp(2, false, kAck),
        tcp(3, false, kFin | kAck),
        tcp(4, true, kFin | kAck),
        tcp(5, false, kAck),        // within the linger
        tcp(kSecond, false, kSyn),  // a new connection on the same ports
        tcp(kSecond + 1, true, kRst | kAck),
        tcp(20 * kSecond, false, kAck)};  // long after the reset
    const Run seen = run(closed);
    CHECK_EQ(seen.packets.size(), 3U);
    CHECK_EQ(seen.packets[0], 6U);
    CHECK(seen.reasons[0] == flow::EndReason::fin);
    CHECK_EQ(seen.packets[1], 2U);
    CHECK(seen.reasons[1] == flow::EndReason::rst);
    CHECK_EQ(seen.packets[2], 1U);
}

TEST(a_full_table_evicts_and_counts) {
    engine::Options options;
    options.memcap = 1;  // the least table there is
    std::vector<Frame> frames;
    for (std::uint32_t host = 0; host < 5000; ++host) {
        frames.push_back(udp(host * 1000, 1000 + host, 10, 2, 20));
    }
    const Run seen = run(frames, options);
    CHECK_EQ(seen.packets.size(), 5000U);
    CHECK(seen.counters.evicted > 3000);
    CHECK_EQ(seen.counters.in_flows.packets, 5000U);
}

// The flow that is due next may be one whose packets the wheel was not told of: being active it
// stays.
TEST(an_active_flow_outlives_a_flood_of_new_ones) {
    engine::Options options;
    options.memcap = 1;
    std::vector<Frame> frames;
    for (std::uint32_t host = 0; host < 100'000; ++host) {
        const base::TimeNs now = host * (kSecond / 1000);
        frames.push_back(udp(now, 1000 + host, 10, 2, 20));
        if (host % 100 == 0) {
            frames.push_back(udp(now, 1, 10, 2, 20));
        }
    }
    const Run seen = run(frames, options);
    CHECK_EQ(seen.packets.size(), 100'001U);
    CHECK_EQ(std::ranges::count(seen.packets, 1000U), 1);
    CHECK(seen.counters.evicted > 98'000);
    CHECK_EQ(seen.counters.ended[static_cast<std::size_t>(flow::EndReason::evicted)],
             seen.counters.evicted);
}

TEST(a_clock_that_begins_anew_ends_every_flow) {
    engine::Engine engine({});
    engine.begin_source("test");
    const auto push = [&engine](const Frame& frame) {
        const packet::PacketView view{
            frame.time, frame.bytes, static_cast<std::uint32_t>(frame.bytes.size()), 101, 1};
        engine.push_packets(std::span(&view, 1));
    };
    push(udp(1000 * kSecond, 1, 10, 2, 20));
    CHECK_EQ(engine.bursts_behind(), 0U);
    push(udp(5 * kSecond, 1, 10, 2, 20));
    push(udp(939 * kSecond, 1, 10, 2, 20));
    CHECK_EQ(engine.bursts_behind(), 2U);
    engine.restart_clock();
    CHECK(!engine.started());
    CHECK_EQ(engine.counters().ended[static_cast<std::size_t>(flow::EndReason::forced)], 1U);
    CHECK_EQ(engine.memory().flows_alive, 0U);
    push(udp(6 * kSecond, 1, 10, 2, 20));
    CHECK_EQ(engine.time_last(), 6 * kSecond);
    CHECK_EQ(engine.time_first(), 5 * kSecond);
    engine.advance(200 * kSecond);
    CHECK_EQ(engine.counters().ended[static_cast<std::size_t>(flow::EndReason::idle)], 1U);
    engine.flush();
    CHECK_EQ(engine.poll().size(), 1U);
}

TEST(time_going_backwards_or_far_is_survived) {
    const std::vector<Frame> frames{udp(1000 * kSecond, 1, 10, 2, 20),
                                    udp(5 * kSecond, 1, 10, 2, 20),
                                    udp(INT64_MAX, 1, 10, 2, 20),
                                    udp(INT64_MIN, 1, 10, 2, 20),
                                    udp(1001 * kSecond, 1, 10, 2, 20)};
    const Run seen = run(frames);
    std::uint64_t packets = 0;
    for (const std::uint64_t count : seen.packets) {
        packets += count;
    }
    CHECK_EQ(packets, 5U);
    CHECK_EQ(seen.counters.out_of_order, 3U);
}

// Law 2: cuts, threads and the table's seed change nothing.
TEST(cuts_threads_and_seeds_change_nothing) {
    std::vector<Frame> frames;
    std::uint64_t state = 42;
    const auto next = [&state](std::uint64_t bound) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state >> 33U) % bound;
    };
    base::TimeNs now = 0;
    for (int step = 0; step < 20000; ++step) {
        now += static_cast<base::TimeNs>(next(40'000'000));
        if (next(200) == 0) {
            now += static_cast<base::TimeNs>(next(130)) * kSecond;
        }
        const auto late = static_cast<base::TimeNs>(next(3) == 0 ? next(5) * 100'000'000 : 0);
        const auto a = static_cast<std::uint32_t>(next(40));
        const auto b = static_cast<std::uint32_t>(40 + next(40));
        frames.push_back(next(2) == 0 ? udp(now - late, a, 10, b, 20)
                                      : udp(now - late, b, 20, a, 10));
    }
    engine::Options plain;
    plain.hash_key = base::HashKey{1, 2};
    plain.batch_rows = 100;
    const Run whole = run(frames, plain, frames.size());
    CHECK(whole.packets.size() > 1000);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{500}}) {
        for (const std::uint32_t threads : {1U, 2U, 3U}) {
            engine::Options options = plain;
            options.threads = threads;
            options.hash_key = base::HashKey{piece, threads};
            const Run cut = run(frames, options, piece);
            CHECK_EQ(cut.bytes, whole.bytes);
            CHECK(cut.packets == whole.packets);
            CHECK(cut.reasons == whole.reasons);
        }
    }
}

// Flows of one key at one instant have one name too: they stay in the order in which they came.
TEST(rows_of_one_name_keep_their_order) {
    std::vector<Frame> frames;
    for (int round = 0; round < 40; ++round) {
        frames.push_back(tcp(0, false, kSyn));
        for (int more = 0; more < round; ++more) {
            frames.push_back(tcp(0, false, kAck));
        }
        frames.push_back(tcp(0, true, kRst | kAck));
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{64}, std::size_t{10000}}) {
        const Run seen = run(frames, {}, piece);
        CHECK_EQ(seen.packets.size(), 40U);
        // All but the last close when the next begins; the last lingers to the end of the input.
        for (std::size_t row = 0; row < seen.packets.size(); ++row) {
            CHECK_EQ(seen.packets[row], row + 2);
        }
    }
}
