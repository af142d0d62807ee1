// The changes that the fuzz targets of captures are fed with: they change something, keep to the
// room there is, and leave most captures readable.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "../fuzz/capture_mutations.hpp"
#include "capture_builder.hpp"
#include "check.hpp"

using namespace capture_test;
namespace mutations = capture_mutations;

namespace {

constexpr std::size_t kRoom = 4096;
constexpr std::size_t kTries = 2000;

void flip(mutations::Octets& octets, std::size_t most) {
    octets.resize(std::min(octets.size(), most));
    if (!octets.empty()) {
        octets[octets.size() / 2] ^= 0x40U;
    }
}

std::size_t packets_in(const ByteList& capture) {
    return read(capture).packets.size();
}

ByteList pcap(std::uint32_t magic, bool big_endian, bool modified) {
    Builder builder(big_endian);
    builder.pcap_header(magic);
    for (std::uint32_t second = 1; second <= 6; ++second) {
        builder.record(second, 7, 60 + second, 60 + second, modified);
    }
    return builder.bytes();
}

ByteList pcapng(bool big_endian) {
    Builder builder(big_endian);
    builder.section().interface(1);
    for (std::uint32_t second = 1; second <= 6; ++second) {
        builder.enhanced(0, second, 60 + second, 60 + second);
    }
    return builder.bytes();
}

const std::vector<ByteList>& captures() {
    static const std::vector<ByteList> all{pcap(0xa1b2c3d4, false, false),
                                           pcap(0xa1b2c3d4, true, false),
                                           pcap(0xa1b23c4d, false, false),
                                           pcap(0xa1b2cd34, true, true),
                                           pcapng(false),
                                           pcapng(true)};
    return all;
}

}  // namespace

TEST(mutations_leave_most_captures_readable) {
    for (const ByteList& whole : captures()) {
        CHECK_EQ(packets_in(whole), 6U);
        std::size_t changed = 0;
        std::size_t readable = 0;
        for (unsigned seed = 1; seed <= kTries; ++seed) {
            mutations::Random random(seed);
            ByteList capture = whole;
            CHECK(mutations::mutate(capture, kRoom, random, flip));
            changed += capture != whole ? 1 : 0;
            readable += packets_in(capture) >= 5 ? 1 : 0;
        }
        CHECK(changed > kTries * 8 / 10);
        CHECK(readable > kTries * 8 / 10);
    }
}

TEST(mutations_of_mutations_keep_to_their_room) {
    for (const ByteList& whole : captures()) {
        ByteList capture = whole;
        for (unsigned seed = 1; seed <= kTries; ++seed) {
            mutations::Random random(seed);
            if (!mutations::mutate(capture, whole.size(), random, flip)) {
                capture = whole;
            }
            CHECK(capture.size() <= whole.size());
        }
    }
}

TEST(mutations_are_the_same_for_the_same_numbers) {
    for (const ByteList& whole : captures()) {
        ByteList one = whole;
        ByteList other = whole;
        mutations::Random random(7);
        mutations::Random again(7);
        CHECK(mutations::mutate(one, kRoom, random, flip) &&
              mutations::mutate(other, kRoom, again, flip));
        CHECK(one == other);
    }
}

TEST(what_is_no_capture_is_not_mutated) {
    for (ByteList octets :
         {ByteList{}, ByteList(40, 7), Builder(false).pcap_header(0xa1b2c3d4).bytes()}) {
        const ByteList before = octets;
        mutations::Random random(1);
        CHECK(!mutations::mutate(octets, kRoom, random, flip));
        CHECK(octets == before);
    }
}

TEST(an_answer_swaps_both_ends) {
    mutations::Octets frame(80, 0);
    frame[14] = 0x45;
    for (std::uint8_t octet = 0; octet < 12; ++octet) {
        frame[26 + octet] = octet;
    }
    const mutations::Octets before = frame;
    mutations::answer(frame);
    CHECK(frame[26] == 4 && frame[30] == 0 && frame[34] == 10 && frame[36] == 8);
    mutations::answer(frame);
    CHECK(frame == before);
}
