// Names, flow ids and connection states.
#include "flow/flow_record.hpp"

#include <charconv>
#include <memory>
#include <string_view>

#include "base/hash.hpp"

namespace flowclass::flow {

namespace {

// Control bits, RFC 9293 §3.1.
constexpr std::uint16_t kFin = 1;
constexpr std::uint16_t kSyn = 2;
constexpr std::uint16_t kRst = 4;
constexpr std::uint16_t kAck = 16;

// Fixed for good: changing them renames every flow.
constexpr base::HashKey kIdKeyHigh{0x666c6f77636c6173U, 0x7320666c6f772d31U};
constexpr base::HashKey kIdKeyLow{0x666c6f77636c6173U, 0x7320666c6f772d32U};

}  // namespace

// Two hashes in one pass: neither waits for the other.
FlowId make_flow_id(const FlowKey& key, FlowId parent, base::TimeNs first) noexcept {
    const std::array<std::uint64_t, 9> words{key.a_high,
                                             key.a_low,
                                             key.b_high,
                                             key.b_low,
                                             std::uint64_t{key.a_port} << 48U |
                                                 std::uint64_t{key.b_port} << 32U |
                                                 std::uint64_t{key.vlan} << 16U | key.inner_vlan,
                                             std::uint64_t{key.ip_proto} << 8U | key.version,
                                             parent.high,
                                             parent.low,
                                             static_cast<std::uint64_t>(first)};
    base::NameHash high(kIdKeyHigh);
    base::NameHash low(kIdKeyLow);
    for (const std::uint64_t word : words) {
        high.add(word);
        low.add(word);
    }
    return {high.finish(), static_cast<std::uint32_t>(low.finish())};
}

std::array<char, kFlowIdText> to_text(FlowId id) noexcept {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<char, kFlowIdText> text{};
    for (std::size_t index = 0; index < 16; ++index) {
        text[index] = kDigits[id.high >> (60U - 4U * index) & 15U];
    }
    for (std::size_t index = 0; index < 8; ++index) {
        text[16 + index] = kDigits[id.low >> (28U - 4U * index) & 15U];
    }
    return text;
}

std::optional<FlowId> parse_flow_id(std::string_view text) noexcept {
    constexpr int kHexadecimal = 16;
    constexpr std::size_t kHighText = 16;
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (text.size() != kFlowIdText || text.find_first_not_of(kDigits) != std::string_view::npos) {
        return std::nullopt;
    }
    FlowId id;
    const std::string_view high = text.substr(0, kHighText);
    const std::string_view low = text.substr(kHighText);
    std::from_chars(
        std::to_address(high.begin()), std::to_address(high.end()), id.high, kHexadecimal);
    std::from_chars(std::to_address(low.begin()), std::to_address(low.end()), id.low, kHexadecimal);
    return id;
}

const char* to_string(EndReason reason) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(EndReason::count_)> kNames{
        "idle", "active", "fin", "rst", "evicted", "eof", "forced"};
    return kNames[static_cast<std::size_t>(reason)];
}

const char* to_string(DirectionBasis basis) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(DirectionBasis::count_)> kNames{
        "syn", "handshake", "first_packet"};
    return kNames[static_cast<std::size_t>(basis)];
}

const char* to_string(ConnState state) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(ConnState::count_)> kNames{
        "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"};
    return kNames[static_cast<std::size_t>(state)];
}

ConnState conn_state(std::uint16_t flags_fwd, std::uint16_t flags_rev) noexcept {
    const bool syn = (flags_fwd & kSyn) != 0;
    const bool answered = (flags_rev & kSyn) != 0;
    const bool fin_fwd = (flags_fwd & kFin) != 0;
    const bool fin_rev = (flags_rev & kFin) != 0;
    const bool rst_fwd = (flags_fwd & kRst) != 0;
    const bool rst_rev = (flags_rev & kRst) != 0;
    if (!syn && answered) {
        return rst_rev ? ConnState::RSTRH : fin_rev ? ConnState::SHR : ConnState::OTH;
    }
    if (!syn) {
        return ConnState::OTH;
    }
    if (!answered) {
        if (rst_rev) {
            return ConnState::REJ;
        }
        if (rst_fwd) {
            return ConnState::RSTOS0;
        }
        if (fin_fwd) {
            return ConnState::SH;
        }
        return (flags_rev & kAck) != 0 ? ConnState::OTH : ConnState::S0;
    }
    if (rst_fwd) {
        return ConnState::RSTO;
    }
    if (rst_rev) {
        return ConnState::RSTR;
    }
    if (fin_fwd && fin_rev) {
        return ConnState::SF;
    }
    return fin_fwd ? ConnState::S2 : fin_rev ? ConnState::S3 : ConnState::S1;
}

}  // namespace flowclass::flow
