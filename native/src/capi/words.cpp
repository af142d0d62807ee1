// Versions, and the words behind the numbers of flowclass.h. The numbers are those of the core's
// own lists, which is held at compile time.
#include <array>
#include <cstddef>

#include "batch/schema.hpp"
#include "capi/border.hpp"
#include "capture/capture_report.hpp"
#include "policy/policy.hpp"

namespace {

using namespace flowclass;
using capi::is_one_of;

static_assert(FLOWCLASS_CLASS_VPN == static_cast<int>(policy::ProtocolClass::vpn));
static_assert(FLOWCLASS_CLASS_OVERLAY == static_cast<int>(policy::ProtocolClass::overlay));
static_assert(FLOWCLASS_CLASS_PROXY == static_cast<int>(policy::ProtocolClass::proxy));
static_assert(FLOWCLASS_CLASS_COVERT == static_cast<int>(policy::ProtocolClass::covert));
static_assert(FLOWCLASS_CLASS_APP + 1 == static_cast<int>(policy::ProtocolClass::count_));
static_assert(FLOWCLASS_TIER_POSSIBLE == static_cast<int>(policy::Tier::possible));
static_assert(FLOWCLASS_TIER_PROBABLE == static_cast<int>(policy::Tier::probable));
static_assert(FLOWCLASS_TIER_CONFIRMED + 1 == static_cast<int>(policy::Tier::count_));
static_assert(FLOWCLASS_PENDING == static_cast<int>(registry::RegistryMatch::pending));
static_assert(FLOWCLASS_PROTOCOL_NOT_PERMITTED ==
              static_cast<int>(registry::RegistryMatch::protocol_not_permitted));
static_assert(FLOWCLASS_NOT_YET == static_cast<int>(registry::RegistryMatch::not_yet));
static_assert(FLOWCLASS_EXPIRED == static_cast<int>(registry::RegistryMatch::expired));
static_assert(FLOWCLASS_INACTIVE == static_cast<int>(registry::RegistryMatch::inactive));
static_assert(FLOWCLASS_UNREGISTERED == static_cast<int>(registry::RegistryMatch::unregistered));
static_assert(FLOWCLASS_OUT_OF_SCOPE + 1 == static_cast<int>(registry::RegistryMatch::count_));
static_assert(FLOWCLASS_END_SRC == static_cast<int>(registry::MatchedEnd::src));
static_assert(FLOWCLASS_END_DST == static_cast<int>(registry::MatchedEnd::dst));
static_assert(FLOWCLASS_END_BOTH + 1 == static_cast<int>(registry::MatchedEnd::count_));
static_assert(FLOWCLASS_ALLOW == static_cast<int>(policy::Outcome::allow));
static_assert(FLOWCLASS_ALLOW_GRACE == static_cast<int>(policy::Outcome::allow_grace));
static_assert(FLOWCLASS_REVIEW == static_cast<int>(policy::Outcome::review));
static_assert(FLOWCLASS_VIOLATION_TRIAL == static_cast<int>(policy::Outcome::violation_trial));
static_assert(FLOWCLASS_VIOLATION + 1 == static_cast<int>(policy::Outcome::count_));
static_assert(FLOWCLASS_REVERSE == static_cast<int>(packet::Direction::reverse));
static_assert(FLOWCLASS_SOURCE_EMPTY == static_cast<int>(capture::Problem::empty));
static_assert(FLOWCLASS_SOURCE_NOT_A_CAPTURE == static_cast<int>(capture::Problem::not_a_capture));
static_assert(FLOWCLASS_SOURCE_UNSUPPORTED_FORMAT ==
              static_cast<int>(capture::Problem::unsupported_format));
static_assert(FLOWCLASS_SOURCE_CUT == static_cast<int>(capture::Problem::cut));
static_assert(FLOWCLASS_SOURCE_GARBLED + 1 == static_cast<int>(capture::Problem::count_));
static_assert(FLOWCLASS_NO_ENTRY == registry::kNoEntry);
static_assert(FLOWCLASS_NO_PHASE == policy::kNoPhase);
static_assert(FLOWCLASS_OPEN_START == registry::kOpenStart);
static_assert(FLOWCLASS_OPEN_END == registry::kOpenEnd);
static_assert(FLOWCLASS_NOT_KNOWN == registry::kNotKnown);

template <typename Enum>
const char* name_of(std::int32_t number) noexcept {
    return is_one_of<Enum>(number) ? to_string(static_cast<Enum>(number)) : nullptr;
}

constexpr std::array kSentences = {
    "All is well.",
    "An argument is not permitted: NULL, a wrong size, or a value outside its range.",
    "There is not enough memory.",
    "The function cannot be called now.",
    "The octets are not what they should be.",
    "The file cannot be opened.",
    "This library cannot do that: it is older than the header, or lacks a part.",
    "The room given is too small.",
    "An earlier failure left this engine unusable: close it.",
    "The library failed within itself.",
};
static_assert(kSentences.size() == FLOWCLASS_INTERNAL + 1);

}  // namespace

uint32_t flowclass_abi_version(void) {
    return FLOWCLASS_ABI_VERSION;
}

const char* flowclass_version(void) {
    return FLOWCLASS_VERSION;
}

const char* flowclass_schema_version(void) {
    return batch::kSchemaVersion.data();
}

const char* flowclass_status_text(flowclass_status status) {
    const auto index = static_cast<std::size_t>(status);
    return status >= 0 && index < kSentences.size() ? kSentences.at(index)
                                                    : "There is no such status.";
}

const char* flowclass_class_name(int32_t protocol_class) {
    return name_of<policy::ProtocolClass>(protocol_class);
}

const char* flowclass_tier_name(int32_t tier) {
    return name_of<policy::Tier>(tier);
}

const char* flowclass_registry_match_name(int32_t match) {
    return name_of<registry::RegistryMatch>(match);
}

const char* flowclass_end_name(int32_t end) {
    return name_of<registry::MatchedEnd>(end);
}

const char* flowclass_outcome_name(int32_t outcome) {
    return name_of<policy::Outcome>(outcome);
}

const char* flowclass_reason_name(int32_t reason) {
    return name_of<policy::Reason>(reason);
}
