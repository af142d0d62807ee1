// Which frames of a piece are left to the run that joins pieces.
#include <vector>

#include "check.hpp"
#include "decode/border_pairs.hpp"

using namespace flowclass;
using decode::AddressPair;
using decode::BorderPairs;

namespace {

constexpr base::TimeNs kGap = 100;
constexpr base::TimeNs kSlack = 10;
constexpr base::HashKey kKey{1, 2};

AddressPair pair_of(std::uint32_t one, std::uint32_t other) {
    return {base::IpAddress::v4(one), base::IpAddress::v4(other)};
}

}  // namespace

TEST(a_pair_of_addresses_has_no_direction) {
    CHECK(pair_of(1, 2) == pair_of(2, 1));
    CHECK(partition_hash(pair_of(1, 2)) == partition_hash(pair_of(2, 1)));
    CHECK(partition_hash(pair_of(1, 2)) != partition_hash(pair_of(1, 3)));
    const AddressPair v6{base::IpAddress::v6(0, 1), base::IpAddress::v6(0, 2)};
    CHECK(!(v6 == pair_of(1, 2)));
}

TEST(only_episodes_near_a_border_are_carried) {
    BorderPairs pairs({.gap = kGap, .slack = kSlack}, kKey);
    const AddressPair pair = pair_of(1, 2);
    const std::vector<base::TimeNs> times{0, 90, 110, 300, 350, 1000, 1889, 1890};
    std::uint64_t frame = 0;
    for (const base::TimeNs time : times) {
        pairs.note(pair, time, time, ++frame);
    }
    pairs.close(2000);
    // 0 to 110 is near the beginning, 1889 and 1890 are near the end.
    const std::vector<bool> expected{true, true, true, false, false, false, true, true};
    for (std::size_t index = 0; index < expected.size(); ++index) {
        CHECK(pairs.is_carried(pair, index + 1) == expected[index]);
    }
    CHECK(!pairs.is_carried(pair_of(1, 3), 1));
}

TEST(slack_moves_both_borders_inwards) {
    BorderPairs pairs({.gap = kGap, .slack = kSlack}, kKey);
    pairs.note(pair_of(9, 9), 0, 0, 1);
    pairs.note(pair_of(1, 2), kGap + kSlack, kGap + kSlack, 2);
    pairs.note(pair_of(1, 3), kGap + kSlack + 1, kGap + kSlack + 1, 3);
    pairs.note(pair_of(1, 4), 500, 500, 4);
    pairs.close(500 + kGap + kSlack);
    CHECK(pairs.is_carried(pair_of(1, 2), 2));
    CHECK(!pairs.is_carried(pair_of(1, 3), 3));
    CHECK(pairs.is_carried(pair_of(1, 4), 4));
    pairs.close(500 + kGap + kSlack + 1);
    CHECK(!pairs.is_carried(pair_of(1, 4), 4));
}

TEST(a_pair_that_is_never_silent_is_carried_whole) {
    BorderPairs pairs({.gap = kGap, .slack = kSlack}, kKey);
    std::uint64_t frame = 0;
    for (base::TimeNs time = 0; time <= 10'000; time += kGap) {
        pairs.note(pair_of(1, 2), time, time, ++frame);
    }
    pairs.close(10'000);
    for (std::uint64_t number = 1; number <= frame; ++number) {
        CHECK(pairs.is_carried(pair_of(2, 1), number));
    }
}

TEST(a_late_frame_counts_by_its_own_time) {
    BorderPairs pairs({.gap = kGap, .slack = kSlack}, kKey);
    pairs.note(pair_of(1, 2), 500, 500, 1);
    // The clock went on elsewhere; this frame's time is within the gap.
    pairs.note(pair_of(1, 2), 590, 700, 2);
    pairs.close(750);
    CHECK(pairs.is_carried(pair_of(1, 2), 1));
    CHECK(pairs.is_carried(pair_of(1, 2), 2));
}

TEST(many_pairs_are_told_apart) {
    BorderPairs pairs({.gap = kGap, .slack = kSlack}, kKey);
    constexpr std::uint32_t kMany = 20'000;
    pairs.note(pair_of(0, 0), 0, 0, 1);
    for (std::uint32_t number = 1; number < kMany; ++number) {
        pairs.note(pair_of(number, 7), 1000 + number % 2, 1001, number + 1);
    }
    pairs.close(5000);
    CHECK(pairs.pairs() == kMany);
    CHECK(pairs.is_carried(pair_of(0, 0), 1));
    for (std::uint32_t number = 1; number < kMany; ++number) {
        CHECK(!pairs.is_carried(pair_of(number, 7), number + 1));
    }
}
