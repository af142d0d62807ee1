// Finished flows judged again: columns in, columns out. Checks types, releases the GIL, calls,
// wraps.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/finished_flows.hpp"
#include "python/numpy_array.hpp"

namespace nb = nanobind;

void bind_judge(nb::module_& module);

namespace {

using namespace flowclass;

template <typename T>
using Input = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename T>
Input<T> input(const nb::dict& given, const char* name) {
    return nb::cast<Input<T>>(given[name]);
}

template <typename T>
std::span<const T> span_of(const Input<T>& array) {
    return {array.data(), array.size()};
}

// The octets of a column of texts and where each begins; holds the arrays.
struct TextInput {
    TextInput(const nb::dict& given, const std::string& name)
        : ends(input<std::int32_t>(given, (name + "_ends").c_str())),
          octets(input<char>(given, (name + "_text").c_str())) {}

    [[nodiscard]] policy::Texts texts() const {
        return {span_of(ends), {octets.data(), octets.size()}};
    }

    Input<std::int32_t> ends;
    Input<char> octets;
};

nb::dict judge_finished(const registry::Registry& registry,
                        const policy::Policy* policy,
                        const nb::dict& columns,
                        const std::vector<std::string>& protocol_names) {
    const TextInput src(columns, "src_ip");
    const TextInput dst(columns, "dst_ip");
    const auto time = input<std::int64_t>(columns, "time");
    const auto protocol = input<std::int32_t>(columns, "protocol");
    const auto protocol_class = input<std::uint8_t>(columns, "protocol_class");
    const auto tier = input<std::uint8_t>(columns, "tier");
    const policy::FinishedFlows flows{src.texts(),
                                      dst.texts(),
                                      span_of(time),
                                      span_of(protocol),
                                      protocol_names,
                                      span_of(protocol_class),
                                      span_of(tier)};
    base::Result<policy::JudgedColumns> judged = [&] {
        const nb::gil_scoped_release released;
        return policy::judge_finished(flows, registry, policy);
    }();
    if (!judged.ok()) {
        throw nb::value_error(judged.error().c_str());
    }
    policy::JudgedColumns& made = judged.value();
    nb::dict out;
    out["entry"] = numpy_of(std::move(made.entry));
    out["match"] = numpy_of(std::move(made.match));
    out["end"] = numpy_of(std::move(made.end));
    if (policy != nullptr) {
        out["outcome"] = numpy_of(std::move(made.outcome));
        out["reason"] = numpy_of(std::move(made.reason));
        out["phase"] = numpy_of(std::move(made.phase));
    }
    return out;
}

// The registration id and the prefix of each of some entries.
nb::tuple entry_names(const registry::Registry& registry,
                      const std::vector<std::uint32_t>& entries) {
    std::vector<std::string> ids;
    std::vector<std::string> prefixes;
    for (const std::uint32_t entry : entries) {
        if (entry >= registry.size()) {
            throw nb::index_error("no such registry entry");
        }
        ids.emplace_back(registry.registration_id(entry));
        prefixes.push_back(registry.matched_prefix(entry));
    }
    return nb::make_tuple(std::move(ids), std::move(prefixes));
}

template <typename Enum>
std::vector<std::string> names_of() {
    std::vector<std::string> names;
    for (std::size_t value = 0; value < static_cast<std::size_t>(Enum::count_); ++value) {
        names.emplace_back(to_string(static_cast<Enum>(value)));
    }
    return names;
}

nb::dict judged_names(const policy::Policy* policy) {
    nb::dict out;
    out["protocol_class"] = names_of<policy::ProtocolClass>();
    out["tier"] = names_of<policy::Tier>();
    out["registry_match"] = names_of<registry::RegistryMatch>();
    out["matched_end"] = names_of<registry::MatchedEnd>();
    out["policy_outcome"] = names_of<policy::Outcome>();
    out["policy_reason"] = names_of<policy::Reason>();
    std::vector<std::string> phases;
    if (policy != nullptr) {
        for (const policy::Phase& phase : policy->options().phases) {
            phases.push_back(phase.name);
        }
    }
    out["policy_phase"] = phases;
    return out;
}

}  // namespace

void bind_judge(nb::module_& module) {
    module.def("judge_finished",
               &judge_finished,
               nb::arg("registry"),
               nb::arg("policy").none(),
               nb::arg("columns"),
               nb::arg("protocol_names"),
               "Judge finished flows. Columns src_ip_ends, src_ip_text, dst_ip_ends, dst_ip_text, "
               "time, protocol, protocol_class, tier in; entry, match, end, outcome, reason, phase "
               "out, as places in judged_names(); entry and phase are all ones where there is "
               "none.");
    module.def("entry_names",
               &entry_names,
               nb::arg("registry"),
               nb::arg("entries"),
               "Registration ids and prefixes of entries.");
    module.def("judged_names",
               &judged_names,
               nb::arg("policy").none(),
               "The closed lists behind the columns, and the phases of a policy in its order.");
}
