// _core.Registry: the immutable native registry for Python. Checks types, releases the GIL, calls,
// wraps.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "python/borrowed.hpp"
#include "registry/snapshot.hpp"

namespace nb = nanobind;

void bind_registry(nb::module_& module);

namespace {

using namespace flowclass;
using registry::Registry;

using Texts = std::vector<std::string>;
using Times = std::vector<std::int64_t>;
template <typename T, typename... Shape>
using Input = nb::ndarray<const T, nb::c_contig, nb::device::cpu, Shape...>;
using SetIds = nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<1>>;

template <typename T>
T value_or_raise(base::Result<T> result) {
    if (!result.ok()) {
        throw nb::value_error(result.error().c_str());
    }
    return std::move(result.value());
}

base::IpAddress address_or_raise(std::string_view text) {
    const std::optional<base::IpAddress> address = base::parse_ip_address(text);
    if (!address) {
        throw nb::value_error(
            ("'" + std::string(text.substr(0, 64)) + "' is not an IPv4 or IPv6 address").c_str());
    }
    return *address;
}

std::optional<std::uint32_t> entry_or_none(std::uint32_t entry) {
    return entry == registry::kNoEntry ? std::nullopt : std::optional(entry);
}

std::uint32_t checked_entry(const Registry& self, std::uint32_t entry) {
    if (entry >= self.size()) {
        throw nb::index_error("no such registry entry");
    }
    return entry;
}

std::shared_ptr<Registry> build(registry::TextColumns texts, const Texts& scope) {
    const nb::gil_scoped_release released;
    auto columns = value_or_raise(registry::read_columns(std::move(texts)));
    const auto prefixes = value_or_raise(registry::read_prefixes(scope));
    return std::make_shared<Registry>(
        value_or_raise(Registry::build(std::move(columns), prefixes)));
}

// An uninitialised array of set ids that numpy owns.
SetIds new_set_ids(std::size_t count) {
    auto owned = std::make_unique<std::uint32_t[]>(count);
    std::uint32_t* data = owned.get();
    const nb::capsule owner(owned.release(), [](void* held) noexcept {
        std::unique_ptr<std::uint32_t[]>(static_cast<std::uint32_t*>(held)).reset();
    });
    return SetIds(data, {count}, owner);
}

SetIds find_v4(const Registry& self, Input<std::uint32_t, nb::ndim<1>> addresses) {
    SetIds found = new_set_ids(addresses.size());
    const nb::gil_scoped_release released;
    self.tree().find_v4({addresses.data(), addresses.size()}, {found.data(), found.size()});
    return found;
}

SetIds find_v6(const Registry& self, Input<std::uint8_t, nb::shape<-1, 16>> addresses) {
    SetIds found = new_set_ids(addresses.shape(0));
    const nb::gil_scoped_release released;
    self.tree().find_v6({addresses.data(), addresses.size()}, {found.data(), found.size()});
    return found;
}

using AddressMatch = std::pair<std::string, std::optional<std::uint32_t>>;
AddressMatch match_address(const Registry& self,
                           std::string_view address,
                           std::int64_t time_ns,
                           std::string_view protocol) {
    const registry::EntryMatch found =
        self.judge_address(self.tree().find(address_or_raise(address)), time_ns, protocol);
    return {to_string(found.match), entry_or_none(found.entry)};
}

using FlowMatch = std::tuple<std::string, std::optional<std::uint32_t>, std::string>;
FlowMatch match_flow(const Registry& self,
                     std::string_view src,
                     std::string_view dst,
                     std::int64_t time_ns,
                     std::string_view protocol) {
    const base::IpAddress source = address_or_raise(src);
    const base::IpAddress destination = address_or_raise(dst);
    registry::FlowMatch found;
    self.match({{&source, 1}, {&destination, 1}, {&time_ns, 1}, {&protocol, 1}}, {&found, 1});
    return {to_string(found.match), entry_or_none(found.entry), to_string(found.end)};
}

using Entry = std::tuple<std::string_view,
                         std::string_view,
                         std::string_view,
                         std::string,
                         std::vector<std::string_view>,
                         std::int64_t,
                         std::int64_t,
                         std::int64_t,
                         std::int64_t>;
Entry entry_of(const Registry& self, std::uint32_t index) {
    const std::uint32_t entry = checked_entry(self, index);
    const registry::EntryTable& table = self.table();
    std::vector<std::string_view> protocols;
    for (const std::uint32_t text : table.protocols(entry)) {
        protocols.push_back(table.texts[text]);
    }
    return {self.registration_id(entry),
            self.category(entry),
            to_string(table.status[entry]),
            self.matched_prefix(entry),
            std::move(protocols),
            table.valid_from[entry],
            table.valid_until[entry],
            table.submitted_at[entry],
            table.approved_at[entry]};
}

std::vector<std::string_view> scope_of(const Registry& self) {
    std::vector<std::string_view> prefixes;
    for (const std::uint32_t text : self.table().scope.span()) {
        prefixes.push_back(self.table().texts[text]);
    }
    return prefixes;
}

nb::bytes to_bytes(base::Bytes octets) {
    return nb::bytes(octets.data(), octets.size());
}

registry::Sha256 hash_or_raise(const nb::bytes& octets) {
    registry::Sha256 hash{};
    if (octets.size() != hash.size()) {
        throw nb::value_error("a SHA-256 has 32 octets");
    }
    std::copy_n(static_cast<const std::uint8_t*>(octets.data()), hash.size(), hash.begin());
    return hash;
}

using Sources = std::vector<std::pair<std::string, nb::bytes>>;
nb::bytes snapshot_of(const Registry& self,
                      std::int64_t built_at,
                      const nb::bytes& version,
                      const Sources& sources) {
    registry::SnapshotFacts facts{built_at, hash_or_raise(version), {}};
    for (const auto& [name, hash] : sources) {
        facts.sources.push_back({name, hash_or_raise(hash)});
    }
    return to_bytes(value_or_raise(registry::write_snapshot(self, facts)));
}

// A borrowed buffer that any thread may let go.
std::shared_ptr<const Borrowed> hold(nb::handle buffer) {
    return {std::make_unique<Borrowed>(buffer).release(), [](const Borrowed* held) {
                const nb::gil_scoped_acquire acquired;
                std::unique_ptr<const Borrowed>(held).reset();
            }};
}

using Opened = std::tuple<std::shared_ptr<Registry>, std::int64_t, nb::bytes, Sources>;
Opened open(nb::handle buffer) {
    const std::shared_ptr<const Borrowed> held = hold(buffer);
    auto opened = [&] {
        const nb::gil_scoped_release released;
        return registry::open_snapshot(held->bytes(), held);
    }();
    registry::Snapshot snapshot = value_or_raise(std::move(opened));
    Sources sources;
    for (const auto& source : snapshot.facts.sources) {
        sources.emplace_back(source.name, to_bytes(source.sha256));
    }
    return {std::make_shared<Registry>(std::move(snapshot.registry)),
            snapshot.facts.built_at,
            to_bytes(snapshot.facts.version),
            std::move(sources)};
}

std::optional<std::string> snapshot_defect(nb::handle buffer) {
    const Borrowed held(buffer);
    const std::optional<base::Error> defect = registry::snapshot_defect(held.bytes());
    return defect ? std::optional(defect->sentence) : std::nullopt;
}

}  // namespace

void bind_registry(nb::module_& module) {
    nb::class_<Registry>(
        module, "Registry", "Immutable registry of prefixes; see flowclass.registry.")
        .def_static(
            "build",
            [](Texts registration_id,
               Texts category,
               Texts status,
               Texts prefix,
               std::vector<Texts> protocols,
               Times valid_from,
               Times valid_until,
               Times submitted_at,
               Times approved_at,
               const Texts& scope) {
                return build({std::move(registration_id),
                              std::move(category),
                              std::move(status),
                              std::move(prefix),
                              std::move(protocols),
                              std::move(valid_from),
                              std::move(valid_until),
                              std::move(submitted_at),
                              std::move(approved_at)},
                             scope);
            },
            nb::kw_only(),
            nb::arg("registration_id"),
            nb::arg("category"),
            nb::arg("status"),
            nb::arg("prefix"),
            nb::arg("protocols"),
            nb::arg("valid_from"),
            nb::arg("valid_until"),
            nb::arg("submitted_at"),
            nb::arg("approved_at"),
            nb::arg("scope"),
            "Build from columns; times in ns UTC, the constants OPEN_START, OPEN_END, NOT_KNOWN "
            "for missing ones.")
        .def("__len__", &Registry::size)
        .def_prop_ro("memory_bytes", &Registry::memory_bytes)
        .def_prop_ro("set_count", [](const Registry& self) { return self.sets().size(); })
        .def_prop_ro("tree_bytes", [](const Registry& self) { return self.tree().memory_bytes(); })
        .def_prop_ro(
            "leaf_bytes",
            [](const Registry& self) { return self.tree().leaf_bytes(); },
            "Of tree_bytes, the answers in the nodes; goes through the tree.")
        .def("find_v4",
             &find_v4,
             nb::arg("addresses").noconvert(),
             "Covering-set ids of host-order IPv4 addresses.")
        .def("find_v6",
             &find_v6,
             nb::arg("addresses").noconvert(),
             "Covering-set ids of (n, 16) network-order octets.")
        .def(
            "entries",
            [](const Registry& self, std::uint32_t set) { return self.sets().entries(set); },
            nb::arg("set"),
            "Entry indexes of a covering set, longest prefix first.")
        .def(
            "covering",
            [](const Registry& self, std::string_view address) {
                return self.sets().entries(self.tree().find(address_or_raise(address)));
            },
            nb::arg("address"),
            "Entry indexes that cover an address, longest prefix first.")
        .def(
            "judge_entry",
            [](const Registry& self,
               std::uint32_t entry,
               std::int64_t time_ns,
               std::string_view protocol) {
                return to_string(self.judge_entry(checked_entry(self, entry), time_ns, protocol));
            },
            nb::arg("entry"),
            nb::arg("time_ns"),
            nb::arg("protocol"),
            "What one entry says by itself.")
        .def("match_address",
             &match_address,
             nb::arg("address"),
             nb::arg("time_ns"),
             nb::arg("protocol"),
             "The outcome for one address and the deciding entry.")
        .def("match_flow",
             &match_flow,
             nb::arg("src"),
             nb::arg("dst"),
             nb::arg("time_ns"),
             nb::arg("protocol"),
             "The outcome for two ends, the deciding entry, and src, dst, both or none.")
        .def(
            "in_scope",
            [](const Registry& self, std::string_view address) {
                return self.in_scope(address_or_raise(address));
            },
            nb::arg("address"))
        .def("entry",
             &entry_of,
             nb::arg("index"),
             "registration_id, category, status, prefix, protocols, valid_from, valid_until, "
             "submitted_at, approved_at.")
        .def_prop_ro("scope", &scope_of)
        .def("snapshot",
             &snapshot_of,
             nb::kw_only(),
             nb::arg("built_at"),
             nb::arg("version"),
             nb::arg("sources"),
             "The snapshot file without the SHA-256 of it that ends it; sources are (name, "
             "SHA-256).")
        .def_static("open",
                    &open,
                    nb::arg("buffer"),
                    "The registry that lies in a snapshot, time of building, version, sources. It "
                    "keeps the buffer.")
        .def_static("snapshot_defect",
                    &snapshot_defect,
                    nb::arg("buffer"),
                    "What the header and the length say against a snapshot.");
    module.attr("OPEN_START") = registry::kOpenStart;
    module.attr("OPEN_END") = registry::kOpenEnd;
    module.attr("NOT_KNOWN") = registry::kNotKnown;
}
