// _core.Engine for Python: checks types, releases the GIL, calls, wraps. It is longer than other
// files because it is one class with one binding for each of its calls.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "python/arrow_capsule.hpp"
#include "python/borrowed.hpp"
#include "python/crypto_pan_key.hpp"
#include "python/user_faults.hpp"

namespace nb = nanobind;

void bind_engine(nb::module_& module);

namespace {

using namespace flowclass;
using engine::Engine;

void push(Engine& self, nb::handle chunk) {
    const Borrowed borrowed(chunk);
    const nb::gil_scoped_release released;
    self.push(borrowed.bytes());
}

void push_slice(Engine& self, capture::FileSlices& file) {
    const nb::gil_scoped_release released;
    self.push(file);
}

std::size_t next_slice(capture::FileSlices& self) {
    std::size_t size = 0;
    {
        const nb::gil_scoped_release released;
        size = self.next();
    }
    if (size == 0 && self.problem() != 0) {
        errno = self.problem();
        PyErr_SetFromErrno(PyExc_OSError);
        throw nb::python_error();
    }
    return size;
}

// Frames from an iterable: the numbers go on from one call to the next, so the caller says where
// they begin.
void push_packets(Engine& self,
                  std::uint32_t link_type,
                  const std::vector<std::pair<std::int64_t, nb::bytes>>& frames,
                  std::uint64_t first_frame) {
    std::vector<packet::PacketView> views;
    views.reserve(frames.size());
    std::uint64_t number = first_frame;
    for (const auto& [time, frame] : frames) {
        const base::Bytes bytes(static_cast<const std::uint8_t*>(frame.data()), frame.size());
        views.push_back(
            {time, bytes, static_cast<std::uint32_t>(frame.size()), link_type, number++});
    }
    const nb::gil_scoped_release released;
    self.push_packets(views);
}

nb::dict end_source(Engine& self) {
    const capture::CaptureReport& report = self.end_source();
    nb::dict blocks;
    for (std::size_t row = 0; row < report.skipped_types; ++row) {
        blocks[capture::block_name(report.skipped_blocks[row].type).c_str()] =
            report.skipped_blocks[row].count;
    }
    if (report.skipped_blocks_other > 0) {
        blocks["other"] = report.skipped_blocks_other;
    }
    nb::dict out;
    out["format"] = capture::to_string(report.format);
    out["packets"] = report.packets;
    out["bytes"] = report.bytes_consumed;
    out["problem"] = capture::to_string(report.problem);
    out["sentence"] = report.sentence();
    out["offset"] = report.problem_offset;
    out["packets_without_interface"] = report.packets_without_interface;
    out["blocks_skipped"] = blocks;
    return out;
}

std::vector<PyFlowBatch> wrapped(std::vector<batch::FlowBatch> batches) {
    std::vector<PyFlowBatch> out;
    for (batch::FlowBatch& ready : batches) {
        out.emplace_back(std::move(ready));
    }
    return out;
}

std::vector<PyFlowBatch> poll(Engine& self) {
    return wrapped(self.poll());
}

std::vector<PyFlowBatch> poll_early(Engine& self) {
    return wrapped(self.poll_early());
}

std::vector<PyFlowBatch> finish(Engine& self) {
    {
        const nb::gil_scoped_release released;
        self.finish();
    }
    return poll(self);
}

nb::dict balance(const Engine& self) {
    const engine::Counters counters = self.counters();
    nb::dict skipped;
    for (std::size_t row = 0; row < counters.skipped.size(); ++row) {
        const auto& [reason, tally] = counters.skipped[row];
        const std::string name =
            reason.kind == packet::SkipKind::count_ ? "other" : packet::to_string(reason);
        skipped[name.c_str()] = nb::make_tuple(tally.packets, tally.bytes);
    }
    nb::dict out;
    out["packets_read"] = counters.read.packets;
    out["bytes_read"] = counters.read.bytes;
    out["packets_in_flows"] = counters.in_flows.packets;
    out["bytes_in_flows"] = counters.in_flows.bytes;
    out["link_overhead_bytes"] = counters.link_overhead_bytes;
    out["packets_skipped"] = skipped;
    out["inner_packets"] = counters.inner_packets;
    out["flows"] = counters.flows;
    nb::dict ended;
    for (std::size_t reason = 0; reason < counters.ended.size(); ++reason) {
        ended[flow::to_string(static_cast<flow::EndReason>(reason))] = counters.ended[reason];
    }
    out["flows_by_end_reason"] = ended;
    out["evicted"] = counters.evicted;
    out["heads_unsaved"] = counters.heads_unsaved;
    out["leaders_forgotten"] = counters.leaders_forgotten;
    out["heads_cut"] = counters.heads_cut;
    out["heads_refused"] = counters.heads_refused;
    out["features_refused"] = counters.features_refused;
    out["evidence_refused"] = counters.evidence_refused;
    out["out_of_order"] = counters.out_of_order;
    return out;
}

void add_to(nb::dict& sums, const char* name, std::uint64_t count) {
    const std::uint64_t before =
        sums.contains(name) ? nb::cast<std::uint64_t>(sums[name]) : std::uint64_t{0};
    sums[name] = before + count;
}

nb::object text_or_none(const char* text) {
    return text == nullptr ? nb::object(nb::none()) : nb::object(nb::str(text));
}

// Class, protocol, variant, tier, registry match, policy outcome; and how many flows.
nb::list verdicts(const Engine& self) {
    nb::list out;
    const fingerprint::UserMatchers* const user = self.options().user.get();
    const std::vector<std::string> names = batch::protocol_names(user);
    for (const auto& [key, flows] : self.verdicts()) {
        const bool known = key.matcher != fingerprint::kNoMatcher;
        const auto protocol_class = known ? fingerprint::info_of(key.matcher, user).protocol_class
                                          : fingerprint::ProtocolClass::unknown;
        const std::string variant(key.variant);
        const nb::tuple group =
            nb::make_tuple(fingerprint::to_string(protocol_class),
                           names[batch::protocol_index(key.matcher, user)],
                           text_or_none(variant.empty() ? nullptr : variant.c_str()),
                           fingerprint::to_string(key.tier),
                           text_or_none(key.match ? registry::to_string(*key.match) : nullptr),
                           text_or_none(key.outcome ? policy::to_string(*key.outcome) : nullptr));
        out.append(nb::make_tuple(group, flows));
    }
    return out;
}

nb::dict counters(const Engine& self) {
    nb::dict out = balance(self);
    nb::dict inner;
    const decode::DecodeCounters decoded = self.decode_counters();
    for (const decode::DecodeCounterName& row : decode::kDecodeCounterNames) {
        inner[row.name] = decoded.*row.member;
    }
    out["inner_problems"] = inner;
    nb::dict protocols;
    nb::dict outcomes;
    const fingerprint::UserMatchers* const user = self.options().user.get();
    const std::vector<std::string> names = batch::protocol_names(user);
    for (const auto& [key, flows] : self.verdicts()) {
        const std::string& protocol = names[batch::protocol_index(key.matcher, user)];
        if (!protocols.contains(protocol.c_str())) {
            protocols[protocol.c_str()] = nb::dict();
        }
        nb::dict tiers = nb::cast<nb::dict>(protocols[protocol.c_str()]);
        add_to(tiers, fingerprint::to_string(key.tier), flows);
        if (key.outcome) {
            add_to(outcomes, policy::to_string(*key.outcome), flows);
        }
    }
    out["flows_by_protocol"] = protocols;
    out["outcomes"] = outcomes;
    out["user_faults"] = faults_dict(user, self.user_faults());
    const engine::MemoryUse memory = self.memory();
    out["table_bytes"] = memory.tables;
    out["head_bytes"] = memory.heads;
    out["evidence_bytes"] = memory.evidence;
    out["peak_flows"] = memory.peak_flows;
    out["flows_alive"] = memory.flows_alive;
    out["placed_anew"] = memory.placed_anew;
    out["memcap"] = self.options().memcap;
    out["bytes_per_flow"] = memory.bytes_per_flow;
    out["time_first"] =
        self.started() ? nb::object(nb::int_(self.time_first())) : nb::object(nb::none());
    out["time_last"] =
        self.started() ? nb::object(nb::int_(self.time_last())) : nb::object(nb::none());
    return out;
}

// The state into a file, at its place; what the system says where that fails.
void save(Engine& self, int file) {
    std::optional<base::Error> refused;
    int problem = 0;
    {
        const nb::gil_scoped_release released;
        refused = self.save([file, &problem](base::Bytes piece) {
            while (!piece.empty()) {
                const ssize_t count = write(file, piece.data(), piece.size());
                if (count < 0 && errno != EINTR) {
                    problem = errno;
                    return false;
                }
                piece = piece.subspan(count < 0 ? 0 : static_cast<std::size_t>(count));
            }
            return true;
        });
    }
    if (problem != 0) {
        errno = problem;
        PyErr_SetFromErrno(PyExc_OSError);
        throw nb::python_error();
    }
    if (refused) {
        throw nb::value_error(refused->sentence.c_str());
    }
}

std::size_t restore(Engine& self, nb::handle state) {
    const Borrowed borrowed(state);
    std::optional<base::Error> refused;
    {
        const nb::gil_scoped_release released;
        refused = self.restore(borrowed.bytes());
    }
    if (refused) {
        throw nb::value_error(refused->sentence.c_str());
    }
    return self.source_count();
}

using Registry = std::shared_ptr<const registry::Registry>;
using Policy = std::shared_ptr<const policy::Policy>;

void construct(Engine* self,
               std::int64_t idle_timeout_ns,
               std::int64_t active_timeout_ns,
               std::int64_t tcp_linger_ns,
               std::size_t memcap,
               std::uint32_t threads,
               std::size_t batch_rows,
               bool vlan_in_key,
               bool tunnels,
               bool heads,
               bool features,
               bool rows,
               bool early,
               const std::optional<nb::bytes>& anonymize,
               std::optional<std::pair<std::uint64_t, std::uint64_t>> hash_seed,
               std::shared_ptr<registry::Registry> registry,
               std::shared_ptr<policy::Policy> policy,
               std::string registry_version,
               std::string policy_version,
               std::shared_ptr<fingerprint::UserMatchers> user,
               std::shared_ptr<decode::BorderPairs> border) {
    engine::Options options;
    options.idle_timeout = idle_timeout_ns;
    options.active_timeout = active_timeout_ns;
    options.tcp_linger = tcp_linger_ns;
    options.memcap = memcap;
    options.threads = threads;
    options.batch_rows = batch_rows;
    options.vlan_in_key = vlan_in_key;
    options.tunnels = tunnels;
    options.heads = heads;
    options.features = features;
    options.rows = rows;
    options.early = early;
    if (anonymize) {
        options.anonymize = key_of(*anonymize);
    }
    if (hash_seed) {
        options.hash_key = base::HashKey{hash_seed->first, hash_seed->second};
    }
    options.registry = std::move(registry);
    options.policy = std::move(policy);
    options.user = std::move(user);
    options.border = std::move(border);
    options.registry_version = std::move(registry_version);
    options.policy_version = std::move(policy_version);
    new (self) Engine(std::move(options));
}

void set_judges(Engine& self,
                std::shared_ptr<registry::Registry> registry,
                std::shared_ptr<policy::Policy> policy,
                std::string registry_version,
                std::string policy_version) {
    self.set_judges({std::move(registry),
                     std::move(policy),
                     std::move(registry_version),
                     std::move(policy_version)});
}

}  // namespace

void bind_engine(nb::module_& module) {
    constexpr std::int64_t kSecond = base::kSecond;
    nb::class_<capture::FileSlices>(module, "FileSlices", "A plain file in slices, read ahead.")
        .def(nb::init<int, std::size_t>(), nb::arg("file"), nb::arg("size"))
        .def("next", &next_slice, "Goes on to the next slice; its octets, 0 at the end.");
    nb::class_<Engine>(module, "Engine", "The native pipeline; see flowclass.engine.")
        .def("__init__",
             &construct,
             nb::kw_only(),
             nb::arg("idle_timeout_ns") = 120 * kSecond,
             nb::arg("active_timeout_ns") = 1800 * kSecond,
             nb::arg("tcp_linger_ns") = 5 * kSecond,
             nb::arg("memcap") = 0,
             nb::arg("threads") = 1,
             nb::arg("batch_rows") = 8192,
             nb::arg("vlan_in_key") = true,
             nb::arg("tunnels") = true,
             nb::arg("heads") = false,
             nb::arg("features") = false,
             nb::arg("rows") = true,
             nb::arg("early") = false,
             nb::arg("anonymize") = nb::none(),
             nb::arg("hash_seed") = nb::none(),
             nb::arg("registry") = nb::none(),
             nb::arg("policy") = nb::none(),
             nb::arg("registry_version") = "",
             nb::arg("policy_version") = "",
             nb::arg("user") = nb::none(),
             nb::arg("border") = nb::none())
        .def("set_judges",
             &set_judges,
             nb::kw_only(),
             nb::arg("registry").none(),
             nb::arg("policy").none(),
             nb::arg("registry_version"),
             nb::arg("policy_version"),
             "Flows that end from now on are judged by these.")
        .def("begin_source",
             &Engine::begin_source,
             nb::arg("name"),
             "The next bytes are of this input.")
        .def("use_source",
             &Engine::use_source,
             nb::arg("number"),
             "The next packets are of the input that was begun as this one, from 0.")
        .def("push", &push, nb::arg("chunk"), "Bytes of a capture, cut anywhere.")
        .def("push_slice",
             &push_slice,
             nb::arg("file"),
             "The slice of a file; with several threads the next is read meanwhile.")
        .def("push_packets",
             &push_packets,
             nb::arg("link_type"),
             nb::arg("packets"),
             nb::arg("first_frame") = 1,
             "Frames as (time in ns, octets) pairs.")
        .def(
            "end_source", &end_source, "No more bytes of this input: what it was and how it ended.")
        .def("advance", &Engine::advance, nb::arg("now_ns"), "Time has passed without packets.")
        .def("restart_clock",
             &Engine::restart_clock,
             "Ends every flow; the next packet's time is taken as it is.")
        .def_prop_ro("bursts_behind",
                     &Engine::bursts_behind,
                     "Bursts in a row whose last packet was more than a minute before the clock.")
        .def("flush", &Engine::flush, "Makes the rows so far a batch.")
        .def("poll", &poll, "Batches that are ready.")
        .def("poll_early", &poll_early, "Batches of early verdicts that are ready.")
        .def("save", &save, nb::arg("file"), "The whole state, written to an open file.")
        .def("restore",
             &restore,
             nb::arg("state"),
             "Takes over what an engine of the same options saved; the sources that were begun.")
        .def("finish", &finish, "Ends every flow and returns the remaining batches.")
        .def("balance",
             &balance,
             "Packets and octets read, in flows, and skipped by reason, so far.")
        .def("verdicts", &verdicts, "How many flows that have ended got which verdict.")
        .def("counters", &counters, "The balance and everything else that is counted, so far.");
}
