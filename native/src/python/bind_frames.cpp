// _core.FrameFinder: finds the frames of a capture by their times, and says where in each frame a
// flow's payload lies. For `flowclass explain`: it copies the frames it finds, so it is given few
// times.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/ip_address.hpp"
#include "capture/capture_reader.hpp"
#include "decode/decode.hpp"
#include "packet/decoded_packet.hpp"
#include "python/borrowed.hpp"

namespace nb = nanobind;

void bind_frames(nb::module_& module);

namespace {

using namespace flowclass;

struct FoundLayer {
    std::string src;
    std::string dst;
    packet::FlowLayer layer;
    std::size_t payload_offset = 0;  // in the frame
};

struct FoundFrame {
    packet::PacketView view;  // its bytes are in `octets`
    std::vector<std::uint8_t> octets;
    std::vector<FoundLayer> layers;
};

class FrameFinder {
  public:
    explicit FrameFinder(const std::vector<std::int64_t>& times)
        : times_(times.begin(), times.end()),
          decoder_(decode::DecodeOptions{}),
          layers_(std::make_unique<packet::LayerBuffer>()) {}

    void push(base::Bytes chunk) {
        reader_.push(chunk);
        drain();
    }
    void finish() {
        reader_.finish();
        drain();
    }
    [[nodiscard]] const std::vector<FoundFrame>& found() const noexcept { return found_; }

  private:
    static constexpr std::size_t kMostFound = 4096;

    // Every frame is decoded, not only those wanted: later fragments learn their ports from first
    // ones.
    void drain() {
        std::array<packet::PacketView, packet::kBurst> views;
        for (std::size_t count = reader_.next_burst(views); count > 0;
             count = reader_.next_burst(views)) {
            for (const packet::PacketView& view : std::span(views).first(count)) {
                layers_->clear();
                decoder_.decode(view, 0, *layers_);
                if (times_.contains(view.time) && found_.size() < kMostFound) {
                    keep(view);
                }
            }
        }
    }

    void keep(const packet::PacketView& view) {
        FoundFrame& kept = found_.emplace_back();
        kept.view = view;
        kept.octets.assign(view.bytes.begin(), view.bytes.end());
        for (const packet::FlowLayer& layer :
             std::span(layers_->layers).first(layers_->layer_count)) {
            const auto offset =
                layer.payload.empty() ? 0 : std::distance(view.bytes.data(), layer.payload.data());
            kept.layers.push_back({base::to_string(layer.src),
                                   base::to_string(layer.dst),
                                   layer,
                                   static_cast<std::size_t>(offset)});
        }
    }

    std::unordered_set<std::int64_t> times_;
    capture::CaptureReader reader_;
    decode::Decoder decoder_;
    std::unique_ptr<packet::LayerBuffer> layers_;
    std::vector<FoundFrame> found_;
};

void push(FrameFinder& self, nb::handle chunk) {
    const Borrowed borrowed(chunk);
    const nb::gil_scoped_release released;
    self.push(borrowed.bytes());
}

nb::dict describe(const FoundLayer& found) {
    nb::dict row;
    row["src_ip"] = found.src;
    row["dst_ip"] = found.dst;
    row["src_port"] =
        found.layer.has_ports ? nb::object(nb::int_(found.layer.src_port)) : nb::object(nb::none());
    row["dst_port"] =
        found.layer.has_ports ? nb::object(nb::int_(found.layer.dst_port)) : nb::object(nb::none());
    row["ip_proto"] = found.layer.ip_proto;
    row["payload_offset"] = found.payload_offset;
    row["payload_captured"] = found.layer.payload.size();
    row["payload_length"] = found.layer.payload_length;
    return row;
}

nb::list found(const FrameFinder& self) {
    nb::list out;
    for (const FoundFrame& frame : self.found()) {
        nb::dict row;
        row["frame"] = frame.view.frame;
        row["time"] = frame.view.time;
        row["wire_length"] = frame.view.wire_length;
        row["link_type"] = frame.view.link_type;
        row["octets"] = nb::bytes(frame.octets.data(), frame.octets.size());
        nb::list layers;
        for (const FoundLayer& layer : frame.layers) {
            layers.append(describe(layer));
        }
        row["layers"] = layers;
        out.append(row);
    }
    return out;
}

}  // namespace

void bind_frames(nb::module_& module) {
    nb::class_<FrameFinder>(module, "FrameFinder", "Finds the frames of a capture by their times.")
        .def(nb::init<const std::vector<std::int64_t>&>(), nb::arg("times"))
        .def("push", &push, nb::arg("chunk"), "Bytes of a capture, cut anywhere.")
        .def(
            "finish", [](FrameFinder& self) { self.finish(); }, "No more bytes of this capture.")
        .def("found", &found, "Each frame found: number, time, octets, layers with their payload.");
}
