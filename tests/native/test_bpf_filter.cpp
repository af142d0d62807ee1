// Filters: what libpcap makes of them where it is there, and what is said where it is not.
#include <array>

#include "capture/af_packet.hpp"
#include "capture/bpf_filter.hpp"
#include "check.hpp"

using namespace flowclass;

TEST(a_program_that_takes_all) {
    const capture::FilterProgram program = capture::take_all(96);
    CHECK_EQ(program.size(), 1U);
    CHECK_EQ(program.front().code, 6U);
    CHECK_EQ(program.front().constant, 96U);
}

TEST(no_library_is_no_filter) {
    constexpr std::array<const char*, 2> kNames{"libnone-of-that-name.so.7", "libc.so.6"};
    CHECK(!capture::can_load_libpcap(kNames));
}

TEST(filters_are_compiled_or_refused_with_a_sentence) {
    const auto good = capture::compile_filter("udp and port 53", 1, 96);
    const auto bad = capture::compile_filter("udp and port banana", 1, 96);
    CHECK(!bad.ok());
    if (!good.ok()) {  // this machine has no libpcap, and both say so
        CHECK(good.error().find("needs libpcap") != std::string::npos);
        CHECK_EQ(good.error(), bad.error());
        return;
    }
    CHECK(bad.error().find("cannot be compiled") != std::string::npos);
    CHECK(good.value().size() > 4);
    bool returns_snap_length = false;
    bool returns_none = false;
    for (const capture::FilterInstruction& one : good.value()) {
        returns_snap_length = returns_snap_length || (one.code == 6 && one.constant == 96);
        returns_none = returns_none || (one.code == 6 && one.constant == 0);
    }
    CHECK(returns_snap_length);
    CHECK(returns_none);
    // Raw IP begins with the IP header: the program looks at other octets.
    const auto raw = capture::compile_filter("udp and port 53", 101, 96);
    CHECK(raw.ok());
    CHECK(raw.value().front().constant != good.value().front().constant);
}

TEST(a_ring_of_no_interface_is_a_sentence) {
    capture::RingOptions options;
    const auto none = capture::PacketRing::open(options);
    CHECK(!none.ok());
    CHECK(none.error().find("no name of an interface") != std::string::npos);
    options.interface = "fc-absent";
    const auto absent = capture::PacketRing::open(options);
    CHECK(!absent.ok());
    CHECK(absent.error().find("fc-absent: ") == 0);
}
