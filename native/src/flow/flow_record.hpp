// What is known of a flow besides its key and its sums: times, roles, TCP's state, where it came
// from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "flow/flow_key.hpp"
#include "packet/direction.hpp"

namespace flowclass::flow {

enum class EndReason : std::uint8_t { idle, active, fin, rst, evicted, eof, forced, count_ };
enum class DirectionBasis : std::uint8_t { syn, handshake, first_packet, count_ };
const char* to_string(EndReason reason) noexcept;
const char* to_string(DirectionBasis basis) noexcept;

// A flow's name: 96 bits of SipHash-2-4 with fixed keys over the key and the first packet's time,
// so it is the same in every run, whatever seed the table has.
struct FlowId {
    std::uint64_t high = 0;
    std::uint32_t low = 0;

    friend bool operator==(const FlowId&, const FlowId&) noexcept = default;
    friend auto operator<=>(const FlowId&, const FlowId&) noexcept = default;
    [[nodiscard]] bool none() const noexcept { return high == 0 && low == 0; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(high, low);
    }
};
// `parent` takes the place of the key's tunnel hash, which differs from run to run.
FlowId make_flow_id(const FlowKey& key, FlowId parent, base::TimeNs first) noexcept;
inline constexpr std::size_t kFlowIdText = 24;
std::array<char, kFlowIdText> to_text(FlowId id) noexcept;
std::optional<FlowId> parse_flow_id(std::string_view text) noexcept;  // what to_text wrote

struct TcpState {
    std::array<std::uint16_t, 2> flags{};  // OR of the control bits by direction
    std::array<bool, 2> syn{};             // a SYN or SYN-ACK was seen in this direction
    bool closed = false;                   // FIN both ways, or RST
    bool reset = false;                    // ... by RST

    template <typename Archive>
    void keep(Archive& archive) {
        archive(flags, syn, closed, reset);
    }
};

// What every packet reads or writes stands in front, in one cache line.
struct FlowRecord {
    base::TimeNs first = 0;    // least packet time
    base::TimeNs last = 0;     // greatest packet time
    base::TimeNs touched = 0;  // clock at the last packet
    base::TimeNs begun =
        0;  // clock when this segment began: timeouts count on the clock, which never goes back
    std::uint64_t packet_last = 0;
    base::TimeNs closed = 0;  // clock when TCP closed
    TcpState tcp;
    bool forward_is_a = true;  // direction forward (of the first packet) goes from key.a to key.b
    bool from_syn = false;     // the first packet was a SYN or SYN-ACK, so who began is known
    bool initiator_forward = true;
    std::uint32_t segment = 0;  // 0, 1, ... when the active timeout cuts

    base::TimeNs named = 0;  // time of the first packet that came: part of the flow id
    std::uint64_t packet_first = 0;
    FlowId parent;
    std::uint32_t source = 0;  // index of the input that the first packet came from
    std::uint32_t encaps =
        UINT32_MAX;  // what stood in front of the first packet, in the engine's pool
    std::array<std::uint32_t, 2> next_seq{};  // TCP: SYN's sequence number + 1

    // All but `encaps`, which is a place in the engine's pool.
    template <typename Archive>
    void keep(Archive& archive) {
        archive(first, last, touched, begun, packet_last, closed, tcp);
        archive(forward_is_a, from_syn, initiator_forward, segment);
        archive(named, packet_first, parent, source, next_seq);
    }
};

// Zeek's conn_state letters from the control bits, as Zeek's documentation of conn.log defines
// them; null for anything but TCP.
enum class ConnState : std::uint8_t {
    S0,
    S1,
    SF,
    REJ,
    S2,
    S3,
    RSTO,
    RSTR,
    RSTOS0,
    RSTRH,
    SH,
    SHR,
    OTH,
    count_
};
const char* to_string(ConnState state) noexcept;
ConnState conn_state(std::uint16_t flags_fwd, std::uint16_t flags_rev) noexcept;

}  // namespace flowclass::flow
