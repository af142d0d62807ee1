// _core.Policy: the immutable native policy for Python. Checks types, calls, wraps.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "policy/policy.hpp"

namespace nb = nanobind;

void bind_policy(nb::module_& module);

namespace {

using namespace flowclass;
using policy::Policy;

template <typename T>
T value_or_raise(base::Result<T> result) {
    if (!result.ok()) {
        throw nb::value_error(result.error().c_str());
    }
    return std::move(result.value());
}

using PhaseTuple = std::tuple<std::string, std::int64_t, std::optional<std::int64_t>, std::string>;
policy::Phase phase_of(const PhaseTuple& tuple) {
    const auto& [name, from, until, outcome] = tuple;
    return {name,
            from,
            until.value_or(registry::kOpenEnd),
            value_or_raise(policy::read_outcome(outcome))};
}

using ExemptionPair = std::pair<std::string, std::optional<std::int64_t>>;
policy::Exemption exemption_of(const ExemptionPair& pair) {
    return {value_or_raise(registry::parse_prefix(pair.first)),
            pair.second.value_or(registry::kOpenEnd)};
}

std::shared_ptr<Policy> build(const std::vector<std::string>& classes,
                              std::string_view default_outcome,
                              const std::tuple<std::string, std::string, std::string>& tiers,
                              bool pending_grace,
                              std::int64_t pending_window_ns,
                              const std::vector<PhaseTuple>& phases,
                              const std::vector<ExemptionPair>& exemptions) {
    const auto& [violation, violation_trial, review] = tiers;
    policy::PolicyOptions options;
    options.classes.clear();
    std::transform(
        classes.begin(),
        classes.end(),
        std::back_inserter(options.classes),
        [](const std::string& name) { return value_or_raise(policy::read_class(name)); });
    options.default_outcome = value_or_raise(policy::read_outcome(default_outcome));
    options.violation_tier = value_or_raise(policy::read_tier(violation));
    options.violation_trial_tier = value_or_raise(policy::read_tier(violation_trial));
    options.review_tier = value_or_raise(policy::read_tier(review));
    options.pending_grace = pending_grace;
    options.pending_window = pending_window_ns;
    std::transform(phases.begin(), phases.end(), std::back_inserter(options.phases), phase_of);
    std::transform(
        exemptions.begin(), exemptions.end(), std::back_inserter(options.exemptions), exemption_of);
    return std::make_shared<Policy>(value_or_raise(Policy::build(std::move(options))));
}

std::optional<std::string> phase_or_none(const Policy& self, std::uint16_t phase) {
    return phase == policy::kNoPhase ? std::nullopt
                                     : std::optional(std::string(self.phase_name(phase)));
}

using JudgementTuple = std::tuple<std::string, std::optional<std::string>, std::string>;
JudgementTuple judge(const Policy& self,
                     std::string_view protocol_class,
                     std::string_view tier,
                     std::string_view match,
                     std::optional<std::int64_t> submitted_at,
                     std::int64_t time_ns,
                     bool exempt) {
    const policy::Judgement judgement =
        policy::judge(value_or_raise(policy::read_class(protocol_class)),
                      value_or_raise(policy::read_tier(tier)),
                      {value_or_raise(policy::read_match(match)),
                       submitted_at.value_or(registry::kNotKnown),
                       exempt},
                      time_ns,
                      self);
    return {to_string(judgement.outcome),
            phase_or_none(self, judgement.phase),
            to_string(judgement.reason)};
}

}  // namespace

void bind_policy(nb::module_& module) {
    nb::class_<Policy>(module, "Policy", "Immutable policy; see flowclass.policy.")
        .def_static("build",
                    &build,
                    nb::kw_only(),
                    nb::arg("classes"),
                    nb::arg("default_outcome"),
                    nb::arg("tiers"),
                    nb::arg("pending_grace"),
                    nb::arg("pending_window_ns"),
                    nb::arg("phases"),
                    nb::arg("exemptions"),
                    "Build from names; tiers for violation, violation_trial, review; phases as "
                    "(name, from, until, outcome); exemptions as (prefix, until).")
        .def("judge",
             &judge,
             nb::arg("protocol_class"),
             nb::arg("tier"),
             nb::arg("match"),
             nb::arg("submitted_at").none(),
             nb::arg("time_ns"),
             nb::arg("exempt") = false,
             "Outcome, phase and reason for one flow.")
        .def(
            "phase_at",
            [](const Policy& self, std::int64_t time_ns) {
                return phase_or_none(self, self.phase_at(time_ns));
            },
            nb::arg("time_ns"))
        .def(
            "counts",
            [](const Policy& self, std::string_view protocol_class) {
                return self.counts(value_or_raise(policy::read_class(protocol_class)));
            },
            nb::arg("protocol_class"));
    module.def("known_protocols",
               &policy::known_protocols,
               "Protocol ids that a registration can be limited to, sorted.");
}
