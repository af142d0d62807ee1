// judge() question by question, the choice of the phase, and what a policy refuses. The small world
// is compared whole with an independent reference in tests/properties/test_policy.py.
#include <string>
#include <vector>

#include "check.hpp"
#include "policy/policy.hpp"

namespace {

using flowclass::base::kSecond;
using flowclass::base::TimeNs;
using flowclass::policy::judge;
using flowclass::policy::Judgement;
using flowclass::policy::MatchFacts;
using flowclass::policy::Outcome;
using flowclass::policy::Phase;
using flowclass::policy::Policy;
using flowclass::policy::PolicyOptions;
using flowclass::policy::ProtocolClass;
using flowclass::policy::RegistryMatch;
using flowclass::policy::Tier;
using flowclass::registry::kNotKnown;
using flowclass::registry::kOpenEnd;

constexpr TimeNs kHour = 3600 * kSecond;

// The calendar of the design: grace from 0, a trial from 20 to 22, enforcement from 30 hours.
PolicyOptions calendar() {
    PolicyOptions options;
    options.phases = {{"grace", 0, kOpenEnd, Outcome::allow_grace},
                      {"trial", 20 * kHour, 22 * kHour, Outcome::violation_trial},
                      {"enforce", 30 * kHour, kOpenEnd, Outcome::violation}};
    options.pending_window = 10 * kHour;
    return options;
}

Policy policy_of(PolicyOptions options) {
    auto built = Policy::build(std::move(options));
    CHECK(built.ok());
    return std::move(built.value());
}

std::string seen(const Policy& policy,
                 TimeNs time,
                 RegistryMatch match,
                 Tier tier = Tier::confirmed,
                 TimeNs submitted = kNotKnown,
                 ProtocolClass protocol_class = ProtocolClass::vpn) {
    const Judgement judgement = judge(protocol_class, tier, {match, submitted}, time, policy);
    return std::string(to_string(judgement.outcome)) + " " + to_string(judgement.reason) + " " +
           std::string(policy.phase_name(judgement.phase));
}

}  // namespace

TEST(policy_follows_the_calendar) {
    const Policy policy = policy_of(calendar());
    const auto at = [&](TimeNs time) { return seen(policy, time, RegistryMatch::unregistered); };
    CHECK_EQ(at(-1), "allow_grace unregistered ");
    CHECK_EQ(at(0), "allow_grace unregistered grace");
    CHECK_EQ(at(20 * kHour - 1), "allow_grace unregistered grace");
    CHECK_EQ(at(20 * kHour), "violation_trial unregistered trial");
    CHECK_EQ(at(22 * kHour), "allow_grace unregistered grace");
    CHECK_EQ(at(30 * kHour), "violation unregistered enforce");
    CHECK_EQ(at(INT64_MAX), "violation unregistered enforce");
}

TEST(policy_overlapping_phases) {
    PolicyOptions options;
    options.phases = {{"early", 0, kOpenEnd, Outcome::violation},
                      {"late", 10, kOpenEnd, Outcome::review},
                      {"wide", 5, 50, Outcome::violation_trial},
                      {"narrow", 20, 30, Outcome::allow_grace},
                      {"short", 20, 25, Outcome::review}};
    const Policy policy = policy_of(options);
    const auto phase = [&](TimeNs time) {
        return std::string(policy.phase_name(policy.phase_at(time)));
    };
    CHECK_EQ(phase(-1), "");
    CHECK_EQ(phase(4), "early");
    CHECK_EQ(phase(12), "wide");
    CHECK_EQ(phase(20), "short");
    CHECK_EQ(phase(25), "narrow");
    CHECK_EQ(phase(30), "wide");
    CHECK_EQ(phase(50), "late");
}

TEST(policy_allows_what_is_registered) {
    const Policy policy = policy_of(calendar());
    for (const Tier tier : {Tier::possible, Tier::probable, Tier::confirmed}) {
        CHECK_EQ(seen(policy, 40 * kHour, RegistryMatch::registered, tier),
                 "allow registered enforce");
    }
}

TEST(policy_weak_evidence_is_never_a_violation) {
    const Policy policy = policy_of(calendar());
    const TimeNs enforced = 40 * kHour;
    CHECK_EQ(seen(policy, enforced, RegistryMatch::expired, Tier::confirmed),
             "violation expired enforce");
    CHECK_EQ(seen(policy, enforced, RegistryMatch::expired, Tier::probable),
             "review tier_below_threshold enforce");
    CHECK_EQ(seen(policy, enforced, RegistryMatch::expired, Tier::none),
             "not_applicable no_evidence enforce");
    PolicyOptions options = calendar();
    options.violation_tier = Tier::probable;
    options.review_tier = Tier::probable;
    const Policy other = policy_of(options);
    CHECK_EQ(seen(other, enforced, RegistryMatch::expired, Tier::probable),
             "violation expired enforce");
    CHECK_EQ(seen(other, enforced, RegistryMatch::expired, Tier::possible),
             "not_applicable tier_below_threshold enforce");
}

TEST(policy_pending_window) {
    const Policy policy = policy_of(calendar());
    const TimeNs submitted = 31 * kHour;
    const auto at = [&](TimeNs time, TimeNs since) {
        return seen(policy, time, RegistryMatch::pending, Tier::confirmed, since);
    };
    CHECK_EQ(at(submitted, submitted), "allow_grace pending_in_window enforce");
    CHECK_EQ(at(submitted + 10 * kHour - 1, submitted), "allow_grace pending_in_window enforce");
    CHECK_EQ(at(submitted + 10 * kHour, submitted), "violation pending_overdue enforce");
    CHECK_EQ(at(submitted - 1, submitted), "violation not_yet_valid enforce");
    CHECK_EQ(at(submitted, kNotKnown), "review pending_undated enforce");
    CHECK_EQ(at(1, kNotKnown), "allow_grace pending_undated grace");
    PolicyOptions options = calendar();
    options.pending_grace = false;
    CHECK_EQ(
        seen(policy_of(options), submitted, RegistryMatch::pending, Tier::confirmed, submitted),
        "violation pending_not_counted enforce");
}

TEST(policy_what_it_does_not_apply_to) {
    const Policy policy = policy_of(calendar());
    const TimeNs enforced = 40 * kHour;
    CHECK_EQ(seen(policy, enforced, RegistryMatch::out_of_scope),
             "not_applicable out_of_scope enforce");
    CHECK_EQ(seen(policy,
                  enforced,
                  RegistryMatch::unregistered,
                  Tier::confirmed,
                  kNotKnown,
                  ProtocolClass::app),
             "not_applicable class_not_counted enforce");
    PolicyOptions options = calendar();
    options.classes = {ProtocolClass::overlay};
    const Policy overlays = policy_of(options);
    CHECK(overlays.counts(ProtocolClass::overlay));
    CHECK(!overlays.counts(ProtocolClass::vpn));
}

TEST(policy_default_accuses_nobody) {
    const Policy policy;
    CHECK_EQ(seen(policy, 0, RegistryMatch::unregistered), "allow_grace unregistered ");
    CHECK(policy.counts(ProtocolClass::vpn));
    CHECK(!policy.counts(ProtocolClass::count_));
}

TEST(policy_build_refuses) {
    const auto refused = [](PolicyOptions options) {
        return !Policy::build(std::move(options)).ok();
    };
    CHECK(!refused({}));
    PolicyOptions options;
    options.default_outcome = Outcome::allow;
    CHECK(refused(options));
    options = {};
    options.violation_tier = Tier::none;
    CHECK(refused(options));
    options = {};
    options.pending_window = -1;
    CHECK(refused(options));
    options = {};
    options.classes = {ProtocolClass::unknown};
    CHECK(refused(options));
    const std::vector<std::vector<Phase>> wrong{
        {{"", 0, 1, Outcome::review}},
        {{"a", 1, 1, Outcome::review}},
        {{"a", 0, 1, Outcome::not_applicable}},
        {{"a", 0, 1, Outcome::review}, {"a", 1, 2, Outcome::review}},
        {{"a", 0, 1, Outcome::review}, {"b", 0, 1, Outcome::violation}}};
    for (const std::vector<Phase>& phases : wrong) {
        options = {};
        options.phases = phases;
        CHECK(refused(options));
    }
}

TEST(policy_bulk_equals_single) {
    const Policy policy = policy_of(calendar());
    const std::vector<ProtocolClass> classes{
        ProtocolClass::vpn, ProtocolClass::app, ProtocolClass::vpn};
    const std::vector<Tier> tiers{Tier::confirmed, Tier::confirmed, Tier::possible};
    const std::vector<TimeNs> times{40 * kHour, 40 * kHour, 21 * kHour};
    std::vector<flowclass::registry::FlowMatch> matches(3);
    matches[0].match = RegistryMatch::pending;
    matches[0].submitted_at = 39 * kHour;
    std::vector<Judgement> out(3);
    const std::vector<flowclass::base::IpAddress> ends(3);
    judge({classes, tiers, matches, times, ends, ends}, policy, out);
    CHECK(out[0].outcome == Outcome::allow_grace);
    CHECK(out[1].outcome == Outcome::not_applicable);
    CHECK(out[2].outcome == Outcome::review);
}

TEST(policy_exemptions) {
    using flowclass::base::IpAddress;
    using flowclass::policy::Exemption;
    const IpAddress network = IpAddress::v4(0xc0000200);
    const IpAddress inside = IpAddress::v4(0xc0000207);
    const IpAddress elsewhere = IpAddress::v4(0xc0000307);
    PolicyOptions options = calendar();
    // The narrow one is over first: it hides no wide one.
    options.exemptions = {Exemption{{network, 24}, 50 * kHour},
                          Exemption{{inside, 32}, 41 * kHour}};
    const Policy policy = policy_of(options);
    CHECK(policy.exemptions().holds(inside, 50 * kHour - 1));
    CHECK(!policy.exemptions().holds(inside, 50 * kHour));
    CHECK(!policy.exemptions().holds(elsewhere, 40 * kHour));
    CHECK(!Policy().exemptions().holds(inside, 0));

    // More than one batch of flows; every third has an exempt end, in turn the source's.
    constexpr std::size_t kFlows = 700;
    std::vector<IpAddress> src(kFlows, elsewhere);
    std::vector<IpAddress> dst(kFlows, elsewhere);
    for (std::size_t flow = 0; flow < kFlows; flow += 3) {
        (flow % 2 == 0 ? src : dst)[flow] = inside;
    }
    const std::vector<ProtocolClass> classes(kFlows, ProtocolClass::vpn);
    const std::vector<Tier> tiers(kFlows, Tier::confirmed);
    const std::vector<flowclass::registry::FlowMatch> matches(kFlows);
    std::vector<TimeNs> times(kFlows, 40 * kHour);
    times[300] = 50 * kHour;
    std::vector<Judgement> out(kFlows);
    judge({classes, tiers, matches, times, src, dst}, policy, out);
    for (std::size_t flow = 0; flow < kFlows; ++flow) {
        const bool exempt = flow % 3 == 0 && flow != 300;
        CHECK(out[flow].outcome == (exempt ? Outcome::allow : Outcome::violation));
        CHECK_EQ(std::string(to_string(out[flow].reason)), exempt ? "exempt" : "unregistered");
    }
    options.exemptions = {Exemption{{inside, 24}, kOpenEnd}};
    CHECK(!Policy::build(options).ok());
}

TEST(policy_names) {
    using namespace flowclass::policy;
    CHECK(read_outcome("violation_trial").ok());
    CHECK(!read_outcome("block").ok());
    CHECK(read_class("vpn").ok());
    CHECK(read_tier("probable").ok());
    CHECK(read_match("out_of_scope").ok());
    CHECK_EQ(read_tier("sure").error(),
             "'sure' is no tier (permitted: none, possible, probable, confirmed)");
}
