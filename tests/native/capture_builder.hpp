// Builds captures byte by byte in either byte order, and reads captures into lists of owned
// packets, for the tests of the capture room.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "capture/capture_reader.hpp"

namespace capture_test {

using ByteList = std::vector<std::uint8_t>;

class Builder {
  public:
    explicit Builder(bool big_endian) : big_endian_(big_endian) {}

    Builder& u16(std::uint16_t value) { return number(value, 2); }
    Builder& u32(std::uint32_t value) { return number(value, 4); }
    Builder& u64(std::uint64_t value) { return number(value, 8); }
    Builder& raw(const ByteList& bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    // `count` bytes that differ from their neighbours and from packet to packet.
    Builder& frame(std::size_t count, std::size_t seed) {
        for (std::size_t index = 0; index < count; ++index) {
            bytes_.push_back(static_cast<std::uint8_t>(seed * 31 + index * 7 + 1));
        }
        return *this;
    }
    Builder& pad() {
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
        return *this;
    }
    Builder& pcap_header(std::uint32_t magic,
                         std::uint16_t minor = 4,
                         std::uint32_t link = 1,
                         std::uint32_t snap = 65535,
                         std::uint16_t major = 2) {
        return u32(magic).u16(major).u16(minor).u64(0).u32(snap).u32(link);
    }
    Builder& record(std::uint32_t seconds,
                    std::uint32_t fraction,
                    std::uint32_t captured,
                    std::uint32_t wire,
                    bool modified = false) {
        u32(seconds).u32(fraction).u32(captured).u32(wire);
        if (modified) {
            u64(0x0102030405060708U);
        }
        return frame(captured, seconds);
    }
    // The body is padded, the lengths are right.
    Builder& block(std::uint32_t type, const ByteList& body) {
        const auto length = static_cast<std::uint32_t>((body.size() + 3) / 4 * 4 + 12);
        u32(type).u32(length).raw(body);
        bytes_.resize(bytes_.size() + (length - 12 - body.size()));
        return u32(length);
    }
    Builder& section(std::uint16_t major = 1, std::uint16_t minor = 0) {
        return block(0x0a0d0d0aU,
                     part().u32(0x1a2b3c4dU).u16(major).u16(minor).u64(~std::uint64_t{0}).bytes());
    }
    Builder& interface(std::uint16_t link = 1,
                       std::uint32_t snap = 0,
                       const ByteList& options = {}) {
        return block(1, part().u16(link).u16(0).u32(snap).raw(options).bytes());
    }
    Builder& enhanced(std::uint32_t interface,
                      std::uint64_t stamp,
                      std::uint32_t captured,
                      std::uint32_t wire) {
        return block(6,
                     part()
                         .u32(interface)
                         .u32(static_cast<std::uint32_t>(stamp >> 32U))
                         .u32(static_cast<std::uint32_t>(stamp))
                         .u32(captured)
                         .u32(wire)
                         .frame(captured, captured)
                         .bytes());
    }
    Builder& simple(std::uint32_t wire, std::uint32_t captured) {
        return block(3, part().u32(wire).frame(captured, wire).bytes());
    }
    [[nodiscard]] Builder part() const { return Builder(big_endian_); }
    [[nodiscard]] const ByteList& bytes() const { return bytes_; }

  private:
    Builder& number(std::uint64_t value, std::size_t size) {
        for (std::size_t index = 0; index < size; ++index) {
            const std::size_t place = big_endian_ ? size - 1 - index : index;
            bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * place)));
        }
        return *this;
    }

    bool big_endian_;
    ByteList bytes_;
};

struct Packet {
    flowclass::base::TimeNs time = 0;
    ByteList bytes;
    std::uint32_t wire_length = 0;
    std::uint32_t link_type = 0;
    std::uint64_t frame = 0;
    friend bool operator==(const Packet&, const Packet&) = default;
};

struct Reading {
    std::vector<Packet> packets;
    flowclass::capture::CaptureReport report;
};

// Reads in chunks of `chunk` bytes (0: as one) and bursts of `burst`. Every chunk lives in memory
// of its own that is gone once the reader has asked for more, so that a sanitizer sees a view kept
// too long.
inline Reading read(std::span<const std::uint8_t> input,
                    std::size_t chunk = 0,
                    std::size_t burst = 5) {
    flowclass::capture::CaptureReader reader(flowclass::capture::CaptureOptions{16});
    Reading result;
    std::vector<flowclass::packet::PacketView> views(burst);
    const auto drain = [&] {
        while (const std::size_t count = reader.next_burst(views)) {
            for (const auto& view : std::span(views).first(count)) {
                result.packets.push_back({view.time,
                                          ByteList(view.bytes.begin(), view.bytes.end()),
                                          view.wire_length,
                                          view.link_type,
                                          view.frame});
            }
        }
    };
    const std::size_t size = chunk == 0 ? std::max<std::size_t>(input.size(), 1) : chunk;
    for (std::size_t offset = 0; offset < input.size(); offset += size) {
        const auto part = input.subspan(offset, std::min(size, input.size() - offset));
        const ByteList own(part.begin(), part.end());
        if (!reader.push(own)) {
            result.report.name = "push refused";
            return result;
        }
        drain();
    }
    reader.finish();
    drain();
    result.report = reader.report();
    return result;
}

}  // namespace capture_test
