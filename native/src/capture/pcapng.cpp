#include "capture/pcapng.hpp"

#include <algorithm>

#include "capture/integers.hpp"

namespace flowclass::capture {

namespace {

enum class BlockType : std::uint8_t {
    section_header,
    interface_description,
    obsolete_packet,
    simple_packet,
    enhanced_packet,
    other,
};

constexpr BlockType block_type(std::uint32_t number) noexcept {
    switch (number) {
        case 0x00000001:
            return BlockType::interface_description;
        case 0x00000002:
            return BlockType::obsolete_packet;
        case 0x00000003:
            return BlockType::simple_packet;
        case 0x00000006:
            return BlockType::enhanced_packet;
        case 0x0a0d0d0a:
            return BlockType::section_header;
        default:
            return BlockType::other;
    }
}

constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionTimeResolution = 9;
constexpr std::uint16_t kOptionTimeOffset = 14;
constexpr std::uint32_t kByteOrderMark = 0x1a2b3c4d;
constexpr std::size_t kBlockHead = 8;
constexpr std::size_t kBlockTail = 4;
constexpr std::size_t kUsualInterfaces = 64;
constexpr Step kSkipped{StepKind::skipped, 0};
constexpr Step kPacket{StepKind::packet, 0};

constexpr std::size_t padded(std::size_t length) noexcept {
    return (length + 3) & ~std::size_t{3};
}

// What a block of the type must have, head and tail included.
constexpr std::size_t least_length(BlockType type) noexcept {
    switch (type) {
        case BlockType::section_header:
            return 28;
        case BlockType::interface_description:
            return 20;
        case BlockType::obsolete_packet:
        case BlockType::enhanced_packet:
            return 32;
        case BlockType::simple_packet:
            return 16;
        case BlockType::other:
            break;
    }
    return kBlockHead + kBlockTail;
}

}  // namespace

PcapngParser::PcapngParser() {
    interfaces_.reserve(kUsualInterfaces);
}

Step PcapngParser::stop(const Block& block,
                        Finding finding,
                        std::uint64_t first,
                        std::uint64_t second) {
    block.report.set_problem(Problem::garbled, finding, block.offset, first, second);
    return {StepKind::stop, 0};
}

Step PcapngParser::step(base::Bytes bytes,
                        std::uint64_t offset,
                        packet::PacketView& view,
                        CaptureReport& report) noexcept {
    const Block block{offset, report};
    base::ByteReader reader(bytes);
    const std::uint32_t number = u32(reader, big_endian_);
    const BlockType type = block_type(number);
    // A section header reads alike in both byte orders and brings its own; only its length waits
    // for the mark.
    if (type == BlockType::section_header) {
        base::ByteReader mark = base::at(bytes, kBlockHead);
        const std::uint32_t order = mark.le32();
        if (!mark.ok()) {
            return {StepKind::need, kBlockHead + 4};
        }
        if (order != kByteOrderMark && order != __builtin_bswap32(kByteOrderMark)) {
            return stop(block, Finding::byte_order_magic, order, 0);
        }
        big_endian_ = order != kByteOrderMark;
    }
    const std::uint32_t length = u32(reader, big_endian_);
    if (!reader.ok()) {
        return {StepKind::need, kBlockHead};
    }
    if (length < least_length(type)) {
        return stop(block, Finding::block_too_short, length, least_length(type));
    }
    if (length > kMaxRecord) {
        return stop(block, Finding::block_too_long, length, kMaxRecord);
    }
    // Some writers leave the padding out of the length they write; the bytes are there all the
    // same.
    const std::size_t whole = padded(length);
    const base::Bytes body = reader.bytes(whole - kBlockHead - kBlockTail);
    const std::uint32_t trailing = u32(reader, big_endian_);
    if (!reader.ok()) {
        return {StepKind::need, whole};
    }
    if (trailing != length) {
        return stop(block, Finding::block_lengths_differ, length, trailing);
    }
    Step step = read_block(number, body, block, view);
    step.size = whole;
    return step;
}

Step PcapngParser::read_block(std::uint32_t number,
                              base::Bytes body,
                              const Block& block,
                              packet::PacketView& view) {
    const BlockType type = block_type(number);
    if (!known_section_ && type != BlockType::section_header) {
        block.report.count_skipped(number);
        return kSkipped;
    }
    switch (type) {
        case BlockType::enhanced_packet:
            return stamped_packet(body, false, block, view);
        case BlockType::obsolete_packet:
            return stamped_packet(body, true, block, view);
        case BlockType::simple_packet:
            return simple_packet(body, block, view);
        case BlockType::interface_description:
            return add_interface(body, block);
        case BlockType::section_header:
            return begin_section(body, block);
        case BlockType::other:
            break;
    }
    block.report.count_skipped(number);
    return kSkipped;
}

// The section length is not looked at: writers that cannot go back leave it wrong or unset.
Step PcapngParser::begin_section(base::Bytes body, const Block& block) {
    base::ByteReader reader(body);
    reader.skip(4);
    const std::uint16_t major = u16(reader, big_endian_);
    const std::uint16_t minor = u16(reader, big_endian_);
    interfaces_.clear();
    ++block.report.sections;
    if (block.report.sections == 1) {
        block.report.format = big_endian_ ? Format::pcapng_be : Format::pcapng_le;
    }
    known_section_ = major == 1;
    if (!known_section_) {
        block.report.set_problem(
            Problem::unsupported_format, Finding::section_version, block.offset, major, minor);
    }
    return kSkipped;
}

Step PcapngParser::add_interface(base::Bytes body, const Block& block) {
    base::ByteReader reader(body);
    Interface added;
    added.link_type = u16(reader, big_endian_);
    reader.skip(2);
    added.snap_length = u32(reader, big_endian_);
    std::uint8_t resolution = 6;
    std::uint64_t offset_seconds = 0;
    while (reader.remaining() >= 4) {
        const std::uint16_t code = u16(reader, big_endian_);
        const std::uint16_t length = u16(reader, big_endian_);
        if (code == kOptionEnd) {
            break;
        }
        const std::size_t room = reader.remaining();
        base::ByteReader value(reader.bytes(length));
        if (!reader.ok()) {
            return stop(block, Finding::option_exceeds_block, length, room);
        }
        if (code == kOptionTimeResolution && length == 1) {
            resolution = value.u8();
        } else if (code == kOptionTimeOffset && length == 8) {
            offset_seconds = u64(value, big_endian_);
        }
        reader.skip(std::min(padded(length) - length, reader.remaining()));
    }
    added.unit = TimestampUnit(resolution, static_cast<std::int64_t>(offset_seconds));
    if (interfaces_.size() == kMaxInterfaces) {
        ++block.report.interfaces_refused;
        return kSkipped;
    }
    interfaces_.push_back(added);
    ++block.report.interfaces;
    return kSkipped;
}

Step PcapngParser::stamped_packet(base::Bytes body,
                                  bool obsolete,
                                  const Block& block,
                                  packet::PacketView& view) noexcept {
    base::ByteReader reader(body);
    std::uint32_t interface = 0;
    if (obsolete) {
        interface = u16(reader, big_endian_);
        reader.skip(2);
    } else {
        interface = u32(reader, big_endian_);
    }
    const std::uint64_t high = u32(reader, big_endian_);
    const std::uint64_t low = u32(reader, big_endian_);
    const std::uint32_t captured = u32(reader, big_endian_);
    const std::uint32_t wire = u32(reader, big_endian_);
    const std::size_t room = reader.remaining();
    const base::Bytes frame = reader.bytes(captured);
    if (!reader.ok()) {
        return stop(block, Finding::packet_exceeds_block, captured, room);
    }
    if (interface >= interfaces_.size()) {
        ++block.report.packets_without_interface;
        return kSkipped;
    }
    const Interface& from = interfaces_[interface];
    last_time_ = from.unit.to_time(high << 32U | low);
    view.time = last_time_;
    view.bytes = frame;
    view.wire_length = std::max(wire, captured);
    view.link_type = from.link_type;
    return kPacket;
}

// Of the first interface, by definition. Its captured length is not written: the snap length cut
// it, or nothing did.
Step PcapngParser::simple_packet(base::Bytes body,
                                 const Block& block,
                                 packet::PacketView& view) noexcept {
    if (interfaces_.empty()) {
        ++block.report.packets_without_interface;
        return kSkipped;
    }
    const Interface& from = interfaces_.front();
    base::ByteReader reader(body);
    const std::uint32_t wire = u32(reader, big_endian_);
    const std::uint32_t captured = from.snap_length == 0 ? wire : std::min(wire, from.snap_length);
    const std::size_t room = reader.remaining();
    const base::Bytes frame = reader.bytes(captured);
    if (!reader.ok()) {
        return stop(block, Finding::packet_exceeds_block, captured, room);
    }
    view.time = last_time_;
    view.bytes = frame;
    view.wire_length = wire;
    view.link_type = from.link_type;
    return kPacket;
}

}  // namespace flowclass::capture
