// Filling a head: which octets of which payload are kept where.
#include "head/head_block.hpp"

#include <algorithm>
#include <span>

namespace flowclass::head {

namespace {

constexpr std::uint8_t kTcpProtocol = 6;

}  // namespace

std::uint32_t HeadPool::open(const packet::FlowLayer& layer,
                             base::TimeNs time,
                             const StreamStart& start,
                             std::uint32_t owner) noexcept {
    const std::uint32_t index = blocks_.acquire();
    if (index == kNone) {
        return kNone;
    }
    HeadBlock& block = blocks_[index];
    const bool has_ports = layer.has_ports;
    FlowHead& head = block.head;
    head.kept = {};
    head.time_first = time;
    head.src_port = has_ports ? layer.src_port : layer.icmp_type;
    head.dst_port = has_ports ? layer.dst_port : layer.icmp_code;
    head.ip_proto = layer.ip_proto;
    head.entry_count = 0;
    head.direction_count = {};
    head.from_stream_start = start.known;
    head.gap = {};
    head.truncated = false;
    head.hello = nullptr;
    block.large = {LargePool::kNone, LargePool::kNone};
    block.waits_for_answer = false;
    block.owner = owner;
    block.used = {};
    block.target = {};
    block.judged = {};
    block.small_only = {};
    block.payload_packets = 0;
    if (layer.ip_proto == kTcpProtocol) {
        for (std::size_t direction = 0; direction < 2; ++direction) {
            block.tcp[direction].reset();
            if (start.known[direction]) {
                block.tcp[direction].start(start.next_seq[direction]);
            }
        }
    }
    return index;
}

bool HeadPool::add(std::uint32_t index,
                   const packet::FlowLayer& layer,
                   Direction direction,
                   base::TimeNs time,
                   std::uint32_t payload_packet) noexcept {
    HeadBlock& block = blocks_[index];
    ++block.payload_packets;
    HeadEntry entry;
    entry.time = time;
    entry.packet = payload_packet;
    entry.direction = direction;
    if (layer.ip_proto == kTcpProtocol) {
        add_segment(block, layer, entry);
    } else {
        add_datagram(block, layer, entry);
    }
    return complete(block);
}

bool HeadPool::push(HeadBlock& block, const HeadEntry& entry) noexcept {
    FlowHead& head = block.head;
    std::uint8_t& of_direction = head.direction_count[index_of(entry.direction)];
    if (head.entry_count == kMaxEntries || of_direction == kMaxEntriesPerDirection) {
        return false;
    }
    head.entries[head.entry_count++] = entry;
    ++of_direction;
    return true;
}

// The direction's buffer, moved to a large one when `wanted` octets do not fit the small one.
std::span<std::uint8_t> HeadPool::room(HeadBlock& block,
                                       std::size_t direction,
                                       std::size_t wanted) noexcept {
    std::uint32_t& large = block.large[direction];
    if (large == LargePool::kNone && wanted > kSmallBytes && !block.small_only[direction]) {
        large = large_.acquire();
        // One that came later would have holes where octets were not kept.
        block.small_only[direction] = large == LargePool::kNone;
        if (large != LargePool::kNone) {
            std::copy(block.small[direction].begin(),
                      block.small[direction].end(),
                      large_[large].bytes.begin());
        }
    }
    if (large != LargePool::kNone) {
        return large_[large].bytes;
    }
    return block.small[direction];
}

void HeadPool::add_datagram(HeadBlock& block,
                            const packet::FlowLayer& layer,
                            HeadEntry entry) noexcept {
    const std::size_t direction = index_of(entry.direction);
    const std::size_t wanted = std::min<std::size_t>(
        datagram_prefix(layer.payload, layer.datagram_length), layer.datagram_length);
    const std::size_t start = block.used[direction];
    // Only a long prefix moves the direction to a large buffer: a full small one stays full.
    const std::size_t asked =
        wanted > kPrefix ? start + wanted : std::min(start + wanted, kSmallBytes);
    const std::span<std::uint8_t> buffer = room(block, direction, std::min(asked, kLargeBytes));
    const std::size_t kept =
        std::min({wanted, layer.payload.size(), buffer.size() - std::min(start, buffer.size())});
    entry.length = layer.datagram_length;
    entry.start = static_cast<std::uint16_t>(start);
    entry.kept = static_cast<std::uint16_t>(kept);
    if (!push(block, entry)) {
        return;
    }
    std::copy_n(
        layer.payload.begin(), kept, buffer.subspan(std::min(start, buffer.size())).begin());
    block.used[direction] = static_cast<std::uint16_t>(start + kept);
    block.head.truncated = block.head.truncated || layer.payload.size() < wanted;
}

void HeadPool::add_segment(HeadBlock& block,
                           const packet::FlowLayer& layer,
                           HeadEntry entry) noexcept {
    const std::size_t direction = index_of(entry.direction);
    TcpPrefix& prefix = block.tcp[direction];
    const std::uint32_t seq = layer.tcp_seq;
    if (!prefix.started()) {
        prefix.start(seq);
    }
    const TcpPrefix::Placed placed =
        prefix.place(seq, layer.payload_length, static_cast<std::uint32_t>(layer.payload.size()));
    if (!placed.is_new) {
        return;
    }
    block.head.truncated = block.head.truncated || layer.payload.size() < layer.payload_length;
    // What comes out of order before the stream's begin is known may be wanted: it is kept as far
    // as it can be.
    const bool early = !block.judged[direction] && placed.offset > 0;
    const std::size_t wanted =
        early ? std::min<std::size_t>(std::size_t{placed.offset} + placed.length, kLargeBytes)
              : block.target[direction];
    const base::Bytes rest =
        layer.payload.subspan(std::min<std::size_t>(placed.skipped, layer.payload.size()));
    const base::Bytes fresh = rest.first(std::min<std::size_t>(placed.length, rest.size()));
    const auto keep = [&](std::size_t size) {
        const std::span<std::uint8_t> buffer = room(block, direction, size);
        if (placed.offset < buffer.size()) {
            const std::size_t kept = std::min(fresh.size(), buffer.size() - placed.offset);
            std::copy_n(fresh.begin(), kept, buffer.subspan(placed.offset).begin());
        }
        return base::Bytes(buffer).first(std::min<std::size_t>(prefix.whole(), buffer.size()));
    };
    const base::Bytes stream = keep(wanted);
    if (!block.judged[direction] && stream.size() >= 3) {
        const std::size_t target = stream_target(stream);
        block.judged[direction] = target > 0 || stream.size() >= kStreamJudge;
        block.target[direction] = static_cast<std::uint16_t>(target);
        // This segment may have been longer than the buffer was.
        if (target > wanted) {
            static_cast<void>(keep(target));
        }
    }
    entry.length = placed.length;
    entry.start = static_cast<std::uint16_t>(placed.offset);
    entry.kept = static_cast<std::uint16_t>(std::min<std::size_t>(placed.length, UINT16_MAX));
    entry.payload_offset =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(placed.skipped, UINT16_MAX));
    static_cast<void>(push(block, entry));
}

bool HeadPool::complete(const HeadBlock& block) noexcept {
    if (block.payload_packets >= kMaxPayloadPackets) {
        return true;
    }
    const FlowHead& head = block.head;
    if (head.entry_count < kMaxEntries || head.ip_proto != kTcpProtocol) {
        return head.entry_count == kMaxEntries;
    }
    return block.tcp[0].whole() >= block.target[0] && block.tcp[1].whole() >= block.target[1];
}

FlowHead& HeadPool::seal(std::uint32_t index) noexcept {
    HeadBlock& block = blocks_[index];
    for (std::size_t direction = 0; direction < 2; ++direction) {
        const std::uint32_t large = block.large[direction];
        const base::Bytes buffer = large == LargePool::kNone ? base::Bytes(block.small[direction])
                                                             : base::Bytes(large_[large].bytes);
        if (block.head.ip_proto == kTcpProtocol) {
            block.head.kept[direction] =
                buffer.first(std::min<std::size_t>(block.tcp[direction].whole(), buffer.size()));
            block.head.gap[direction] = block.tcp[direction].gap();
        } else {
            block.head.kept[direction] = buffer.first(block.used[direction]);
        }
    }
    return block.head;
}

void HeadPool::close(std::uint32_t index) noexcept {
    for (const std::uint32_t large : blocks_[index].large) {
        if (large != LargePool::kNone) {
            large_.release(large);
        }
    }
    blocks_.release(index);
}

}  // namespace flowclass::head
