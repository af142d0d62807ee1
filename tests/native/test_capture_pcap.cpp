// pcap: every dialect in both byte orders, and the oddities of old or broken writers.
#include "capture_builder.hpp"
#include "check.hpp"

using namespace capture_test;
using flowclass::capture::Finding;
using flowclass::capture::Format;
using flowclass::capture::Problem;

namespace {

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kModified = 0xa1b2cd34;

void check_dialect(std::uint32_t magic, bool big, std::int64_t fraction_ns, Format format) {
    const bool modified = magic == kModified;
    Builder file(big);
    file.pcap_header(magic, 4, 113);
    file.record(1'700'000'000, 999'999, 60, 1500, modified).record(0xffffffff, 0, 0, 0, modified);
    file.record(5, 3'000'000, 33, 33, modified);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.format, format);
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.report.bytes_consumed, file.bytes().size());
    CHECK_EQ(reading.report.packets, 3U);
    CHECK_EQ(reading.packets.size(), 3U);
    if (reading.packets.size() != 3) {
        return;
    }
    CHECK_EQ(reading.packets[0].time, 1'700'000'000'000'000'000 + 999'999 * fraction_ns);
    CHECK_EQ(reading.packets[0].wire_length, 1500U);
    CHECK_EQ(reading.packets[0].link_type, 113U);
    CHECK_EQ(reading.packets[0].frame, 1U);
    CHECK(reading.packets[0].bytes == Builder(big).frame(60, 1'700'000'000).bytes());
    CHECK_EQ(reading.packets[1].time, 4'294'967'295'000'000'000);
    CHECK_EQ(reading.packets[1].bytes.size(), 0U);
    // A fraction of more than a second is added, not thrown away.
    CHECK_EQ(reading.packets[2].time, 5'000'000'000 + 3'000'000 * fraction_ns);
    CHECK_EQ(reading.packets[2].frame, 3U);
}

Reading one_record(std::uint16_t minor, std::uint32_t first_length, std::uint32_t second_length) {
    Builder file(false);
    file.pcap_header(kMicroseconds, minor).u32(1).u32(0).u32(first_length).u32(second_length);
    file.frame(40, 1);
    return read(file.bytes());
}

}  // namespace

TEST(capture_pcap_dialects) {
    check_dialect(kMicroseconds, false, 1000, Format::pcap_le_usec);
    check_dialect(kMicroseconds, true, 1000, Format::pcap_be_usec);
    check_dialect(kNanoseconds, false, 1, Format::pcap_le_nsec);
    check_dialect(kNanoseconds, true, 1, Format::pcap_be_nsec);
    check_dialect(kModified, false, 1000, Format::pcap_modified_le_usec);
    check_dialect(kModified, true, 1000, Format::pcap_modified_be_usec);
}

TEST(capture_pcap_names_of_formats) {
    CHECK_EQ(std::string(to_string(Format::pcap_be_nsec)), "pcap-be-nsec");
    CHECK_EQ(std::string(to_string(Format::pcapng_le)), "pcapng-le");
    CHECK_EQ(std::string(to_string(Format::empty)), "empty");
    CHECK_EQ(std::string(to_string(Problem::garbled)), "garbled");
    for (std::size_t index = 0; index < static_cast<std::size_t>(Format::count_); ++index) {
        CHECK(to_string(static_cast<Format>(index)) != nullptr);
    }
}

TEST(capture_pcap_old_versions_swap_lengths) {
    // Before 2.3 the wire length came first, in 2.3 sometimes, since 2.4 never.
    const Reading before = one_record(2, 90, 40);
    CHECK_EQ(before.packets.size(), 1U);
    CHECK_EQ(before.packets.at(0).bytes.size(), 40U);
    CHECK_EQ(before.packets.at(0).wire_length, 90U);
    const Reading swapped = one_record(3, 90, 40);
    CHECK_EQ(swapped.packets.at(0).bytes.size(), 40U);
    CHECK_EQ(swapped.packets.at(0).wire_length, 90U);
    const Reading usual = one_record(3, 40, 90);
    CHECK_EQ(usual.packets.at(0).bytes.size(), 40U);
    CHECK_EQ(usual.packets.at(0).wire_length, 90U);
    CHECK_EQ(one_record(4, 90, 40).report.problem, Problem::cut);
}

TEST(capture_pcap_wire_length_is_at_least_captured) {
    const Reading reading = one_record(4, 40, 7);
    CHECK_EQ(reading.packets.at(0).bytes.size(), 40U);
    CHECK_EQ(reading.packets.at(0).wire_length, 40U);
}

TEST(capture_pcap_link_type_without_fcs_bits) {
    const auto link_of = [](std::uint32_t field) {
        Builder file(true);
        file.pcap_header(kNanoseconds, 4, field).record(1, 1, 20, 20);
        return read(file.bytes()).packets.at(0).link_type;
    };
    CHECK_EQ(link_of(0x04000001), 1U);
    CHECK_EQ(link_of(0x44000001), 1U);
    CHECK_EQ(link_of(0xf0000071), 0x71U);
    CHECK_EQ(link_of(0x00010001), 0x10001U);  // reserved bits are not ours to drop: an unknown type
}

TEST(capture_pcap_versions) {
    Builder file(false);
    file.pcap_header(kMicroseconds, 4, 1, 65535, 3).record(1, 1, 20, 20);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::unsupported_format);
    CHECK_EQ(reading.report.finding, Finding::pcap_version);
    CHECK_EQ(reading.report.first, 3U);
    CHECK_EQ(reading.report.second, 4U);
    CHECK_EQ(reading.packets.size(), 0U);
    CHECK_EQ(reading.report.sentence(),
             "pcap version 3.4 at byte 4 is not supported, only 2.x is.");
}

TEST(capture_pcap_record_length_limits) {
    const auto problem_of = [](std::uint32_t snap, std::uint32_t captured) {
        Builder file(false);
        file.pcap_header(kMicroseconds, 4, 1, snap).record(1, 1, 12, 12);
        file.u32(2).u32(0).u32(captured).u32(captured).frame(captured > 400'000 ? 0 : captured, 2);
        return read(file.bytes()).report;
    };
    CHECK_EQ(problem_of(64, 262'144).problem, Problem::none);  // a snap length is not believed
    const auto garbled = problem_of(65535, 262'145);
    CHECK_EQ(garbled.problem, Problem::garbled);
    CHECK_EQ(garbled.finding, Finding::record_too_long);
    CHECK_EQ(garbled.problem_offset, 24U + 16 + 12);
    CHECK_EQ(garbled.bytes_consumed, 24U + 16 + 12);
    CHECK_EQ(garbled.packets, 1U);
    CHECK_EQ(garbled.sentence(),
             "The capture is garbled at byte 52: a record claims 262145 captured bytes, more than "
             "the 262144 it may have; nothing behind it was read.");
    CHECK_EQ(problem_of(300'000, 300'000).problem, Problem::none);
    CHECK_EQ(problem_of(0xffffffff, 16'777'216).problem, Problem::cut);
    CHECK_EQ(problem_of(0xffffffff, 16'777'217).problem, Problem::garbled);
    CHECK_EQ(problem_of(0xffffffff, 0xffffffff).problem, Problem::garbled);
}

TEST(capture_pcap_zero_records) {
    Builder file(true);
    file.pcap_header(kMicroseconds);
    const Reading reading = read(file.bytes());
    CHECK_EQ(reading.report.problem, Problem::none);
    CHECK_EQ(reading.report.format, Format::pcap_be_usec);
    CHECK_EQ(reading.packets.size(), 0U);
    CHECK(!flowclass::capture::first_packet_time(file.bytes()).has_value());
}
