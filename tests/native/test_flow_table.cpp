// The flow table against std::map, the timer wheel against a sorted list, keys and names.
#include <map>
#include <random>
#include <set>
#include <vector>

#include "check.hpp"
#include "flow/flow_record.hpp"
#include "flow/flow_table.hpp"

using namespace flowclass;
using flow::FlowKey;

namespace {

FlowKey key_of(std::uint32_t number) {
    FlowKey key;
    key.a_low = number;
    key.b_low = 7;
    key.version = 4;
    return key;
}

packet::FlowLayer layer_of(base::IpAddress src,
                           base::IpAddress dst,
                           std::uint16_t src_port,
                           std::uint16_t dst_port) {
    packet::FlowLayer layer;
    layer.src = src;
    layer.dst = dst;
    layer.src_port = src_port;
    layer.dst_port = dst_port;
    layer.has_ports = true;
    layer.ip_proto = 17;
    return layer;
}

flow::KeyedLayer keyed(const packet::FlowLayer& layer, std::uint64_t tunnel = 0) {
    flow::KeyedLayer out;
    flow::make_key(layer, tunnel, {base::PlaceHash({1, 2}), true}, out);
    return out;
}

}  // namespace

// A hash with few values makes every probe sequence long and every deletion shift.
TEST(table_equals_a_map_under_random_work) {
    for (const std::uint64_t spread : {1ULL, 5ULL, 1ULL << 60U}) {
        flow::FlowTable<int> table(50000);
        std::map<std::uint32_t, std::uint32_t> model;
        std::mt19937 random(7);
        const auto hash = [spread](std::uint32_t number) {
            return (number * 0x9e3779b97f4a7c15ULL) % spread;
        };
        for (int step = 0; step < 20000; ++step) {
            const std::uint32_t number = static_cast<std::uint32_t>(random() % 500);
            const std::uint32_t found = table.find(key_of(number), hash(number));
            const auto known = model.find(number);
            CHECK_EQ(found == flow::kNoSlot, known == model.end());
            if (known == model.end()) {
                model[number] = table.insert(key_of(number), hash(number));
            } else {
                CHECK_EQ(found, known->second);
                if (random() % 2 == 0) {
                    table.erase(found);
                    model.erase(known);
                }
            }
            CHECK_EQ(table.size(), model.size());
        }
        for (const auto& [number, slot] : model) {
            CHECK_EQ(table.find(key_of(number), hash(number)), slot);
        }
    }
}

TEST(table_grows_and_keeps_slots_in_place) {
    flow::FlowTable<int> table(200000);
    std::vector<std::uint32_t> slots;
    for (std::uint32_t number = 0; number < 100000; ++number) {
        slots.push_back(table.insert(key_of(number), number * 0x9e3779b97f4a7c15ULL));
        table[slots.back()].value = static_cast<int>(number);
    }
    for (std::uint32_t number = 0; number < 100000; ++number) {
        CHECK_EQ(table.find(key_of(number), number * 0x9e3779b97f4a7c15ULL), slots[number]);
        CHECK_EQ(table[slots[number]].value, static_cast<int>(number));
    }
    CHECK(!table.full());
}

TEST(table_is_full_at_its_capacity) {
    flow::FlowTable<int> table(3);
    for (std::uint32_t number = 0; number < 3; ++number) {
        CHECK(!table.full());
        table.insert(key_of(number), number);
    }
    CHECK(table.full());
    table.erase(table.find(key_of(1), 1));
    CHECK(!table.full());
}

TEST(wheel_shows_every_deadline_in_time) {
    std::vector<flow::WheelLink> links(2000);
    const auto link = [&links](std::uint32_t slot) -> flow::WheelLink& { return links[slot]; };
    for (const base::TimeNs start : {base::TimeNs{0},
                                     base::TimeNs{1'700'000'000'000'000'000},
                                     base::TimeNs{-50'000'000'000}}) {
        std::mt19937_64 random(3);
        flow::TimerWheel wheel;
        wheel.start(start);
        std::vector<base::TimeNs> deadline(links.size());
        std::set<std::uint32_t> waiting;
        for (std::uint32_t slot = 0; slot < links.size(); ++slot) {
            // Beyond one turn of the wheel too: it is shown early then, and put back.
            deadline[slot] =
                start + static_cast<base::TimeNs>(
                            random() % (2000 * static_cast<std::uint64_t>(base::kSecond)));
            wheel.schedule(slot, deadline[slot], link);
            waiting.insert(slot);
        }
        for (std::uint32_t slot = 0; slot < links.size(); slot += 7) {
            wheel.remove(slot, link);
            waiting.erase(slot);
        }
        base::TimeNs now = start;
        while (!waiting.empty()) {
            now += static_cast<base::TimeNs>(random() %
                                             (40 * static_cast<std::uint64_t>(base::kSecond)));
            if (random() % 20 == 0) {
                now += 900 * base::kSecond;
            }
            wheel.advance(
                now,
                link,
                [](std::uint32_t) {},
                [](std::uint32_t) {},
                [&](std::uint32_t slot) {
                    CHECK(waiting.contains(slot));
                    if (deadline[slot] < now) {
                        waiting.erase(slot);
                    } else {
                        wheel.schedule(slot, deadline[slot], link);
                    }
                });
            for (const std::uint32_t slot : waiting) {
                CHECK(flow::TimerWheel::tick_of(deadline[slot]) >= flow::TimerWheel::tick_of(now));
            }
        }
        CHECK_EQ(wheel.nearest(), flow::kNoSlot);
    }
}

TEST(both_directions_have_one_key) {
    const auto a = base::IpAddress::v4(0x0a000001);
    const auto b = base::IpAddress::v4(0x0a000002);
    const auto there = keyed(layer_of(a, b, 4000, 53));
    const auto back = keyed(layer_of(b, a, 53, 4000));
    CHECK(there.key == back.key);
    CHECK_EQ(there.hash, back.hash);
    CHECK(there.from_a != back.from_a);
    CHECK(there.key != keyed(layer_of(a, b, 53, 4000)).key);
}

// CVE-2026-71855 of another tool: an IPv4 and an IPv6 flow with equal words compared equal.
TEST(versions_vlans_and_tunnels_tell_flows_apart) {
    const auto four = keyed(layer_of(base::IpAddress::v4(1), base::IpAddress::v4(2), 1, 2));
    const auto six = keyed(layer_of(base::IpAddress::v6(0, 1), base::IpAddress::v6(0, 2), 1, 2));
    CHECK(four.key != six.key);
    packet::FlowLayer tagged = layer_of(base::IpAddress::v4(1), base::IpAddress::v4(2), 1, 2);
    tagged.vlan = 12;
    CHECK(four.key != keyed(tagged).key);
    flow::KeyedLayer untagged;
    flow::make_key(tagged, 0, {base::PlaceHash({1, 2}), false}, untagged);
    CHECK(four.key == untagged.key);
    const packet::Encap red{packet::EncapType::vxlan, 100};
    const packet::Encap blue{packet::EncapType::vxlan, 200};
    const packet::Encap teid{packet::EncapType::gtp_u, 100};
    const packet::Encap other_teid{packet::EncapType::gtp_u, 200};
    CHECK(flow::tunnel_of(four.key, {&red, 1}, {1, 2}) !=
          flow::tunnel_of(four.key, {&blue, 1}, {1, 2}));
    // A tunnel endpoint id belongs to one direction: both directions of the inner flow are one
    // flow.
    CHECK_EQ(flow::tunnel_of(four.key, {&teid, 1}, {1, 2}),
             flow::tunnel_of(four.key, {&other_teid, 1}, {1, 2}));
}

TEST(flow_names_do_not_depend_on_the_table_seed) {
    const auto layer = layer_of(base::IpAddress::v4(1), base::IpAddress::v4(2), 1, 2);
    flow::KeyedLayer one;
    flow::KeyedLayer two;
    flow::make_key(layer, 0, {base::PlaceHash({1, 2}), true}, one);
    flow::make_key(layer, 0, {base::PlaceHash({3, 4}), true}, two);
    CHECK(one.hash != two.hash);
    CHECK(flow::make_flow_id(one.key, {}, 5) == flow::make_flow_id(two.key, {}, 5));
    CHECK(!(flow::make_flow_id(one.key, {}, 5) == flow::make_flow_id(one.key, {}, 6)));
}

TEST(icmp_questions_and_answers_share_a_key) {
    packet::FlowLayer question;
    question.src = base::IpAddress::v4(1);
    question.dst = base::IpAddress::v4(2);
    question.ip_proto = 1;
    question.icmp_type = 8;
    packet::FlowLayer answer = question;
    std::swap(answer.src, answer.dst);
    answer.icmp_type = 0;
    CHECK(keyed(question).key == keyed(answer).key);
    // Unreachable has no answer: each direction is a flow of its own.
    question.icmp_type = answer.icmp_type = 3;
    question.icmp_code = answer.icmp_code = 1;
    CHECK(keyed(question).key != keyed(answer).key);
}

TEST(connection_states_follow_the_control_bits) {
    using flow::ConnState;
    constexpr std::uint16_t kFin = 1;
    constexpr std::uint16_t kSyn = 2;
    constexpr std::uint16_t kRst = 4;
    constexpr std::uint16_t kAck = 16;
    CHECK_EQ(flow::conn_state(kSyn, 0), ConnState::S0);
    CHECK_EQ(flow::conn_state(kSyn, kRst | kAck), ConnState::REJ);
    CHECK_EQ(flow::conn_state(kSyn | kAck, kSyn | kAck), ConnState::S1);
    CHECK_EQ(flow::conn_state(kSyn | kAck | kFin, kSyn | kAck | kFin), ConnState::SF);
    CHECK_EQ(flow::conn_state(kSyn | kAck | kFin, kSyn | kAck), ConnState::S2);
    CHECK_EQ(flow::conn_state(kSyn | kAck, kSyn | kAck | kFin), ConnState::S3);
    CHECK_EQ(flow::conn_state(kSyn | kAck | kRst, kSyn | kAck), ConnState::RSTO);
    CHECK_EQ(flow::conn_state(kSyn | kAck, kSyn | kAck | kRst), ConnState::RSTR);
    CHECK_EQ(flow::conn_state(kSyn | kRst, 0), ConnState::RSTOS0);
    CHECK_EQ(flow::conn_state(0, kSyn | kAck | kRst), ConnState::RSTRH);
    CHECK_EQ(flow::conn_state(kSyn | kFin, 0), ConnState::SH);
    CHECK_EQ(flow::conn_state(0, kSyn | kAck | kFin), ConnState::SHR);
    CHECK_EQ(flow::conn_state(kAck, kAck), ConnState::OTH);
}
