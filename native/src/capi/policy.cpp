// The policy in its compiled form, and judgements in bulk. Takes: options as plain numbers. Gives:
// a policy, or a sentence that says which option is wrong. Policy files are read elsewhere.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "capi/border.hpp"
#include "capi/handles.hpp"
#include "registry/text_pool.hpp"

namespace {

using namespace flowclass;
using base::Error;
using capi::fail;
using capi::is_one_of;

constexpr std::size_t kAtOnce = 64;
// More than any list of prefixes that somebody keeps: a greater count is an uninitialised one.
constexpr std::size_t kMostExemptions = std::size_t{1} << 24U;

base::Result<policy::Phase> read_phase(const flowclass_phase& given) {
    if (given.name.data == nullptr || given.name.length > UINT16_MAX) {
        return Error{"A phase's name is NULL or longer than 65535 octets."};
    }
    const std::string name(given.name.data, given.name.length);
    if (!registry::is_utf8(name)) {
        return Error{"A phase's name is not UTF-8."};
    }
    if (!is_one_of<policy::Outcome>(given.outcome)) {
        return Error{"The outcome of phase '" + name + "' is none of FLOWCLASS_NOT_APPLICABLE ..."};
    }
    return policy::Phase{
        name, given.from, given.until, static_cast<policy::Outcome>(given.outcome)};
}

base::Result<policy::Exemption> read_exemption(const flowclass_exemption& given) {
    policy::Exemption exemption;
    exemption.until = given.until;
    exemption.prefix.length = given.prefix_length;
    if (!capi::read_address(given.prefix, exemption.prefix.address) ||
        !registry::is_valid(exemption.prefix)) {
        return Error{
            "An exemption is no prefix: version 4 or 6, a length it can have, no bit set behind."};
    }
    return exemption;
}

bool read_numbers(const flowclass_policy_options& given, policy::PolicyOptions& out) {
    out.classes.clear();
    for (std::uint32_t number = 0; number < 32; ++number) {
        if ((given.classes >> number & 1U) != 0) {
            if (!is_one_of<policy::ProtocolClass>(number)) {
                return false;
            }
            out.classes.push_back(static_cast<policy::ProtocolClass>(number));
        }
    }
    const std::array tiers{given.violation_tier, given.violation_trial_tier, given.review_tier};
    if (!std::all_of(tiers.begin(), tiers.end(), is_one_of<policy::Tier>) ||
        !is_one_of<policy::Outcome>(given.default_outcome) || given.pending_grace < 0 ||
        given.pending_grace > 1) {
        return false;
    }
    out.default_outcome = static_cast<policy::Outcome>(given.default_outcome);
    out.violation_tier = static_cast<policy::Tier>(given.violation_tier);
    out.violation_trial_tier = static_cast<policy::Tier>(given.violation_trial_tier);
    out.review_tier = static_cast<policy::Tier>(given.review_tier);
    out.pending_grace = given.pending_grace == 1;
    out.pending_window = given.pending_window_ns;
    return true;
}

// A list of structs into a vector of what they mean.
template <typename Given, typename Value>
flowclass_status read_list(std::span<const Given> given,
                           base::Result<Value> (*read)(const Given&),
                           std::vector<Value>& out,
                           flowclass_error* error) {
    for (const Given& row : given) {
        base::Result<Value> value = read(row);
        if (!value.ok()) {
            return fail(error, FLOWCLASS_INVALID_ARGUMENT, value.error());
        }
        out.push_back(std::move(value.value()));
    }
    return FLOWCLASS_OK;
}

flowclass_status read_options(const flowclass_policy_options* options,
                              policy::PolicyOptions& out,
                              flowclass_error* error) {
    flowclass_policy_options given{};
    if (const flowclass_status status = capi::read_struct(options, given); status != FLOWCLASS_OK) {
        return fail(error, status, "struct_size is wrong, or of a newer header than this library.");
    }
    if (!read_numbers(given, out)) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "A class, tier, outcome or switch is none.");
    }
    if ((given.phases == nullptr && given.phase_count > 0) ||
        given.phase_count > policy::kMaxPhases ||
        (given.exemptions == nullptr && given.exemption_count > 0) ||
        given.exemption_count > kMostExemptions) {
        return fail(error,
                    FLOWCLASS_INVALID_ARGUMENT,
                    "A list is NULL, or longer than 1000 phases or 2^24 exemptions.");
    }
    const flowclass_status status =
        read_list({given.phases, given.phase_count}, &read_phase, out.phases, error);
    return status != FLOWCLASS_OK ? status
                                  : read_list({given.exemptions, given.exemption_count},
                                              &read_exemption,
                                              out.exemptions,
                                              error);
}

flowclass_status judge_some(const policy::Policy& policy,
                            std::span<const flowclass_policy_query> queries,
                            std::span<flowclass_judgement> judgements) noexcept {
    std::array<policy::ProtocolClass, kAtOnce> protocol_class{};
    std::array<policy::Tier, kAtOnce> tier{};
    std::array<registry::FlowMatch, kAtOnce> match;
    std::array<base::TimeNs, kAtOnce> time{};
    std::array<base::IpAddress, kAtOnce> src;
    std::array<base::IpAddress, kAtOnce> dst;
    std::array<policy::Judgement, kAtOnce> out;
    const std::size_t count = queries.size();
    for (std::size_t row = 0; row < count; ++row) {
        const flowclass_policy_query& query = queries[row];
        if (!capi::read_address(query.src, src.at(row)) ||
            !capi::read_address(query.dst, dst.at(row)) ||
            !is_one_of<policy::ProtocolClass>(query.protocol_class) ||
            !is_one_of<policy::Tier>(query.tier) ||
            !is_one_of<registry::RegistryMatch>(query.answer.match) ||
            !is_one_of<registry::MatchedEnd>(query.answer.end)) {
            return FLOWCLASS_INVALID_ARGUMENT;
        }
        protocol_class.at(row) = static_cast<policy::ProtocolClass>(query.protocol_class);
        tier.at(row) = static_cast<policy::Tier>(query.tier);
        time.at(row) = query.time;
        match.at(row) = {query.answer.entry,
                         static_cast<registry::RegistryMatch>(query.answer.match),
                         static_cast<registry::MatchedEnd>(query.answer.end),
                         query.answer.submitted_at};
    }
    policy::judge({std::span(protocol_class).first(count),
                   std::span(tier).first(count),
                   std::span(match).first(count),
                   std::span(time).first(count),
                   std::span(src).first(count),
                   std::span(dst).first(count)},
                  policy,
                  std::span(out).first(count));
    for (std::size_t row = 0; row < count; ++row) {
        const policy::Judgement& judgement = out.at(row);
        judgements[row] = {static_cast<std::uint8_t>(judgement.outcome),
                           static_cast<std::uint8_t>(judgement.reason),
                           judgement.phase};
    }
    return FLOWCLASS_OK;
}

}  // namespace

flowclass_status flowclass_policy_options_init(flowclass_policy_options* options) {
    if (!capi::has_size(options)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    return capi::guarded([](flowclass_status status, const char*) { return status; },
                         [options] {
                             const policy::PolicyOptions usual;
                             flowclass_policy_options out{};
                             for (const policy::ProtocolClass each : usual.classes) {
                                 out.classes |= 1U << static_cast<unsigned>(each);
                             }
                             out.default_outcome = static_cast<int32_t>(usual.default_outcome);
                             out.violation_tier = static_cast<int32_t>(usual.violation_tier);
                             out.violation_trial_tier =
                                 static_cast<int32_t>(usual.violation_trial_tier);
                             out.review_tier = static_cast<int32_t>(usual.review_tier);
                             out.pending_grace = usual.pending_grace ? 1 : 0;
                             out.pending_window_ns = usual.pending_window;
                             capi::write_struct(out, options);
                             return flowclass_status{FLOWCLASS_OK};
                         });
}

flowclass_status flowclass_policy_open(const flowclass_policy_options* options,
                                       flowclass_policy** out,
                                       flowclass_error* error) {
    if (out == nullptr) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
    }
    *out = nullptr;
    return capi::guarded_open(error, [&] {
        policy::PolicyOptions read;
        if (options != nullptr) {
            if (const flowclass_status status = read_options(options, read, error);
                status != FLOWCLASS_OK) {
                return status;
            }
        }
        auto built = policy::Policy::build(std::move(read));
        if (!built.ok()) {
            return fail(error, FLOWCLASS_INVALID_ARGUMENT, built.error());
        }
        auto made = std::make_unique<flowclass_policy>();
        made->policy = std::make_shared<const policy::Policy>(std::move(built.value()));
        *out = made.release();
        return flowclass_status{FLOWCLASS_OK};
    });
}

void flowclass_policy_close(flowclass_policy* policy) {
    const std::unique_ptr<flowclass_policy> owner(policy);
}

flowclass_status flowclass_policy_judge(const flowclass_policy* policy,
                                        const flowclass_policy_query* queries,
                                        size_t count,
                                        flowclass_judgement* judgements) {
    if (policy == nullptr || (count > 0 && (queries == nullptr || judgements == nullptr))) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    const std::span all(queries, count);
    const std::span room(judgements, count);
    for (std::size_t done = 0; done < count; done += kAtOnce) {
        const std::size_t some = std::min(kAtOnce, count - done);
        const flowclass_status status =
            judge_some(*policy->policy, all.subspan(done, some), room.subspan(done, some));
        if (status != FLOWCLASS_OK) {
            return status;
        }
    }
    return FLOWCLASS_OK;
}

flowclass_text flowclass_policy_phase_name(const flowclass_policy* policy, uint16_t phase) {
    return policy == nullptr ? flowclass_text{} : capi::text_of(policy->policy->phase_name(phase));
}
