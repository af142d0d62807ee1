// Where packets and sums of the feature columns lie: a flow's sums are the same wherever it was
// kept before, and what has no room is refused.
#include <cstdint>
#include <vector>

#include "base/archive.hpp"
#include "check.hpp"
#include "engine/feature_store.hpp"

using namespace flowclass;
using engine::FeatureStore;
using feature::FewPackets;
using feature::FlowFeatures;
using feature::PacketFacts;

namespace {

// Packets of both directions, some with control bits, some with windows, gaps of all kinds.
PacketFacts packet_number(std::uint32_t number) {
    packet::FlowLayer layer;
    layer.ip_length = 60 + number * 97 % 1400;
    layer.ip_proto = number % 5 == 4 ? 17 : 6;
    layer.fragment = number % 7 == 6 ? packet::Fragment::later : packet::Fragment::none;
    layer.tcp_flags = static_cast<std::uint16_t>(number * 0x35);
    layer.tcp_window = static_cast<std::uint16_t>(number * 4099);
    layer.has_tcp_window = number % 3 != 1;
    const base::TimeNs time = 1000 + base::kSecond * (number % 4 == 3 ? 1 : number * number);
    return feature::facts_of(
        layer, number % 3 == 2 ? packet::Direction::reverse : packet::Direction::forward, time);
}

template <typename Kept>
std::vector<std::uint8_t> octets_of(Kept kept) {
    std::vector<std::uint8_t> octets;
    base::Saver saver([&octets](base::Bytes more) {
        octets.insert(octets.end(), more.begin(), more.end());
        return true;
    });
    saver(kept);
    CHECK(saver.finish());
    return octets;
}

FlowFeatures sums_in(const FeatureStore& store, std::uint32_t place) {
    FlowFeatures sums;
    if (store.few(place) != nullptr) {
        store.few(place)->add_to(sums);
    } else {
        sums = *store.sums(place);
    }
    return sums;
}

}  // namespace

TEST(sums_are_the_same_wherever_the_packets_were_kept) {
    const std::vector<std::uint8_t> payload{1, 2, 3, 3};
    for (std::uint32_t count = 0; count < 24; ++count) {
        FeatureStore store(1);
        FlowFeatures direct;
        std::uint32_t place = store.open();
        for (std::uint32_t number = 0; number < count; ++number) {
            direct.add(packet_number(number));
            CHECK(store.add(place, packet_number(number)));
            if (number == count / 2) {
                direct.set_head(feature::head_entropy({base::Bytes(payload), base::Bytes()}));
                store.add_head(place, {base::Bytes(payload), base::Bytes()});
            }
        }
        CHECK_EQ(store.sums(place) != nullptr, count > FewPackets::kMost);
        CHECK(octets_of(sums_in(store, place)) == octets_of(direct));
    }
}

TEST(the_next_segment_has_the_head_and_nothing_else) {
    const std::vector<std::uint8_t> payload{1, 2, 3, 3};
    for (const std::uint32_t count : {1U, 9U}) {
        FeatureStore store(2);
        std::uint32_t place = store.open();
        for (std::uint32_t number = 0; number < count; ++number) {
            CHECK(store.add(place, packet_number(number)));
        }
        store.add_head(place, {base::Bytes(payload), base::Bytes()});
        FlowFeatures wanted;
        wanted.set_head(feature::head_entropy({base::Bytes(payload), base::Bytes()}));
        CHECK(octets_of(sums_in(store, store.open_next(place))) == octets_of(wanted));
    }
}

TEST(a_flow_without_room_has_neither_packets_nor_sums) {
    FeatureStore store(1);
    std::uint32_t first = store.open();
    CHECK_EQ(store.open(), FeatureStore::kNone);
    for (std::uint32_t number = 0; number <= FewPackets::kMost; ++number) {
        CHECK(store.add(first, packet_number(number)));
    }
    // Its packets' place is free now, that of sums is not.
    std::uint32_t second = store.open();
    for (std::uint32_t number = 0; number < FewPackets::kMost; ++number) {
        CHECK(store.add(second, packet_number(number)));
    }
    CHECK(!store.add(second, packet_number(FewPackets::kMost)));
    CHECK_EQ(second, FeatureStore::kNone);
    CHECK(store.few(second) == nullptr && store.sums(second) == nullptr);
    store.release(first);
    std::uint32_t third = store.open();
    for (std::uint32_t number = 0; number <= FewPackets::kMost; ++number) {
        CHECK(store.add(third, packet_number(number)));
    }
    CHECK(store.sums(third) != nullptr);
}

TEST(packets_and_sums_are_kept) {
    for (const std::uint32_t count : {0U, 3U, 4U, 5U, 20U}) {
        FeatureStore store(1);
        std::uint32_t place = store.open();
        for (std::uint32_t number = 0; number < count; ++number) {
            CHECK(store.add(place, packet_number(number)));
        }
        std::vector<std::uint8_t> octets;
        base::Saver saver([&octets](base::Bytes more) {
            octets.insert(octets.end(), more.begin(), more.end());
            return true;
        });
        store.keep(saver, place);
        CHECK(saver.finish());
        FeatureStore other(1);
        std::uint32_t found = FeatureStore::kNone;
        base::Loader loader(octets);
        other.keep(loader, found);
        CHECK(loader.ok());
        CHECK_EQ(loader.remaining(), 0U);
        CHECK(octets_of(sums_in(other, found)) == octets_of(sums_in(store, place)));
        CHECK(other.add(found, packet_number(count)) && store.add(place, packet_number(count)));
        CHECK(octets_of(sums_in(other, found)) == octets_of(sums_in(store, place)));
        // No room for it.
        std::uint32_t refused = FeatureStore::kNone;
        FeatureStore full(0);
        base::Loader again(octets);
        full.keep(again, refused);
        CHECK(!again.ok());
        CHECK_EQ(refused, FeatureStore::kNone);
    }
}
