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

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "registry/registry.hpp"

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
        .def("find_v4",
             &find_v4,
             nb::arg("addresses"),
             "Covering-set ids of host-order IPv4 addresses.")
        .def("find_v6",
             &find_v6,
             nb::arg("addresses"),
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
            nb::arg("address"));
    module.attr("OPEN_START") = registry::kOpenStart;
    module.attr("OPEN_END") = registry::kOpenEnd;
    module.attr("NOT_KNOWN") = registry::kNotKnown;
}
