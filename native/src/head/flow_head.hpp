// FlowHead: what a fingerprint sees of a flow, and all that it sees.
// Takes: the first payloads of a flow. Gives: per payload-bearing packet its direction, time,
// length on the wire and a prefix of its bytes; for TCP also the in-order beginning of each
// direction's stream. Guarantees: plain data, no pointer into a packet; a matcher that is a pure
// function of it can be run again over saved heads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "base/time.hpp"
#include "packet/direction.hpp"

namespace flowclass::hello {
struct ClientHello;
}

namespace flowclass::head {

inline constexpr std::size_t kMaxEntries = 12;
inline constexpr std::size_t kMaxEntriesPerDirection = 8;

using packet::Direction;
using packet::index_of;
using packet::opposite;

struct HeadEntry {
    base::TimeNs time = 0;
    std::uint32_t length =
        0;  // UDP: datagram payload on the wire; TCP: new stream octets; else IP payload, octets
    std::uint32_t packet = 0;  // which payload-bearing packet of the flow, from 1
    std::uint16_t start =
        0;  // where in its direction's kept bytes this entry's begin (TCP: stream offset)
    std::uint16_t kept = 0;            // how many are kept
    std::uint16_t payload_offset = 0;  // TCP: octets at the packet's front that were a repetition
    Direction direction = Direction::forward;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(time, length, packet, start, kept, payload_offset);
        archive.up_to(direction, Direction::reverse);
        archive.require(kept <= length);
    }
};

// One direction's payloads of a head, as a matcher reads them.
struct Payload {
    base::Bytes bytes;         // the kept prefix; never longer than `length`
    std::uint32_t length = 0;  // on the wire
    base::TimeNs time = 0;
    Direction direction = Direction::forward;
    std::size_t entry = 0;
};

// A head of few payloads lies in the first cache lines.
struct FlowHead {
    std::array<base::Bytes, 2>
        kept;  // by direction: UDP: prefixes one after another; TCP: the stream up to the first gap
    base::TimeNs time_first = 0;  // of the first payload
    // What was read of it before it is matched: the client's hello, or none. A function of the
    // rest.
    const hello::ClientHello* hello = nullptr;
    std::uint16_t src_port = 0;  // of the forward direction; ICMP: type
    std::uint16_t dst_port = 0;  // ICMP: code
    std::uint8_t ip_proto = 0;
    std::uint8_t entry_count = 0;
    std::array<std::uint8_t, 2> direction_count{};  // entries by direction
    std::array<bool, 2>
        from_stream_start{};  // TCP: the SYN was seen, so the kept stream begins at its first octet
    std::array<bool, 2> gap{};  // TCP: octets are missing behind the kept ones
    bool truncated = false;     // a snap length cut what would have been kept
    std::array<HeadEntry, kMaxEntries> entries;

    [[nodiscard]] Payload payload(std::size_t entry) const noexcept {
        const HeadEntry& found = entries[entry];
        const base::Bytes all = kept[index_of(found.direction)];
        base::Bytes prefix;
        if (found.start <= all.size()) {
            const base::Bytes tail = all.subspan(found.start);
            prefix = tail.first(found.kept < tail.size() ? found.kept : tail.size());
        }
        return {prefix, found.length, found.time, found.direction, entry};
    }
    // All but the octets that were kept, and what was read of them.
    template <typename Archive>
    void keep(Archive& archive) {
        archive(time_first, src_port, dst_port, ip_proto);
        archive.up_to(entry_count, static_cast<std::uint8_t>(kMaxEntries));
        archive(from_stream_start, gap, truncated);
        direction_count = {};
        for (std::size_t entry = 0; archive.ok() && entry < entry_count; ++entry) {
            archive(entries[entry]);
            ++direction_count[index_of(entries[entry].direction)];
        }
        archive.require(direction_count[0] <= kMaxEntriesPerDirection &&
                        direction_count[1] <= kMaxEntriesPerDirection);
    }
    // The in-order stream of a TCP direction, up to what is kept.
    [[nodiscard]] base::Bytes stream(Direction direction) const noexcept {
        return kept[index_of(direction)];
    }
    [[nodiscard]] bool both_directions() const noexcept {
        return direction_count[0] > 0 && direction_count[1] > 0;
    }
    [[nodiscard]] bool has_port(std::uint16_t port) const noexcept {
        return src_port == port || dst_port == port;
    }
    // Index of the first entry of a direction at or after `from`; kMaxEntries when there is none.
    [[nodiscard]] std::size_t next(Direction direction, std::size_t from = 0) const noexcept {
        for (std::size_t entry = from; entry < entry_count; ++entry) {
            if (entries[entry].direction == direction) {
                return entry;
            }
        }
        return kMaxEntries;
    }
    // The entry that holds octet `offset` of a TCP direction's stream; kMaxEntries when none does.
    [[nodiscard]] std::size_t entry_at(Direction direction, std::size_t offset) const noexcept {
        for (std::size_t entry = 0; entry < entry_count; ++entry) {
            const HeadEntry& found = entries[entry];
            if (found.direction == direction && offset >= found.start &&
                offset < found.start + std::size_t{found.length}) {
                return entry;
            }
        }
        return kMaxEntries;
    }
};

}  // namespace flowclass::head
