// pcapng: sections, interfaces, the three kinds of packet block, time units, and blocks that cannot
// be.
#include <limits>

#include "capture/timestamp.hpp"
#include "capture_builder.hpp"
#include "check.hpp"

using namespace capture_test;
using flowclass::capture::Finding;
using flowclass::capture::Format;
using flowclass::capture::PcapngParser;
using flowclass::capture::Problem;
using flowclass::capture::TimestampUnit;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

ByteList time_options(const Builder& like, std::uint8_t resolution, std::int64_t offset) {
    Builder options = like.part();
    options.u16(2).u16(5).raw({'e', 't', 'h', '0', 0}).pad();  // if_name, odd length
    options.u16(9).u16(1).raw({resolution}).pad();
    options.u16(14).u16(8).u64(static_cast<std::uint64_t>(offset));
    return options.u16(0).u16(0).bytes();
}

// One good packet, then `tail`: what the reader makes of the tail, which begins at byte 48 + 52.
flowclass::capture::CaptureReport report_of(const ByteList& tail) {
    Builder file(false);
    file.section().interface().enhanced(0, 1, 20, 20).raw(tail);
    return read(file.bytes()).report;
}
constexpr std::uint64_t kTail = 28 + 20 + 52;

}  // namespace

TEST(capture_pcapng_both_orders) {
    for (const bool big : {false, true}) {
        Builder file(big);
        file.section().interface(113).interface(1, 0, time_options(file, 9, -10));
        file.enhanced(0, 1'000'001, 61, 1500).enhanced(1, 20'000'000'003, 10, 10);
        const Reading reading = read(file.bytes());
        CHECK_EQ(reading.report.format, big ? Format::pcapng_be : Format::pcapng_le);
        CHECK_EQ(reading.report.problem, Problem::none);
        CHECK_EQ(reading.report.interfaces, 2U);
        CHECK_EQ(reading.report.bytes_consumed, file.bytes().size());
        CHECK_EQ(reading.packets.size(), 2U);
        CHECK_EQ(reading.packets.at(0).time, 1'000'001'000);
        CHECK_EQ(reading.packets.at(0).link_type, 113U);
        CHECK_EQ(reading.packets.at(0).wire_length, 1500U);
        CHECK(reading.packets.at(0).bytes == Builder(big).frame(61, 61).bytes());
        CHECK_EQ(reading.packets.at(1).time, 10'000'000'003);
        CHECK_EQ(reading.packets.at(1).link_type, 1U);
        CHECK_EQ(reading.packets.at(1).frame, 2U);
    }
}

TEST(capture_pcapng_sections_of_both_orders) {
    Builder big(true);
    big.section().interface(101).enhanced(0, 7, 12, 12);
    Builder file(false);
    file.section().interface(1).interface(9).enhanced(1, 5, 8, 8).raw(big.bytes());
    file.section().enhanced(0, 1, 4, 4).interface(12).enhanced(0, 9, 16, 16);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.report.format, Format::pcapng_le);
    CHECK_EQ(reading.report.sections, 3U);
    CHECK_EQ(reading.packets.size(), 3U);
    CHECK_EQ(reading.packets.at(0).link_type, 9U);
    CHECK_EQ(reading.packets.at(1).link_type, 101U);
    CHECK_EQ(reading.packets.at(1).time, 7000);
    CHECK_EQ(reading.packets.at(2).link_type, 12U);
    // An interface of the section before is none of this section's.
    CHECK_EQ(reading.report.packets_without_interface, 1U);
}

TEST(capture_pcapng_section_of_unknown_version) {
    Builder file(false);
    file.section().interface().enhanced(0, 1, 20, 20);
    file.section(2, 0).interface().enhanced(0, 2, 20, 20);
    file.section(1, 2).interface().enhanced(0, 3, 20, 20);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.packets.size(), 2U);
    CHECK_EQ(reading.packets.at(1).time, 3000);
    CHECK_EQ(reading.report.problem, Problem::unsupported_format);
    CHECK_EQ(reading.report.problem_offset, kTail);
    CHECK_EQ(reading.report.skipped_types, 2U);
    CHECK_EQ(reading.report.bytes_consumed, file.bytes().size());
}

TEST(capture_pcapng_simple_packets) {
    Builder file(false);
    file.section().interface(1, 40).simple(100, 40).enhanced(0, 77, 5, 5).simple(30, 30);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.packets.size(), 3U);
    CHECK_EQ(reading.packets.at(0).time, 0);
    CHECK_EQ(reading.packets.at(0).bytes.size(), 40U);
    CHECK_EQ(reading.packets.at(0).wire_length, 100U);
    CHECK_EQ(reading.packets.at(2).time, 77'000);
    CHECK_EQ(reading.packets.at(2).bytes.size(), 30U);
    Builder orphan(false);
    orphan.section().simple(30, 30);
    CHECK_EQ(read(orphan.bytes()).report.packets_without_interface, 1U);
    Builder unlimited(false);
    unlimited.section().interface(1, 0).simple(41, 41);
    CHECK_EQ(read(unlimited.bytes()).packets.at(0).bytes.size(), 41U);
}

TEST(capture_pcapng_obsolete_packets) {
    for (const bool big : {false, true}) {
        Builder file(big);
        Builder body(big);
        body.u16(1).u16(9).u32(1).u32(2).u32(21).u32(80).frame(21, 3);
        file.section().interface(1).interface(113).block(2, body.bytes());
        const Reading reading = read(file.bytes());
        CHECK_EQ(reading.packets.size(), 1U);
        CHECK_EQ(reading.packets.at(0).time, ((std::int64_t{1} << 32U) + 2) * 1000);
        CHECK_EQ(reading.packets.at(0).link_type, 113U);
        CHECK_EQ(reading.packets.at(0).wire_length, 80U);
        CHECK(reading.packets.at(0).bytes == Builder(big).frame(21, 3).bytes());
    }
}

TEST(capture_pcapng_unknown_blocks_are_counted) {
    Builder file(true);
    file.section().block(4, {0, 0, 0, 0}).interface().block(0xbad, {1, 2, 3, 4, 5});
    file.enhanced(0, 1, 9, 9).block(0xbad, {}).block(0x80001234, {1}).enhanced(7, 1, 9, 9);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.packets.size(), 1U);
    CHECK_EQ(reading.report.packets_without_interface, 1U);
    CHECK_EQ(reading.report.skipped_types, 3U);
    CHECK_EQ(reading.report.skipped_blocks[0].type, 4U);
    CHECK_EQ(reading.report.skipped_blocks[1].type, 0xbadU);
    CHECK_EQ(reading.report.skipped_blocks[1].count, 2U);
    CHECK_EQ(flowclass::capture::block_name(4), "name_resolution");
    CHECK_EQ(flowclass::capture::block_name(0x80001234), "block_0x80001234");

    Builder many(false);
    many.section();
    for (std::uint32_t type = 100; type < 120; ++type) {
        many.block(type, {});
    }
    CHECK_EQ(read(many.bytes()).report.skipped_types, 16U);
    CHECK_EQ(read(many.bytes()).report.skipped_blocks_other, 4U);
}

TEST(capture_pcapng_interfaces_are_capped) {
    Builder file(false);
    file.section();
    for (std::size_t index = 0; index < PcapngParser::kMaxInterfaces + 2; ++index) {
        file.interface(static_cast<std::uint16_t>(index));
    }
    file.enhanced(65'535, 1, 9, 9).enhanced(65'536, 1, 9, 9);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.interfaces, PcapngParser::kMaxInterfaces);
    CHECK_EQ(reading.report.interfaces_refused, 2U);
    CHECK_EQ(reading.packets.size(), 1U);
    CHECK_EQ(reading.packets.at(0).link_type, 65'535U);
    CHECK_EQ(reading.report.packets_without_interface, 1U);
}

TEST(capture_pcapng_time_units) {
    CHECK_EQ(TimestampUnit().to_time(1'700'000'000'123'456), 1'700'000'000'123'456'000);
    CHECK_EQ(TimestampUnit(0, 0).to_time(17), 17'000'000'000);
    CHECK_EQ(TimestampUnit(3, 2).to_time(17), 2'017'000'000);
    CHECK_EQ(TimestampUnit(9, 0).to_time(17), 17);
    CHECK_EQ(TimestampUnit(12, 0).to_time(5'999), 5);
    CHECK_EQ(TimestampUnit(28, 0).to_time(~std::uint64_t{0}), 1);
    CHECK_EQ(TimestampUnit(29, 5).to_time(~std::uint64_t{0}), 5'000'000'000);
    CHECK_EQ(TimestampUnit(127, 0).to_time(~std::uint64_t{0}), 0);
    CHECK_EQ(TimestampUnit(0x80, 0).to_time(3), 3'000'000'000);
    CHECK_EQ(TimestampUnit(0x80 | 10, 0).to_time(2048 + 512), 2'500'000'000);
    CHECK_EQ(TimestampUnit(0x80 | 32, 0).to_time(~std::uint64_t{0}), 4'294'967'295'999'999'999);
    CHECK_EQ(TimestampUnit(0x80 | 127, 0).to_time(~std::uint64_t{0}), 0);
    CHECK_EQ(TimestampUnit(0, 0).to_time(~std::uint64_t{0}), kMost);
    CHECK_EQ(TimestampUnit(9, 0).to_time(~std::uint64_t{0}), kMost);
    CHECK_EQ(TimestampUnit(0x80, 0).to_time(~std::uint64_t{0}), kMost);
    CHECK_EQ(TimestampUnit(6, kMost).to_time(1), kMost);
    CHECK_EQ(TimestampUnit(6, kLeast).to_time(0), kLeast);
    CHECK_EQ(TimestampUnit(6, -1).to_time(0), -1'000'000'000);
}

TEST(capture_pcapng_options_are_read_with_care) {
    Builder odd(false);  // a resolution of the wrong size says nothing; what lies behind the end is
                         // not looked at
    odd.u16(9).u16(2).raw({9, 9}).pad().u16(0).u16(0).u16(9).u16(1).raw({9}).pad();
    Builder file(false);
    file.section().interface(1, 0, odd.bytes()).enhanced(0, 1, 4, 4);
    CHECK_EQ(read(file.bytes()).packets.at(0).time, 1000);

    Builder beyond(false);
    beyond.u16(9).u16(200).raw({9}).pad();
    const auto report = report_of(Builder(false).interface(1, 0, beyond.bytes()).bytes());
    CHECK_EQ(report.problem, Problem::garbled);
    CHECK_EQ(report.finding, Finding::option_exceeds_block);
    CHECK_EQ(report.problem_offset, kTail);
}

TEST(capture_pcapng_blocks_that_cannot_be) {
    const Builder make(false);
    struct Case {
        ByteList tail;
        Finding finding;
    };
    const std::vector<Case> cases = {
        {make.part().u32(5).u32(0).u32(0).bytes(), Finding::block_too_short},
        {make.part().u32(5).u32(11).u32(11).bytes(), Finding::block_too_short},
        {make.part().u32(6).u32(28).raw(ByteList(16)).u32(28).bytes(), Finding::block_too_short},
        {make.part().u32(5).u32((16U << 20U) + 1).bytes(), Finding::block_too_long},
        {make.part().u32(5).u32(16).u32(0).u32(20).bytes(), Finding::block_lengths_differ},
        {make.part().u32(0x0a0d0d0a).u32(28).u32(0xdeadbeef).bytes(), Finding::byte_order_magic},
        {make.part().block(6, ByteList(20, 0x01)).bytes(), Finding::packet_exceeds_block},
        {make.part().block(3, {9, 0, 0, 0, 1, 2, 3, 4}).bytes(), Finding::packet_exceeds_block},
        {ByteList(40), Finding::block_too_short},  // zero-filled
    };
    for (const Case& garbled : cases) {
        const auto report = report_of(garbled.tail);
        CHECK_EQ(report.problem, Problem::garbled);
        CHECK_EQ(report.finding, garbled.finding);
        CHECK_EQ(report.problem_offset, kTail);
        CHECK_EQ(report.bytes_consumed, kTail);
        CHECK_EQ(report.packets, 1U);
        CHECK(report.sentence().find("garbled at byte 100") != std::string::npos);
    }
}

TEST(capture_pcapng_length_without_padding) {
    Builder file(false);
    file.section().interface();
    file.u32(6).u32(32 + 5).u32(0).u32(0).u32(3).u32(5).u32(5).frame(5, 5).pad().u32(32 + 5);
    file.enhanced(0, 4, 8, 8);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.packets.size(), 2U);
    CHECK_EQ(reading.packets.at(0).bytes.size(), 5U);
}

TEST(capture_pcapng_first_packet_time) {
    Builder file(true);
    file.section()
        .interface(1, 0, time_options(file, 3, 100))
        .block(0xbad, {})
        .enhanced(0, 5, 9, 9);
    const auto time = flowclass::capture::first_packet_time(file.bytes());
    CHECK(time.has_value());
    CHECK_EQ(time.value_or(0), 100'005'000'000);
}
