// Keys whose places collide, made by who knows the hash: the table says so, the engine gives it
// another one, and what is told of the flows is what it would be anyway.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../fuzz/engine_rows.hpp"
#include "check.hpp"
#include "decode_frames.hpp"
#include "engine/engine.hpp"
#include "flow/flow_table.hpp"

using namespace flowclass;
using engine_rows::Row;
using flow::FlowKey;

namespace {

constexpr base::HashKey kKnown{0x0123456789abcdefU, 0xfedcba9876543210U};
constexpr base::HashKey kOther{1, 2};
constexpr std::uint32_t kMany = 20'000;
constexpr std::uint64_t kIndex = 1U << 16U;  // entries that so many flows need

FlowKey key_of(std::uint32_t number) {
    FlowKey key;
    key.a_low = number;
    key.b_low = 7;
    key.version = 4;
    return key;
}

auto hash_by(base::HashKey key) {
    return [place = base::PlaceHash(key)](const FlowKey& of) { return flow::hash_of(of, place); };
}

// Ports between 10.0.0.1 and 10.0.0.2 whose flows all lie in one 64th of the index.
std::vector<std::uint32_t> colliding_ports() {
    std::vector<std::uint32_t> out;
    const base::PlaceHash place(kKnown);
    FlowKey key;
    key.a_low = 0x0a000001;
    key.b_low = 0x0a000002;
    key.ip_proto = 17;
    key.version = 4;
    key.has_ports = true;
    for (std::uint32_t ports = 0; out.size() < kMany; ++ports) {
        key.a_port = static_cast<std::uint16_t>(ports >> 16U);
        key.b_port = static_cast<std::uint16_t>(ports);
        const std::uint64_t home = flow::hash_of(key, place) % kIndex;
        if (home < kIndex / 64) {
            out.push_back(ports);
        }
    }
    return out;
}

// A frame each; the second half of them an hour later, when the first half has long been idle.
std::vector<frames::Frame> frames_of(const std::vector<std::uint32_t>& all_ports) {
    std::vector<frames::Frame> out;
    for (const std::uint32_t ports : all_ports) {
        out.push_back(frames::ethernet(
            0x0800,
            frames::ipv4(17, frames::udp(ports >> 16U, ports & 0xffffU, frames::filled(4)))));
    }
    return out;
}

struct Told {
    std::vector<Row> rows;
    std::uint64_t placed_anew = 0;
};

engine::Options options_of(std::optional<base::HashKey> key) {
    engine::Options options;
    options.memcap = std::size_t{256} << 20U;
    options.hash_key = key;
    return options;
}

void push(engine::Engine& one,
          const std::vector<frames::Frame>& all,
          std::size_t from,
          std::size_t to) {
    for (std::size_t number = from; number < to; ++number) {
        const base::TimeNs hour = number < all.size() / 2 ? 0 : 3600 * base::kSecond;
        const packet::PacketView view{hour + static_cast<base::TimeNs>(number),
                                      all[number],
                                      static_cast<std::uint32_t>(all[number].size()),
                                      1,
                                      number + 1};
        one.push_packets({&view, 1});
    }
}

Told told_of(const std::vector<frames::Frame>& all, std::optional<base::HashKey> key) {
    engine::Engine one(options_of(key));
    one.begin_source("input");
    push(one, all, 0, all.size());
    one.finish();
    Told out;
    engine_rows::take(one.poll(), out.rows);
    out.placed_anew = one.memory().placed_anew;
    return out;
}

}  // namespace

TEST(keys_that_nobody_chose_do_not_crowd_a_table) {
    flow::FlowTable<int> table(200'000);
    for (std::uint32_t number = 0; number < 150'000; ++number) {
        table.insert(key_of(number), hash_by(kKnown)(key_of(number)));
    }
    for (std::uint32_t number = 0; number < 150'000; number += 2) {
        table.erase(table.find(key_of(number), hash_by(kKnown)(key_of(number))));
    }
    CHECK(!table.crowded());
}

TEST(a_crowded_table_is_mended_by_another_hash) {
    flow::FlowTable<int> table(10'000);
    std::vector<std::uint32_t> slots;
    for (std::uint32_t number = 0; number < 2000; ++number) {
        slots.push_back(table.insert(key_of(number), 5));
        CHECK_EQ(table.crowded(), number > 512);
    }
    table.rehash(hash_by(kOther));
    CHECK(!table.crowded());
    CHECK_EQ(table.size(), 2000U);
    for (std::uint32_t number = 0; number < 2000; ++number) {
        CHECK_EQ(table.find(key_of(number), hash_by(kOther)(key_of(number))), slots[number]);
    }
    CHECK_EQ(table.find(key_of(2000), hash_by(kOther)(key_of(2000))), flow::kNoSlot);
}

// Homes one behind the other, two keys at the first: each entry lies one place from its home, but
// where the first one goes, all move up.
TEST(a_long_run_is_seen_when_it_moves_up) {
    flow::FlowTable<int> table(10'000);
    const std::uint32_t first = table.insert(key_of(0), 0);
    for (std::uint32_t number = 1; number < 2000; ++number) {
        table.insert(key_of(number), number - 1);
    }
    CHECK(!table.crowded());
    table.erase(first);
    CHECK(table.crowded());
    for (std::uint32_t number = 1; number < 2000; ++number) {
        CHECK(table.find(key_of(number), number - 1) != flow::kNoSlot);
    }
}

TEST(flows_of_colliding_keys_are_told_as_any) {
    const std::vector<frames::Frame> all = frames_of(colliding_ports());
    const Told known = told_of(all, kKnown);
    CHECK_EQ(known.placed_anew, 1U);
    CHECK_EQ(known.rows.size(), all.size());
    const Told unknown = told_of(all, std::nullopt);
    CHECK_EQ(unknown.placed_anew, 0U);
    CHECK(known.rows == unknown.rows);
}

TEST(a_state_with_colliding_keys_is_restored) {
    const std::vector<frames::Frame> all = frames_of(colliding_ports());
    const std::size_t half = all.size() / 2;
    engine::Engine first(options_of(kKnown));
    first.begin_source("input");
    push(first, all, 0, half);
    first.flush();
    std::vector<Row> rows;
    engine_rows::take(first.poll(), rows);
    std::vector<std::uint8_t> state;
    CHECK(!first.save([&state](base::Bytes piece) {
        state.insert(state.end(), piece.begin(), piece.end());
        return true;
    }));
    engine::Engine second(options_of(std::nullopt));
    CHECK(!second.restore(state));
    CHECK(second.memory().placed_anew > 0);  // the state has the key that is known
    push(second, all, half, all.size());
    second.finish();
    engine_rows::take(second.poll(), rows);
    CHECK(rows == told_of(all, std::nullopt).rows);
}
