// Cutting changes nothing: every kind of capture in chunks of any size and ended at every byte; and
// inputs that are no captures at all.
#include "capture_builder.hpp"
#include "check.hpp"

using namespace capture_test;
using flowclass::capture::CaptureReader;
using flowclass::capture::Format;
using flowclass::capture::Problem;

namespace {

ByteList pcap_sample(std::uint32_t magic, bool big) {
    const bool modified = magic == 0xa1b2cd34;
    Builder file(big);
    file.pcap_header(magic);
    file.record(10, 20, 17, 60, modified).record(11, 0, 0, 0, modified);
    return file.record(12, 5, 64, 64, modified).record(13, 5, 1, 9, modified).bytes();
}

ByteList pcapng_sample(bool big) {
    Builder other(!big);
    other.section().interface(101).enhanced(0, 3, 6, 6);
    Builder file(big);
    file.section().block(0xbad, {1, 2, 3}).interface(1, 30).enhanced(0, 1, 17, 60);
    return file.simple(40, 30).enhanced(3, 9, 9, 9).raw(other.bytes()).bytes();
}

std::vector<ByteList> samples() {
    std::vector<ByteList> all;
    for (const bool big : {false, true}) {
        for (const std::uint32_t magic : {0xa1b2c3d4U, 0xa1b23c4dU, 0xa1b2cd34U}) {
            all.push_back(pcap_sample(magic, big));
        }
        all.push_back(pcapng_sample(big));
    }
    return all;
}

void check_same(const Reading& left, const Reading& right) {
    CHECK(left.packets == right.packets);
    CHECK_EQ(left.report.problem, right.report.problem);
    CHECK_EQ(left.report.format, right.report.format);
    CHECK_EQ(left.report.packets, right.report.packets);
    CHECK_EQ(left.report.bytes_consumed, right.report.bytes_consumed);
    CHECK_EQ(left.report.skipped_types, right.report.skipped_types);
    CHECK_EQ(left.report.sentence(), right.report.sentence());
}

Problem problem_of(const ByteList& bytes) {
    const Problem whole = read(bytes).report.problem;
    CHECK_EQ(read(bytes, 1).report.problem, whole);
    return whole;
}

ByteList text(const char* letters, std::size_t size) {
    return {letters, letters + size};
}

}  // namespace

TEST(capture_chunks_of_any_size_give_the_same) {
    for (const ByteList& sample : samples()) {
        const Reading whole = read(sample);
        CHECK(whole.packets.size() >= 3);
        CHECK_EQ(whole.report.problem, Problem::none);
        for (const std::size_t chunk : {1U, 2U, 3U, 7U, 64U}) {
            for (const std::size_t burst : {1U, 2U, 128U}) {
                check_same(read(sample, chunk, burst), whole);
            }
        }
    }
}

TEST(capture_cut_at_every_byte_gives_a_prefix) {
    for (const ByteList& sample : samples()) {
        const Reading whole = read(sample);
        std::size_t clean_ends = 0;
        for (std::size_t size = 1; size < sample.size(); ++size) {
            const Reading part = read(std::span(sample).first(size));
            CHECK(part.packets.size() <= whole.packets.size());
            CHECK(std::equal(part.packets.begin(), part.packets.end(), whole.packets.begin()));
            if (part.report.problem == Problem::none) {
                CHECK_EQ(part.report.bytes_consumed, size);  // between two records
                ++clean_ends;
            } else {
                CHECK_EQ(part.report.problem, Problem::cut);
                CHECK_EQ(part.report.problem_offset, part.report.bytes_consumed);
                CHECK_EQ(part.report.first, size - part.report.bytes_consumed);
                CHECK(part.report.second > part.report.first);
            }
            check_same(read(std::span(sample).first(size), 1), part);
            check_same(read(std::span(sample).first(size), 5, 1), part);
        }
        CHECK(clean_ends == 4 ||
              clean_ends == 8);  // ends of headers, records and blocks but the last
    }
}

TEST(capture_large_record_over_many_chunks) {
    Builder file(false);
    file.pcap_header(0xa1b2c3d4).record(1, 1, 200'000, 200'000).record(2, 1, 10, 10);
    const Reading whole = read(file.bytes());
    CHECK_EQ(whole.packets.size(), 2U);
    check_same(read(file.bytes(), 4096), whole);
    check_same(read(file.bytes(), 65'536), whole);
}

TEST(capture_no_capture_at_all) {
    CHECK_EQ(problem_of({}), Problem::empty);
    CHECK_EQ(read({}).report.format, Format::empty);
    CHECK_EQ(read({}).report.sentence(), "The input is empty.");
    CHECK_EQ(problem_of({0}), Problem::not_a_capture);
    CHECK_EQ(problem_of(ByteList(5000)), Problem::not_a_capture);
    CHECK_EQ(problem_of({0xa1}), Problem::cut);
    CHECK_EQ(problem_of({0xa1, 0xb2, 0xc3}), Problem::cut);
    CHECK_EQ(problem_of({0xa1, 0xb2, 0xc3, 0xd4}), Problem::cut);
    CHECK_EQ(problem_of({0xa1, 0xb2, 0xc3, 0xd5}), Problem::not_a_capture);
    CHECK_EQ(problem_of({0x0a, 0x0d, 0x0d}), Problem::cut);
    CHECK_EQ(problem_of({0x0a, 0x0d, 0x0d, 0x0a}), Problem::cut);
    CHECK_EQ(problem_of({0x1f}), Problem::not_a_capture);
    CHECK_EQ(problem_of(text("snoop", 5)), Problem::not_a_capture);
    CHECK_EQ(problem_of(text("hello world, this is no capture", 31)), Problem::not_a_capture);
}

TEST(capture_other_formats_are_named) {
    const ByteList snoop = text("snoop\0\0\0\0\0\0\2\0\0\0\4", 16);
    CHECK_EQ(problem_of(snoop), Problem::unsupported_format);
    CHECK_EQ(read(snoop).report.sentence(),
             "The input is a file of format snoop, which is not supported here; convert it to pcap "
             "or pcapng.");
    CHECK_EQ(std::string(read(ByteList{0x1f, 0x8b, 8, 0}, 1).report.name).substr(0, 4), "gzip");
}

TEST(capture_garbage_ends) {
    std::uint64_t state = 12345;
    const std::vector<ByteList> good = samples();
    for (std::size_t round = 0; round < 3000; ++round) {
        ByteList bytes = good[round % good.size()];
        for (std::size_t change = 0; change <= round % 7; ++change) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            bytes[(state >> 33U) % bytes.size()] = static_cast<std::uint8_t>(state >> 56U);
        }
        const Reading whole = read(bytes);
        CHECK(whole.report.bytes_consumed <= bytes.size());
        CHECK_EQ(whole.report.problem == Problem::none, whole.report.sentence().empty());
        for (const Packet& packet : whole.packets) {
            CHECK(packet.bytes.size() <= packet.wire_length);
        }
        check_same(read(bytes, 1 + round % 9), whole);
    }
}

TEST(capture_push_is_refused_until_the_chunk_is_read) {
    const ByteList sample = pcap_sample(0xa1b2c3d4, false);
    CaptureReader reader;
    std::array<flowclass::packet::PacketView, 1> one;
    CHECK(reader.push(sample));
    CHECK(!reader.push(sample));
    CHECK_EQ(reader.next_burst({}), 0U);
    std::size_t packets = 0;
    while (reader.next_burst(one) == 1) {
        ++packets;
    }
    CHECK_EQ(packets, 4U);
    CHECK(!reader.stopped());
    reader.finish();
    CHECK(!reader.push(sample));
    CHECK_EQ(reader.next_burst(one), 0U);
    CHECK_EQ(reader.report().problem, Problem::none);
}

TEST(capture_finish_before_the_chunk_is_read) {
    ByteList sample = pcap_sample(0xa1b2c3d4, false);
    sample.pop_back();
    CaptureReader reader;
    std::array<flowclass::packet::PacketView, 2> two;
    CHECK(reader.push(sample));
    reader.finish();
    CHECK_EQ(reader.next_burst(two), 2U);
    CHECK_EQ(reader.report().problem, Problem::none);
    CHECK_EQ(reader.next_burst(two), 1U);
    CHECK_EQ(reader.next_burst(two), 0U);
    CHECK_EQ(reader.report().problem, Problem::cut);
    CHECK(reader.stopped());
}
