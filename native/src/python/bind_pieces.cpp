// _core.PieceScan, and packets at the borders of pieces as columns: checks types, releases the GIL,
// calls, wraps.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engine/engine.hpp"
#include "engine/piece_scan.hpp"
#include "python/borrowed.hpp"
#include "python/numpy_array.hpp"

namespace nb = nanobind;

void bind_pieces(nb::module_& module);

namespace {

using namespace flowclass;
using decode::BorderPairs;
using engine::CarriedPackets;
using engine::Engine;
using engine::PieceScan;

template <typename T>
using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void push(PieceScan& self, nb::handle chunk) {
    const Borrowed borrowed(chunk);
    const nb::gil_scoped_release released;
    self.push(borrowed.bytes());
}

nb::dict finish(PieceScan& self) {
    self.finish();
    const bool any = self.has_packets();
    const auto time = [any](base::TimeNs when) {
        return any ? nb::object(nb::int_(when)) : nb::object(nb::none());
    };
    nb::dict out;
    out["packets"] = self.packets();
    out["time_first"] = time(self.time_first());
    out["time_least"] = time(self.time_least());
    out["time_greatest"] = time(self.time_greatest());
    return out;
}

std::shared_ptr<BorderPairs> border(const PieceScan& self) {
    return std::const_pointer_cast<BorderPairs>(self.border());
}

nb::dict take_carried(Engine& engine) {
    CarriedPackets packets = engine.take_carried();
    nb::dict out;
    out["times"] = numpy_of(std::move(packets.times));
    out["clocks"] = numpy_of(std::move(packets.clocks));
    out["frames"] = numpy_of(std::move(packets.frames));
    out["sources"] = numpy_of(std::move(packets.sources));
    out["wire_lengths"] = numpy_of(std::move(packets.wire_lengths));
    out["link_types"] = numpy_of(std::move(packets.link_types));
    out["partitions"] = numpy_of(std::move(packets.partitions));
    out["offsets"] = numpy_of(std::move(packets.offsets));
    out["octets"] = numpy_of(std::move(packets.octets));
    return out;
}

template <typename T>
std::span<const T> span_of(const Input<T>& column) {
    return {column.data(), column.size()};
}

void push_carried(Engine& engine,
                  Input<std::int64_t> times,
                  Input<std::int64_t> clocks,
                  Input<std::uint64_t> frames,
                  Input<std::uint32_t> wire_lengths,
                  Input<std::uint32_t> link_types,
                  Input<std::int64_t> offsets,
                  nb::handle octets) {
    const Borrowed borrowed(octets);
    const auto views = engine::views_of({.times = span_of(times),
                                         .clocks = span_of(clocks),
                                         .frames = span_of(frames),
                                         .wire_lengths = span_of(wire_lengths),
                                         .link_types = span_of(link_types),
                                         .offsets = span_of(offsets),
                                         .octets = borrowed.bytes()});
    if (!views.ok()) {
        throw nb::value_error(views.error().c_str());
    }
    const nb::gil_scoped_release released;
    engine.push_carried(views.value(), span_of(clocks));
}

}  // namespace

void bind_pieces(nb::module_& module) {
    nb::class_<BorderPairs>(module, "BorderPairs", "Address pairs near the borders of a piece.")
        .def_prop_ro("pairs", &BorderPairs::pairs);
    nb::class_<PieceScan>(module, "PieceScan", "The first look at a piece of a stream.")
        .def(nb::init<std::int64_t, std::int64_t>(),
             nb::kw_only(),
             nb::arg("idle_timeout_ns"),
             nb::arg("slack_ns"))
        .def("begin_source",
             &PieceScan::begin_source,
             "The bytes of another capture of the piece follow.")
        .def("push", &push, nb::arg("chunk"), "Bytes of the piece, cut anywhere.")
        .def("finish", &finish, "No more bytes: how many packets there are, and when.")
        .def_prop_ro("border", &border);
    module.def("take_carried",
               &take_carried,
               nb::arg("engine"),
               "The packets that an engine over a piece has left, as columns.");
    module.def("push_carried",
               &push_carried,
               nb::arg("engine"),
               nb::arg("times"),
               nb::arg("clocks"),
               nb::arg("frames"),
               nb::arg("wire_lengths"),
               nb::arg("link_types"),
               nb::arg("offsets"),
               nb::arg("octets"),
               "Packets that engines over pieces have left.");
}
