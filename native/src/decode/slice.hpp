// A part of a frame while its headers are taken off: what was captured of it, and how long it was
// on the wire. Guarantees: `wire` is never less than what was captured; every cut goes through
// base::ByteReader.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "packet/decoded_packet.hpp"

namespace flowclass::decode {

struct Slice {
    base::Bytes bytes;       // captured
    std::uint32_t wire = 0;  // octets on the wire from here to the end of the enclosing packet

    // True when the capture holds less than the wire did.
    [[nodiscard]] bool cut() const noexcept { return bytes.size() < wire; }

    // Why a header did not fit: the snap length took it, or the packet itself is too short for it.
    [[nodiscard]] packet::SkipKind shortage() const noexcept {
        return cut() ? packet::SkipKind::truncated : packet::SkipKind::malformed;
    }

    // Takes `count` octets off the front, captured or not.
    [[gnu::always_inline]] void drop(std::size_t count) noexcept {
        base::ByteReader reader(bytes);
        reader.skip(count);
        bytes = reader.rest();
        wire -= static_cast<std::uint32_t>(std::min<std::size_t>(count, wire));
    }

    // What lies behind the next `count` octets is padding or a trailer.
    [[gnu::always_inline]] void limit(std::uint32_t count) noexcept {
        base::ByteReader reader(bytes);
        reader.limit(count);
        bytes = reader.rest();
        wire = std::min(wire, count);
    }

    // A header said how long the packet is, be it more than the frame had.
    [[gnu::always_inline]] void set_length(std::uint32_t count) noexcept {
        limit(count);
        wire = count;
    }
};

// What was taken off in front of the IP headers of one frame, written straight into the buffer. The
// layers of a frame share it: the stack of an inner layer begins with the stack of the layer around
// it.
class EncapStack {
  public:
    explicit EncapStack(packet::LayerBuffer& out) noexcept : out_(out), first_(out.encap_count) {}

    // Beyond the room of a layer's stack a header is taken off unrecorded, and counted.
    void push(packet::EncapType type, std::uint32_t id) noexcept {
        if (count_ < packet::kMaxEncaps && first_ + count_ < packet::LayerBuffer::kEncaps) {
            out_.encaps[first_ + count_] = {type, id};
            ++count_;
        } else {
            ++unrecorded_;
        }
    }

    // Identifier 0 only carries a priority (IEEE 802.1Q-2018 §9.6, table 9-2): such a frame is in
    // no VLAN.
    void push_vlan(std::uint16_t id) noexcept {
        if (id == 0) {
            return;
        }
        push(packet::EncapType::vlan, id);
        if (vlan_ == packet::kNoVlan) {
            vlan_ = id;
        } else if (inner_vlan_ == packet::kNoVlan) {
            inner_vlan_ = id;
        }
    }

    // The Ethernet inside a tunnel has VLANs of its own.
    void enter_tunnel() noexcept { vlan_ = inner_vlan_ = packet::kNoVlan; }
    void rewind(std::size_t count) noexcept { count_ = std::min(count, count_); }

    [[nodiscard]] std::size_t first() const noexcept { return first_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint16_t vlan() const noexcept { return vlan_; }
    [[nodiscard]] std::uint16_t inner_vlan() const noexcept { return inner_vlan_; }
    // Names the overlay networks around: equal private addresses in two of them are different
    // hosts. 0 = none.
    [[nodiscard]] std::uint32_t overlay() const noexcept {
        std::uint32_t overlay = 0;
        for (std::size_t index = 0; index < count_; ++index) {
            const packet::Encap& encap = out_.encaps[first_ + index];
            if (packet::has_symmetric_id(encap.type)) {
                overlay = overlay * 31 + encap.id + 1;
            }
        }
        return overlay;
    }
    [[nodiscard]] std::uint64_t unrecorded() const noexcept { return unrecorded_; }

  private:
    packet::LayerBuffer& out_;
    std::size_t first_;
    std::size_t count_ = 0;
    std::uint64_t unrecorded_ = 0;
    std::uint16_t vlan_ = packet::kNoVlan;
    std::uint16_t inner_vlan_ = packet::kNoVlan;
};

}  // namespace flowclass::decode
