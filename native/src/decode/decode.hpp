// The decode room's one door. Takes: a captured frame. Gives: one FlowLayer for each IP packet in
// it, outermost first, or the reason why there is none. Guarantees: no allocation after
// construction, no recursion, no read outside the frame; a tunnel never hides itself: its own layer
// stands, whatever is inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/hash.hpp"
#include "base/place_hash.hpp"
#include "base/time.hpp"
#include "decode/border_pairs.hpp"
#include "decode/counters.hpp"
#include "decode/fragment_table.hpp"
#include "decode/network.hpp"
#include "decode/slice.hpp"
#include "packet/decoded_packet.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::decode {

struct DecodeOptions {
    std::size_t fragment_entries = 16384;
    base::TimeNs fragment_timeout = 30 * base::kSecond;
    bool tunnels = true;
    // This worker's share of the frames: those whose outermost address pair hashes to it, in both
    // directions, so that fragments and inner flows stay with their outer pair. Frames without an
    // IP header belong to shard 0.
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    base::HashKey shard_key{};
    // Where the input is a piece of a stream: the frames that are left to the run that joins
    // pieces.
    std::shared_ptr<const BorderPairs> border = nullptr;
};

// The addresses of a frame's outermost IP header, as decode() finds them; false where there is
// none. `scratch` holds nothing afterwards.
bool find_outer_pair(const packet::PacketView& view,
                     packet::LayerBuffer& scratch,
                     AddressPair& pair) noexcept;

class Decoder {
  public:
    explicit Decoder(const DecodeOptions& options);

    // Appends the layers of one frame to `out`, with `packet_index` in each; nothing is appended
    // exactly when the reason is not SkipKind::none. The caller keeps out.has_room() true; without
    // room the frame is refused as malformed.
    packet::SkipReason decode(const packet::PacketView& view,
                              std::uint16_t packet_index,
                              packet::LayerBuffer& out) noexcept;

    [[nodiscard]] const DecodeCounters& counters() const noexcept { return counters_; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(counters_, fragments_);
    }

  private:
    [[nodiscard]] packet::SkipReason skipped(packet::SkipReason reason) const noexcept;
    [[nodiscard]] bool is_mine(const packet::FlowLayer& layer) const noexcept;
    void finish_layer(Slice& slice,
                      const IpFacts& facts,
                      const EncapStack& stack,
                      base::TimeNs now,
                      packet::FlowLayer& layer) noexcept;
    void join_fragment(std::uint32_t id,
                       std::uint32_t overlay,
                       base::TimeNs now,
                       packet::FlowLayer& layer) noexcept;
    void open_tunnels(base::TimeNs now, EncapStack& stack, packet::LayerBuffer& out) noexcept;

    DecodeOptions options_;
    base::PlaceHash shard_place_;
    DecodeCounters counters_;
    FragmentTable fragments_;
    std::uint64_t border_frames_ = 0;  // decoded so far; no state of a piece is kept
};

}  // namespace flowclass::decode
