// Fuzz target of the in-order beginning of a TCP stream, against a plain model: the list of all
// octets that were taken. The input is where the stream begins, then segments:
//
//   first sequence number(4)
//   segments: form(1: bit 0 = far: distance of 4 octets, bit 1 = long: length of 4 octets)
//   distance from the first sequence number(2, signed, or 4)  length(2 or 4)  not captured(2)
//
// Aborts when the stream is whole further or less far than the octets taken, when a new octet does
// not lie where its sequence number says, or when there is a gap and it is not told.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/byte_reader.hpp"
#include "head/tcp_prefix.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::head::TcpPrefix;

namespace {

constexpr std::size_t kMostSegments = 200;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

struct Segment {
    std::int32_t distance = 0;
    std::uint32_t length = 0;
    std::uint32_t captured = 0;
};

Segment read_segment(ByteReader& in) {
    Segment out;
    const std::uint8_t form = in.u8();
    out.distance = (form & 1U) != 0 ? static_cast<std::int32_t>(in.be32())
                                    : static_cast<std::int16_t>(in.be16());
    out.length = (form & 2U) != 0 ? in.be32() : in.be16();
    const std::uint32_t missing = in.be16();
    out.captured = out.length - std::min(out.length, missing);
    return out;
}

class Model {
  public:
    void take(std::uint64_t begin, std::uint64_t end, std::uint64_t captured_end) {
        taken_.push_back({begin, end});
        if (captured_end < end) {
            valid_ = std::min(valid_, captured_end);
        }
        for (bool grown = true; grown;) {
            grown = false;
            for (const Range& range : taken_) {
                if (range.begin <= whole_ && range.end > whole_) {
                    whole_ = range.end;
                    grown = true;
                }
            }
        }
    }
    [[nodiscard]] std::uint64_t whole() const { return std::min(whole_, valid_); }
    [[nodiscard]] bool has(std::uint64_t end) const { return end <= whole_; }
    [[nodiscard]] bool gap() const {
        return valid_ < whole_ || std::any_of(
                                      taken_.begin(),
                                      taken_.end(),
                                      [this](Range range) { return range.end > whole_; });
    }

  private:
    struct Range {
        std::uint64_t begin, end;
    };
    std::vector<Range> taken_;
    std::uint64_t whole_ = 0;
    std::uint64_t valid_ = UINT64_MAX;
};

// What a segment has to give: its octets from the stream's first one on.
void send(TcpPrefix& prefix, std::uint32_t first, const Segment& segment, Model& model) {
    const auto seq = first + static_cast<std::uint32_t>(segment.distance);
    const TcpPrefix::Placed placed = prefix.place(seq, segment.length, segment.captured);
    const std::int64_t begin = std::max<std::int64_t>(segment.distance, 0);
    const std::int64_t end = std::int64_t{segment.distance} + segment.length;
    const bool reachable = begin < TcpPrefix::kHorizon && end <= INT64_C(0xffffffff);
    if (!placed.is_new) {
        // Nothing of it is new, it lies beyond all that matters, or it could not wait: then it is
        // told.
        require(end <= begin || !reachable || prefix.gap() ||
                model.has(static_cast<std::uint64_t>(end)));
        return;
    }
    require(reachable && placed.length > 0);
    require(std::int64_t{placed.offset} == std::int64_t{segment.distance} + placed.skipped);
    require(std::uint64_t{placed.skipped} + placed.length == segment.length);
    require(placed.offset >= static_cast<std::uint64_t>(begin));
    const std::int64_t known = std::int64_t{segment.distance} + segment.captured;
    model.take(static_cast<std::uint64_t>(begin),
               static_cast<std::uint64_t>(end),
               static_cast<std::uint64_t>(std::max(begin, known)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in(Bytes(data, size));
    const std::uint32_t first = in.be32();
    TcpPrefix prefix;
    prefix.start(first);
    Model model;
    for (std::size_t count = 0; in.remaining() >= 7 && count < kMostSegments; ++count) {
        const Segment segment = read_segment(in);
        if (!in.ok()) {
            break;
        }
        send(prefix, first, segment, model);
        require(prefix.whole() == model.whole());
        require(prefix.gap() || !model.gap());
    }
    return 0;
}
