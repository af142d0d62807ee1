#include "engine/piece_scan.hpp"

#include <algorithm>
#include <span>

#include "decode/decode.hpp"
#include "engine/link_table.hpp"

namespace flowclass::engine {

base::TimeNs settled_after(base::TimeNs idle_timeout) noexcept {
    const base::TimeNs longest =
        std::max({idle_timeout, kLinkWindow, decode::DecodeOptions{}.fragment_timeout});
    return base::saturating_add(longest, kLinkWait);
}

PieceScan::PieceScan(base::TimeNs idle_timeout, base::TimeNs slack)
    : scratch_(std::make_unique<packet::LayerBuffer>()),
      border_(std::make_shared<decode::BorderPairs>(
          decode::BorderOptions{.gap = settled_after(idle_timeout), .slack = slack},
          base::random_hash_key())) {}

void PieceScan::push(base::Bytes chunk) {
    reader_.push(chunk);
    drain();
}

void PieceScan::begin_source() {
    reader_.finish();
    drain();
    reader_ = capture::CaptureReader();
}

const capture::CaptureReport& PieceScan::finish() {
    reader_.finish();
    drain();
    border_->close(greatest_);
    return reader_.report();
}

void PieceScan::drain() {
    for (std::size_t count = reader_.next_burst(views_); count > 0;
         count = reader_.next_burst(views_)) {
        for (const packet::PacketView& view : std::span(views_).first(count)) {
            if (frames_++ == 0) {
                first_ = least_ = greatest_ = view.time;
            }
            least_ = std::min(least_, view.time);
            greatest_ = std::max(greatest_, view.time);
            decode::AddressPair pair;
            if (decode::find_outer_pair(view, *scratch_, pair)) {
                border_->note(pair, view.time, greatest_, frames_);
            }
        }
    }
}

}  // namespace flowclass::engine
