// Takes: any bytes as a capture. Aborts when the packets or the report depend on how the input is
// cut, when a view is longer than its frame, or when the report does not fit the input. The chunk
// sizes come from the input itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "capture/capture_reader.hpp"

using flowclass::capture::CaptureOptions;
using flowclass::capture::CaptureReader;
using flowclass::capture::CaptureReport;
using flowclass::capture::Problem;
using flowclass::packet::PacketView;

namespace {

struct Packet {
    flowclass::base::TimeNs time = 0;
    std::vector<std::uint8_t> bytes;
    std::uint32_t wire_length = 0;
    std::uint32_t link_type = 0;
    std::uint64_t frame = 0;
    friend bool operator==(const Packet&, const Packet&) = default;
};

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void drain(CaptureReader& reader, std::size_t burst, std::vector<Packet>& packets) {
    std::vector<PacketView> views(burst);
    while (const std::size_t count = reader.next_burst(views)) {
        require(count <= burst);
        for (const PacketView& view : std::span(views).first(count)) {
            require(view.bytes.size() <= view.wire_length);
            packets.push_back({view.time,
                               {view.bytes.begin(), view.bytes.end()},
                               view.wire_length,
                               view.link_type,
                               view.frame});
            require(packets.size() == view.frame);
        }
    }
}

CaptureReport read_whole(std::span<const std::uint8_t> input, std::vector<Packet>& packets) {
    CaptureReader reader;
    require(reader.push(input));
    drain(reader, 128, packets);
    reader.finish();
    drain(reader, 128, packets);
    return reader.report();
}

CaptureReport read_in_chunks(std::span<const std::uint8_t> input, std::vector<Packet>& packets) {
    CaptureReader reader(CaptureOptions{0});
    std::size_t turn = 0;
    for (std::size_t offset = 0; offset < input.size(); ++turn) {
        const std::size_t wanted = 1 + input[(turn * 13 + 5) % input.size()] % 61;
        const auto part = input.subspan(offset, std::min(wanted, input.size() - offset));
        const std::vector<std::uint8_t> own(part.begin(), part.end());
        require(reader.push(own));
        drain(reader, 1 + turn % 3, packets);
        offset += part.size();
    }
    reader.finish();
    drain(reader, 1, packets);
    return reader.report();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span input(data, size);
    std::vector<Packet> whole;
    std::vector<Packet> chunked;
    const CaptureReport one = read_whole(input, whole);
    const CaptureReport many = read_in_chunks(input, chunked);
    require(whole == chunked);
    require(one.format == many.format && one.problem == many.problem);
    require(one.bytes_consumed == many.bytes_consumed && one.packets == whole.size());
    require(one.skipped_blocks_other == many.skipped_blocks_other);
    require(one.packets_without_interface == many.packets_without_interface);
    require(one.sentence() == many.sentence());
    require(one.sentence().empty() == (one.problem == Problem::none));
    require(one.problem_offset <= size && one.bytes_consumed <= size);
    require(one.problem != Problem::none || one.bytes_consumed == size);
    const auto first_time = flowclass::capture::first_packet_time(input);
    require(first_time.has_value() == !whole.empty());
    require(whole.empty() || *first_time == whole.front().time);
    return 0;
}
