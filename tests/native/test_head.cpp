// Heads: what is kept of datagrams, and the in-order beginning of TCP streams against a plain
// model.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "head/head_block.hpp"

using namespace flowclass;
using head::Direction;

namespace {

packet::FlowLayer layer_of(std::uint8_t ip_proto,
                           const std::vector<std::uint8_t>& payload,
                           std::uint32_t seq = 0) {
    packet::FlowLayer layer;
    layer.ip_proto = ip_proto;
    layer.has_ports = true;
    layer.payload = payload;
    layer.payload_length = layer.datagram_length = static_cast<std::uint32_t>(payload.size());
    layer.tcp_seq = seq;
    return layer;
}

std::vector<std::uint8_t> counted(std::size_t count, std::size_t first = 0) {
    std::vector<std::uint8_t> out(count);
    for (std::size_t index = 0; index < count; ++index) {
        out[index] = static_cast<std::uint8_t>(200 + (first + index) % 50);
    }
    return out;
}

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

// Sends a stream in pieces of at most `most` octets, overlapping, repeated and out of order, and
// holds what the head keeps against it.
void send_in_disorder(const std::vector<std::uint8_t>& stream,
                      std::size_t most,
                      std::mt19937& random) {
    head::HeadPool pool(1);
    const std::uint32_t origin =
        random() % 3 == 0 ? 0xffffff80U : static_cast<std::uint32_t>(random());
    struct Piece {
        std::size_t begin, end;
    };
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < stream.size();) {
        const std::size_t end = std::min(stream.size(), at + 1 + random() % most);
        pieces.push_back({at, end});
        at = end;
    }
    const std::size_t count = pieces.size();
    for (std::size_t extra = 0; extra < count / 2; ++extra) {
        const std::size_t begin = random() % stream.size();
        pieces.push_back({begin, std::min(stream.size(), begin + 1 + random() % 60)});
    }
    // Local disorder: each piece may move up to three places.
    for (std::size_t place = 0; place + 3 < pieces.size(); ++place) {
        std::swap(pieces[place], pieces[place + random() % 3]);
    }
    head::StreamStart start;
    start.known = {true, true};
    start.next_seq = {origin, 0};
    std::uint32_t index = head::HeadPool::kNone;
    std::uint32_t number = 0;
    for (const Piece& piece : pieces) {
        const std::vector<std::uint8_t> part(
            stream.begin() + static_cast<std::ptrdiff_t>(piece.begin),
            stream.begin() + static_cast<std::ptrdiff_t>(piece.end));
        const auto layer = layer_of(kTcp, part, origin + static_cast<std::uint32_t>(piece.begin));
        if (index == head::HeadPool::kNone) {
            index = pool.open(layer, 0, start);
        }
        pool.add(index, layer, Direction::forward, 0, ++number);
    }
    const head::FlowHead& seen = pool.seal(index);
    const base::Bytes kept = seen.stream(Direction::forward);
    CHECK(kept.size() <= stream.size());
    CHECK(std::equal(kept.begin(), kept.end(), stream.begin()));
    if (!seen.gap[0]) {
        CHECK_EQ(kept.size(), stream.size());
    }
    for (std::size_t entry = 0; entry < seen.entry_count; ++entry) {
        const head::Payload payload = seen.payload(entry);
        CHECK(payload.bytes.size() <= payload.length);
        const std::size_t begin = seen.entries[entry].start;
        CHECK(std::equal(payload.bytes.begin(),
                         payload.bytes.end(),
                         stream.begin() + static_cast<std::ptrdiff_t>(begin)));
    }
}

}  // namespace

TEST(an_empty_segment_ahead_of_the_stream_is_no_gap) {
    head::TcpPrefix prefix;
    prefix.start(100);
    CHECK(!prefix.place(101, 0, 0).is_new);
    CHECK(!prefix.gap());
    CHECK(prefix.place(100, 5, 5).is_new);
    CHECK_EQ(prefix.whole(), 5U);
}

TEST(datagrams_keep_a_prefix_each) {
    head::HeadPool pool(4);
    const auto long_one = counted(1000);
    const auto short_one = counted(10);
    const auto first = layer_of(kUdp, long_one);
    const std::uint32_t index = pool.open(first, 100, {});
    CHECK(!pool.add(index, first, Direction::forward, 100, 1));
    CHECK(!pool.add(index, layer_of(kUdp, short_one), Direction::reverse, 110, 2));
    const head::FlowHead& seen = pool.seal(index);
    CHECK_EQ(seen.entry_count, 2);
    CHECK_EQ(seen.payload(0).length, 1000U);
    CHECK_EQ(seen.payload(0).bytes.size(), head::kPrefix);
    CHECK_EQ(seen.payload(1).bytes.size(), 10U);
    CHECK_EQ(seen.next(Direction::reverse), 1U);
    CHECK(seen.both_directions());
    pool.close(index);
    CHECK_EQ(pool.used(), 0U);
}

TEST(a_head_is_complete_when_it_is_full) {
    head::HeadPool pool(1);
    const auto payload = counted(20);
    const auto layer = layer_of(kUdp, payload);
    const std::uint32_t index = pool.open(layer, 0, {});
    std::uint32_t sent = 0;
    bool complete = false;
    while (!complete && sent < 100) {
        ++sent;
        complete = pool.add(
            index, layer, sent % 2 == 0 ? Direction::forward : Direction::reverse, sent, sent);
    }
    CHECK_EQ(sent, static_cast<std::uint32_t>(head::kMaxEntries));
    pool.close(index);
    // One direction alone fills its share and then waits for the other, but not for ever.
    const std::uint32_t alone = pool.open(layer, 0, {});
    for (sent = 1; !pool.add(alone, layer, Direction::forward, sent, sent) && sent < 1000; ++sent) {
    }
    CHECK_EQ(sent, head::kMaxPayloadPackets);
    CHECK_EQ(pool.seal(alone).entry_count, head::kMaxEntriesPerDirection);
}

TEST(an_empty_pool_says_so) {
    head::HeadPool pool(1);
    const auto payload = counted(1);
    CHECK(pool.open(layer_of(kUdp, payload), 0, {}) != head::HeadPool::kNone);
    CHECK_EQ(pool.open(layer_of(kUdp, payload), 0, {}), head::HeadPool::kNone);
}

// Whatever the order, overlaps and repetitions, what is kept is a prefix of the true stream, and
// all that is worth keeping of it.
TEST(tcp_streams_are_in_order_whatever_arrives) {
    std::mt19937 random(11);
    for (int round = 0; round < 2000; ++round) {
        send_in_disorder(counted(400, random() % 50), 90, random);
    }
}

// A ClientHello of post-quantum size: its record's header says how much is waited for.
TEST(client_hellos_are_kept_whole_whatever_arrives) {
    std::mt19937 random(12);
    for (int round = 0; round < 2000; ++round) {
        const std::size_t hello = 600 + random() % 1800;
        std::vector<std::uint8_t> stream{22, 3, 1, 0, 0, 1, 0, 0, 0};
        stream[3] = static_cast<std::uint8_t>((hello + 4) >> 8U);
        stream[4] = static_cast<std::uint8_t>((hello + 4) & 0xffU);
        stream[7] = static_cast<std::uint8_t>(hello >> 8U);
        stream[8] = static_cast<std::uint8_t>(hello & 0xffU);
        const auto rest = counted(hello, random() % 50);
        stream.insert(stream.end(), rest.begin(), rest.end());
        send_in_disorder(stream, round % 2 == 0 ? 700 : 300, random);
    }
}

TEST(a_cut_segment_ends_the_known_stream) {
    head::HeadPool pool(1);
    const auto whole = counted(100);
    auto layer = layer_of(kTcp, whole, 1000);
    layer.payload_length = layer.datagram_length = 300;  // 200 octets were not captured
    const std::uint32_t index = pool.open(layer, 0, {});
    pool.add(index, layer, Direction::forward, 0, 1);
    const auto later = counted(50);
    pool.add(index, layer_of(kTcp, later, 1300), Direction::forward, 0, 2);
    const head::FlowHead& seen = pool.seal(index);
    CHECK_EQ(seen.stream(Direction::forward).size(), 100U);
    CHECK(seen.gap[0]);
    CHECK(seen.truncated);
}

TEST(openvpn_in_tiny_segments_is_waited_for) {
    head::HeadPool pool(1);
    // A 16-bit length and an opcode that OpenVPN has: more of the stream is worth waiting for than
    // twelve segments hold.
    std::vector<std::uint8_t> stream{0, 86, 0x38};
    const auto rest = counted(600);
    stream.insert(stream.end(), rest.begin(), rest.end());
    std::uint32_t index = head::HeadPool::kNone;
    std::uint32_t number = 0;
    bool complete = false;
    for (std::size_t at = 0; at < stream.size() && !complete; at += 9) {
        const std::vector<std::uint8_t> part(
            stream.begin() + static_cast<std::ptrdiff_t>(at),
            stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), at + 9)));
        const auto layer = layer_of(kTcp, part, static_cast<std::uint32_t>(at));
        if (index == head::HeadPool::kNone) {
            index = pool.open(layer, 0, {});
        }
        complete = pool.add(index, layer, Direction::forward, 0, ++number);
    }
    CHECK(pool.seal(index).stream(Direction::forward).size() >= 500);
}
