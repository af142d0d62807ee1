// Fingerprints of a caller: what they may claim, that they compete, and under which numbers.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "batch/dictionaries.hpp"
#include "check.hpp"
#include "fingerprint/user_matchers.hpp"

namespace {

using namespace flowclass::fingerprint;

// A UDP payload of 32 octets that nobody knows.
struct OnePayload {
    std::array<std::uint8_t, 32> octets;
    FlowHead head;

    OnePayload() {
        octets.fill(0xee);
        head.kept[0] = octets;
        head.ip_proto = kUdp;
        head.entry_count = 1;
        head.direction_count = {1, 0};
        head.entries[0] = {.length = 32, .packet = 1, .kept = 32};
    }
};

UserCheck said_check;
int said_held = 1;

int says(const UserHead* head, UserEvidence* out) {
    CHECK_EQ(head->entry_count, 1);
    CHECK_EQ(head->size_fwd, 32U);
    CHECK_EQ(head->octets_fwd[0], 0xee);
    CHECK_EQ(head->entries->length, 32U);
    out->checks[0] = said_check;
    out->count = 1;
    out->variant = 1;
    out->initiator = 2;
    return said_held;
}

UserMatcher given(std::string protocol, UserFunction function) {
    UserMatcher out;
    out.rules = {{protocol + ".first", "one"}, {protocol + ".second", "two"}};
    out.protocol = std::move(protocol);
    out.protocol_class = ProtocolClass::vpn;
    out.variants = {"form"};
    out.prefilter.ip_protos = {kUdp};
    out.function = function;
    return out;
}

// A match stays where it is; this one is made anew for each head.
const Match& matched(const UserMatchers& user, UserFaults& faults) {
    static Match out;
    OnePayload payload;
    match(payload.head, out);
    CHECK_EQ(out.matcher, kNoMatcher);
    user.match(payload.head, out, faults);
    return out;
}

}  // namespace

TEST(user_matcher_is_numbered_behind_the_builds) {
    const UserMatchers user({given("user.one", &says), given("user.two", &says)});
    const auto built = static_cast<std::uint16_t>(matchers().size());
    said_held = 1;
    said_check = {.bits = 40, .rule = 1, .entry = 0, .offset = 4, .length = 8};
    UserFaults faults;
    const Match& found = matched(user, faults);
    // Of two that say the same the first counts.
    CHECK_EQ(found.matcher, built);
    CHECK_EQ(found.tier, Tier::probable);
    CHECK_EQ(found.evidence.variant(), "form");
    CHECK_EQ(found.evidence.initiator(), Initiator::reverse);
    CHECK_EQ(found.alternative_count, 1U);
    CHECK_EQ(found.alternatives[0].matcher, built + 1);
    CHECK_EQ(info_of(found.matcher, &user).protocol, "user.one");
    CHECK_EQ(info_of(0, &user).protocol, matchers()[0].info->protocol);
    const auto names = flowclass::batch::protocol_names(&user);
    CHECK_EQ(names[flowclass::batch::protocol_index(found.matcher, &user)], "user.one");
    CHECK_EQ(names[flowclass::batch::protocol_index(kNoMatcher, &user)], "unknown");
    CHECK_EQ(names[flowclass::batch::protocol_index(0, &user)], matchers()[0].info->protocol);
    const auto rules = flowclass::batch::rule_names(&user);
    const Rule* const rule = found.evidence.checks()[0].rule;
    CHECK_EQ(rules[flowclass::batch::rule_index(rule, &user)], "user.one.second");
    const Rule* const first = matchers()[0].info->rules[0];
    CHECK_EQ(rules[flowclass::batch::rule_index(first, &user)], first->id);
}

TEST(user_matcher_that_fails_says_nothing) {
    const UserMatchers user({given("user.one", &says)});
    said_check = {.bits = 40, .rule = 0, .entry = 0, .offset = 4, .length = 8};
    for (const int held : {0, -1, 7}) {
        said_held = held;
        UserFaults faults;
        CHECK_EQ(matched(user, faults).matcher, kNoMatcher);
        CHECK_EQ(faults.failed[0], held == 0 ? 0U : 1U);
        CHECK_EQ(faults.refused[0], 0U);
    }
}

TEST(user_matcher_cannot_claim_what_no_check_holds) {
    const UserMatchers user({given("user.one", &says)});
    const UserCheck right{.bits = 64, .rule = 0, .entry = 0, .offset = 24, .length = 8};
    std::array<UserCheck, 7> wrong;
    wrong.fill(right);
    wrong[0].bits = 64.5;
    wrong[1].bits = 0;
    wrong[2].bits = std::numeric_limits<double>::quiet_NaN();
    wrong[3].rule = 2;
    wrong[4].entry = 1;
    wrong[5].offset = 25;
    wrong[6].length = 0;
    said_held = 1;
    said_check = right;
    UserFaults faults;
    CHECK_EQ(matched(user, faults).evidence.bits(), 64.0F);
    CHECK_EQ(faults.refused[0], 0U);
    for (std::size_t place = 0; place < wrong.size(); ++place) {
        said_check = wrong[place];
        CHECK_EQ(matched(user, faults).matcher, kNoMatcher);
        CHECK_EQ(faults.refused[0], place + 1);
    }
}

TEST(user_matcher_is_asked_of_what_its_prefilter_names) {
    UserMatcher matcher = given("user.one", &says);
    said_held = 1;
    said_check = {.bits = 40, .rule = 0, .entry = 0, .offset = 4, .length = 8};
    const auto asked = [&matcher] {
        UserFaults faults;
        return matched(UserMatchers({matcher}), faults).matcher != kNoMatcher;
    };
    CHECK(asked());
    matcher.prefilter.first_bytes = ByteSet::of({0xef});
    CHECK(!asked());
    matcher.prefilter.first_bytes = ByteSet::of({0xee});
    matcher.prefilter.most_length = 31;
    CHECK(!asked());
    matcher.prefilter.most_length = 32;
    matcher.prefilter.least_length = 33;
    CHECK(!asked());
    matcher.prefilter.least_length = 32;
    matcher.prefilter.ip_protos = {kTcp};
    CHECK(!asked());
    matcher.prefilter.ip_protos = {kUdp};
    CHECK(asked());
}

TEST(user_matchers_are_at_most_so_many) {
    const UserMatchers user(std::vector<UserMatcher>(kMaxUserMatchers + 1, given("user.x", &says)));
    CHECK_EQ(user.size(), kMaxUserMatchers);
}
