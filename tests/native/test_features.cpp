// The sums of the feature columns: exact, the same however they are parted, and null where nothing
// is to be said.
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "check.hpp"
#include "feature/feature_value.hpp"

using namespace flowclass;
using feature::FlowFeatures;
using feature::Moments;

namespace {

constexpr base::TimeNs kSecond = base::kSecond;

packet::FlowLayer packet_of(std::uint32_t length, std::uint8_t proto = 17) {
    packet::FlowLayer layer;
    layer.ip_length = length;
    layer.ip_proto = proto;
    return layer;
}

packet::FlowLayer segment(std::uint16_t flags, std::uint16_t window) {
    packet::FlowLayer layer = packet_of(40, 6);
    layer.tcp_flags = flags;
    layer.tcp_window = window;
    layer.has_tcp_window = true;
    return layer;
}

constexpr auto kForward = packet::Direction::forward;
constexpr auto kReverse = packet::Direction::reverse;

constexpr std::size_t row_of(std::string_view name) {
    for (std::size_t row = 0; row < feature::kFeatureCount; ++row) {
        if (feature::kFeatures[row].name.view() == name) {
            return row;
        }
    }
    return feature::kFeatureCount;
}

constexpr std::size_t kLeast = row_of("pkt_len_min_fwd");
constexpr std::size_t kMean = row_of("pkt_len_mean_bi");
constexpr std::size_t kDeviation = row_of("pkt_len_std_fwd");
constexpr std::size_t kReverseMost = row_of("pkt_len_max_rev");
constexpr std::size_t kGapMost = row_of("iat_ns_max_bi");
constexpr std::size_t kGapLeast = row_of("iat_ns_min_bi");
constexpr std::size_t kGapMean = row_of("iat_ns_mean_bi");
constexpr std::size_t kActiveCount = row_of("active_periods");
constexpr std::size_t kActiveMost = row_of("active_ns_max");
constexpr std::size_t kActiveLeast = row_of("active_ns_min");
constexpr std::size_t kIdleMean = row_of("idle_ns_mean");
constexpr std::size_t kSyn = row_of("tcp_syn_packets_fwd");
constexpr std::size_t kAckBack = row_of("tcp_ack_packets_rev");
constexpr std::size_t kWindowFirst = row_of("tcp_window_first_fwd");
constexpr std::size_t kWindowLeast = row_of("tcp_window_min_fwd");
constexpr std::size_t kWindowMost = row_of("tcp_window_max_fwd");
constexpr std::size_t kWindowBack = row_of("tcp_window_first_rev");
constexpr std::size_t kEntropy = row_of("head_entropy_fwd");
constexpr std::size_t kEntropyBack = row_of("head_entropy_rev");
constexpr std::size_t kEntropyBoth = row_of("head_entropy_bi");
constexpr std::size_t kOctets = row_of("head_octets_bi");

template <std::size_t Row>
auto value(const FlowFeatures& flow, bool initiator_forward = true, bool is_tcp = false) {
    return feature::value_of<Row>(feature::finish(flow, initiator_forward, is_tcp));
}

bool near(double found, double wanted) {
    return std::abs(found - wanted) <= 1e-12 * std::abs(wanted);
}

}  // namespace

TEST(moments_of_parts_are_those_of_the_whole) {
    Moments whole;
    Moments first;
    Moments second;
    std::uint64_t state = 7;
    for (int number = 0; number < 1000; ++number) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const std::uint64_t number_drawn = state >> 20U;
        whole.add(number_drawn);
        (number < 321 ? first : second).add(number_drawn);
    }
    second.add(first);
    CHECK_EQ(second.count, whole.count);
    CHECK_EQ(second.sum, whole.sum);
    CHECK(second.squares == whole.squares);
    CHECK_EQ(second.least, whole.least);
    CHECK_EQ(second.greatest, whole.greatest);
    CHECK(second.deviation() == whole.deviation());
}

TEST(a_small_spread_of_great_values_is_exact) {
    // Floating sums would lose it all: the squares have 38 digits, the variance is 1/4.
    Moments moments;
    for (int pair = 0; pair < 2; ++pair) {
        moments.add(4'000'000'000'000'000'000U);
        moments.add(4'000'000'000'000'000'001U);
    }
    CHECK(near(moments.deviation(), 0.5));
    Moments constant;
    for (int number = 0; number < 3; ++number) {
        constant.add(1'234'567'890'123'456'789U);
    }
    CHECK_EQ(constant.deviation(), 0.0);
    Moments far;
    far.add(0);
    far.add(UINT64_MAX - 1);
    CHECK(near(far.deviation(), 9223372036854775807.0));
    CHECK(near(far.mean(), 9223372036854775807.0));
}

TEST(lengths_and_their_nulls) {
    FlowFeatures flow;
    flow.add(feature::facts_of(packet_of(100), kForward, 0));
    CHECK_EQ(*value<kLeast>(flow), 100U);
    CHECK(!value<kDeviation>(flow).has_value());
    CHECK(!value<kReverseMost>(flow).has_value());
    CHECK(!value<kGapMost>(flow).has_value());
    CHECK(!value<kSyn>(flow).has_value());
    CHECK(!value<kEntropy>(flow).has_value());
    CHECK(!value<kOctets>(flow).has_value());
    flow.add(feature::facts_of(packet_of(300), kForward, 10));
    flow.add(feature::facts_of(packet_of(1500), kReverse, 20));
    CHECK_EQ(*value<kDeviation>(flow), 100.0);
    CHECK(near(*value<kMean>(flow), 1900.0 / 3));
    CHECK_EQ(*value<kReverseMost>(flow), 1500U);
    // The same packets, told that the other end began.
    CHECK_EQ(*value<kReverseMost>(flow, false), 300U);
    CHECK_EQ(*value<kLeast>(flow, false), 1500U);
}

TEST(a_late_packet_has_no_gap) {
    FlowFeatures flow;
    flow.add(feature::facts_of(packet_of(60), kForward, 1000));
    flow.add(feature::facts_of(packet_of(60), kForward, 3000));
    flow.add(feature::facts_of(packet_of(60), kForward, 2500));  // sent before, came after
    flow.add(feature::facts_of(packet_of(60), kForward, 4000));
    CHECK_EQ(*value<kGapLeast>(flow), 0);
    CHECK_EQ(*value<kGapMost>(flow), 2000);
    CHECK_EQ(*value<kGapMean>(flow), 1000.0);  // the gaps add up to the time that passed
    CHECK_EQ(flow.first_count(), 4U);
    CHECK_EQ(flow.first_packet(0).gap, 0U);
    CHECK_EQ(flow.first_packet(1).gap, 2000U);
    CHECK_EQ(flow.first_packet(2).gap, 0U);
    CHECK_EQ(flow.first_packet(3).gap, 1000U);
}

TEST(the_ends_of_time_are_survived) {
    FlowFeatures flow;
    for (const base::TimeNs time : {INT64_MIN, INT64_MAX, base::TimeNs{0}, INT64_MIN}) {
        flow.add(feature::facts_of(packet_of(UINT32_MAX), kForward, time));
    }
    CHECK_EQ(*value<kGapMost>(flow), INT64_MAX);  // what a column can say
    CHECK_EQ(*value<kGapLeast>(flow), 0);
    CHECK_EQ(*value<kActiveCount>(flow), 2U);
    CHECK(near(*value<kGapMean>(flow), 18446744073709551615.0 / 3));
}

TEST(more_than_five_seconds_of_silence_part_active_periods) {
    FlowFeatures flow;
    flow.add(feature::facts_of(packet_of(60), kForward, 0));
    flow.add(feature::facts_of(packet_of(60), kReverse, 5 * kSecond));  // not more than
    flow.add(feature::facts_of(packet_of(60), kForward, 11 * kSecond));
    flow.add(feature::facts_of(packet_of(60), kForward, 11 * kSecond + 7));
    flow.add(feature::facts_of(packet_of(60), kReverse, 21 * kSecond + 7));
    CHECK_EQ(*value<kActiveCount>(flow), 3U);
    CHECK_EQ(*value<kActiveMost>(flow), 5 * kSecond);
    CHECK_EQ(*value<kActiveLeast>(flow), 0);  // the last packet alone
    CHECK_EQ(*value<kIdleMean>(flow), 8e9);
    FlowFeatures quiet;
    quiet.add(feature::facts_of(packet_of(60), kForward, 0));
    CHECK_EQ(*value<kActiveCount>(quiet), 1U);
    CHECK_EQ(*value<kActiveMost>(quiet), 0);
    CHECK(!value<kIdleMean>(quiet).has_value());
}

TEST(control_bits_and_windows) {
    FlowFeatures flow;
    flow.add(feature::facts_of(segment(2, 1000), kForward, 0));
    flow.add(feature::facts_of(segment(16, 0), kForward, 1));
    flow.add(feature::facts_of(segment(0x010, 65535), kForward, 2));
    packet::FlowLayer later = packet_of(1500, 6);
    later.fragment = packet::Fragment::later;
    flow.add(feature::facts_of(later, kForward, 3));
    packet::FlowLayer cut = packet_of(40, 6);  // the snap length left the ports
    flow.add(feature::facts_of(cut, kReverse, 4));
    CHECK_EQ(*value<kSyn>(flow, true, true), 1U);
    CHECK_EQ(*value<kAckBack>(flow, true, true), 0U);
    CHECK_EQ(*value<kAckBack>(flow, false, true), 2U);
    CHECK_EQ(*value<kWindowFirst>(flow, true, true), 1000U);
    CHECK_EQ(*value<kWindowLeast>(flow, true, true), 0U);
    CHECK_EQ(*value<kWindowMost>(flow, true, true), 65535U);
    CHECK(!value<kWindowBack>(flow, true, true).has_value());
}

TEST(entropy_of_the_head) {
    FlowFeatures flow;
    std::vector<std::uint8_t> all(256);
    for (std::size_t octet = 0; octet < all.size(); ++octet) {
        all[octet] = static_cast<std::uint8_t>(octet);
    }
    const std::vector<std::uint8_t> same(64, 0x41);
    flow.set_head(feature::head_entropy({base::Bytes(all), base::Bytes(same)}));
    CHECK_EQ(*value<kEntropy>(flow), 8.0);
    CHECK_EQ(*value<kEntropyBack>(flow), 0.0);
    CHECK_EQ(*value<kOctets>(flow), 320U);
    const double both = (255 * std::log2(320.0) + 65 * std::log2(320.0 / 65)) / 320;
    CHECK(near(*value<kEntropyBoth>(flow), both));
    const feature::HeadEntropy back = feature::head_entropy({base::Bytes(), base::Bytes(all)});
    CHECK_EQ(back.bits[0], 0.0);
    CHECK_EQ(back.bits[1], 8.0);
    CHECK_EQ(back.bits[2], 8.0);
}

TEST(only_the_first_sixteen_packets_are_listed) {
    FlowFeatures flow;
    for (std::uint32_t number = 0; number < 40; ++number) {
        flow.add(feature::facts_of(
            packet_of(100 + number), number % 3 == 0 ? kForward : kReverse, number));
    }
    CHECK_EQ(flow.first_count(), feature::kFirstPackets);
    CHECK_EQ(flow.first_packet(feature::kFirstPackets - 1).length, 115U);
    CHECK_EQ(flow.first_reverse(), 0b0110'1101'1011'0110U);
    CHECK_EQ(flow.packets(), 40U);
}

TEST(every_row_of_the_table_is_complete_and_has_its_own_name) {
    std::set<std::string> names;
    for (const feature::Feature& row : feature::kFeatures) {
        names.emplace(row.name.view());
        CHECK(!row.meaning.view().empty());
        CHECK(!row.formula.empty());
        CHECK(!row.source.empty());
    }
    CHECK_EQ(names.size(), feature::kFeatureCount);
}
