// _core.PacketRing for Python: checks types, releases the GIL, calls, wraps.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "capture/af_packet.hpp"
#include "engine/engine.hpp"

namespace nb = nanobind;

void bind_live(nb::module_& module);

namespace {

using namespace flowclass;
using capture::PacketRing;

capture::Fanout fanout_of(const std::string& name) {
    if (name == "hash") {
        return capture::Fanout::hash;
    }
    if (name == "cpu") {
        return capture::Fanout::cpu;
    }
    if (name != "none") {
        throw nb::value_error("fanout is none, hash or cpu");
    }
    return capture::Fanout::none;
}

std::unique_ptr<PacketRing> open(std::string interface,
                                 std::string filter,
                                 std::uint32_t snap_length,
                                 std::size_t block_size,
                                 std::size_t block_count,
                                 std::uint32_t retire_ms,
                                 bool promiscuous,
                                 const std::string& fanout,
                                 std::uint16_t fanout_group) {
    const capture::RingOptions options{.interface = std::move(interface),
                                       .filter = std::move(filter),
                                       .snap_length = snap_length,
                                       .block_size = block_size,
                                       .block_count = block_count,
                                       .retire_ms = retire_ms,
                                       .promiscuous = promiscuous,
                                       .fanout = fanout_of(fanout),
                                       .fanout_group = fanout_group};
    auto opened = PacketRing::open(options);
    if (!opened.ok()) {
        PyErr_SetString(PyExc_OSError, opened.error().c_str());
        throw nb::python_error();
    }
    return std::move(opened.value());
}

const char* wait(PacketRing& self, int timeout_ms) {
    const nb::gil_scoped_release released;
    return capture::to_string(self.wait(timeout_ms));
}

std::size_t push_into(PacketRing& self, engine::Engine& engine, std::size_t most) {
    const nb::gil_scoped_release released;
    const auto views = self.take(most);
    engine.push_packets(views);
    self.release();
    return views.size();
}

nb::dict counters(PacketRing& self) {
    const capture::RingCounters facts = self.counters();
    nb::dict out;
    out["received"] = facts.received;
    out["dropped"] = facts.dropped;
    out["freezes"] = facts.freezes;
    out["handed_on"] = facts.handed_on;
    return out;
}

}  // namespace

void bind_live(nb::module_& module) {
    const capture::RingOptions usual;
    nb::class_<PacketRing>(
        module, "PacketRing", "The packets of an interface, in a ring that the kernel fills.")
        .def(nb::new_(&open),
             nb::kw_only(),
             nb::arg("interface"),
             nb::arg("filter") = "",
             nb::arg("snap_length") = usual.snap_length,
             nb::arg("block_size") = usual.block_size,
             nb::arg("block_count") = usual.block_count,
             nb::arg("retire_ms") = usual.retire_ms,
             nb::arg("promiscuous") = false,
             nb::arg("fanout") = "none",
             nb::arg("fanout_group") = 0)
        .def("wait",
             &wait,
             nb::arg("timeout_ms"),
             "Waits for packets: ready, silent, down, gone or failed.")
        .def("push_into",
             &push_into,
             nb::arg("engine"),
             nb::arg("most"),
             "Gives the engine at most so many packets of the ring, where they lie; says how many.")
        .def("stop", &PacketRing::stop, "Receives nothing more; what is there can be read.")
        .def(
            "counters", &counters, "Packets received, dropped, handed on; times the ring was full.")
        .def_prop_ro("descriptor", &PacketRing::descriptor)
        .def_prop_ro("link_type", &PacketRing::link_type)
        .def_prop_ro("error", &PacketRing::error);
}
