// How long a head waits: the first octets decide, and the other side's answer.
#include <vector>

#include "check.hpp"
#include "head/head_block.hpp"

using namespace flowclass;

namespace {

constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kTcp = 6;
constexpr base::TimeNs kLong = 15 * base::kSecond;

head::HeadTime time_of(std::uint8_t first, std::size_t length, std::uint8_t ip_proto = kUdp) {
    std::vector<std::uint8_t> payload(length, 0xa5);
    payload[0] = first;
    return head::head_time(payload, static_cast<std::uint32_t>(length), ip_proto);
}

}  // namespace

TEST(openvpns_first_message_waits_for_its_answer) {
    for (const std::size_t length : {14U, 38U, 42U, 50U, 54U, 70U, 86U}) {
        CHECK_EQ(time_of(0x38, length).most, kLong);
        CHECK(time_of(0x38, length).less_once_answered);
    }
    CHECK_EQ(time_of(0x50, 88).most, kLong);
    CHECK_EQ(time_of(0x50, 400).most, kLong);
}

TEST(nothing_else_waits) {
    CHECK_EQ(time_of(0x38, 53).most, head::kHeadTime);  // of no reset's length
    CHECK_EQ(time_of(0x39, 54).most, head::kHeadTime);  // another key id
    CHECK_EQ(time_of(0x40, 66).most, head::kHeadTime);  // the server's
    CHECK_EQ(time_of(0x50, 87).most, head::kHeadTime);  // no room for a key
    CHECK_EQ(time_of(0x38, 54, kTcp).most, head::kHeadTime);
    CHECK_EQ(head::head_time({}, 0, kUdp).most, head::kHeadTime);
}

TEST(a_snap_length_does_not_shorten_the_wait) {
    const std::vector<std::uint8_t> cut{0x38, 0xa5, 0xa5};
    CHECK_EQ(head::head_time(cut, 54, kUdp).most, kLong);
}

TEST(ike_behind_its_marker_waits_answered_or_not) {
    std::vector<std::uint8_t> payload(32, 0);
    payload[21] = 0x20;
    const head::HeadTime time = head::head_time(payload, 32, kUdp);
    CHECK_EQ(time.most, kLong);
    CHECK(!time.less_once_answered);
}

TEST(the_answer_is_taken_once) {
    head::HeadPool pool(2);
    packet::FlowLayer layer;
    layer.ip_proto = kUdp;
    const std::vector<std::uint8_t> payload(54, 0x38);
    layer.payload = payload;
    layer.payload_length = layer.datagram_length = 54;
    const std::uint32_t index = pool.open(layer, 0, {});
    pool.add(index, layer, head::Direction::forward, 0, 1);
    CHECK(!pool.take_answer(index, head::Direction::reverse));  // nobody waits
    pool.wait_for_answer(index);
    CHECK(!pool.take_answer(index, head::Direction::forward));  // the same side again
    CHECK(pool.take_answer(index, head::Direction::reverse));
    pool.add(index, layer, head::Direction::reverse, 0, 2);
    CHECK(!pool.take_answer(index, head::Direction::reverse));
    pool.close(index);
    const std::uint32_t next = pool.open(layer, 0, {});
    CHECK(!pool.take_answer(next, head::Direction::reverse));  // another flow's wait is over
    pool.close(next);
}
