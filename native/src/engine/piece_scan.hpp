// The first look at a piece of a stream: when its packets are, and which address pairs come near
// its borders. Takes: the octets of captures, one after the other, or of a part of one behind its
// file header, cut anywhere. Gives: what an engine needs to leave the packets at the borders to the
// run that joins pieces, and the times by which neighbours are checked.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "capture/capture_reader.hpp"
#include "decode/border_pairs.hpp"
#include "packet/decoded_packet.hpp"

namespace flowclass::engine {

// So long after its last packet nothing of an address pair is left in an engine that a later packet
// could meet: no flow, no fragment, no flow that may lead others.
base::TimeNs settled_after(base::TimeNs idle_timeout) noexcept;

class PieceScan {
  public:
    // `slack`: by which pieces may overlap in time.
    PieceScan(base::TimeNs idle_timeout, base::TimeNs slack);

    // The octets of another capture of the piece follow; the first one need not be begun.
    void begin_source();
    void push(base::Bytes chunk);
    // Gives the report of the last capture.
    const capture::CaptureReport& finish();

    // Only after finish().
    [[nodiscard]] std::shared_ptr<const decode::BorderPairs> border() const noexcept {
        return border_;
    }
    // Of the packets; false where there is none.
    [[nodiscard]] bool has_packets() const noexcept { return frames_ > 0; }
    [[nodiscard]] std::uint64_t packets() const noexcept { return frames_; }
    [[nodiscard]] base::TimeNs time_first() const noexcept { return first_; }
    [[nodiscard]] base::TimeNs time_least() const noexcept { return least_; }
    [[nodiscard]] base::TimeNs time_greatest() const noexcept { return greatest_; }

  private:
    void drain();

    capture::CaptureReader reader_;
    std::array<packet::PacketView, packet::kBurst> views_;
    std::unique_ptr<packet::LayerBuffer> scratch_;
    std::shared_ptr<decode::BorderPairs> border_;
    base::TimeNs first_ = 0;
    base::TimeNs least_ = 0;
    base::TimeNs greatest_ = 0;
    std::uint64_t frames_ = 0;
};

}  // namespace flowclass::engine
