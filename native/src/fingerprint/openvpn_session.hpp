// Takes: the OpenVPN-shaped packets of a flow. Gives: the Evidence that they are one OpenVPN
// session, under the control-channel wrapping that explains most of it. The UDP and the TCP matcher
// share it; they differ in how packets are framed.
//
// What carries the proof is linkage: random session ids that repeat and are echoed, packet ids that
// rise, the sender's clock in clear. Opcodes alone prove nothing.
// Sources: openvpn-rfc openvpn-wire-protocol.xml; openvpn/src/openvpn/ssl_pkt.h, packet_id.c.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fingerprint/contract.hpp"
#include "fingerprint/openvpn_blocks.hpp"
#include "fingerprint/openvpn_cut.hpp"
#include "fingerprint/openvpn_data.hpp"
#include "fingerprint/openvpn_packet.hpp"
#include "fingerprint/openvpn_rules.hpp"

namespace flowclass::fingerprint::openvpn {

// Whatever the wrapping, the session id stands at octet 1 of a control packet: which packets have
// one that can be. Where none has, none of the wrappings needs trying.
using SessionIds = std::bitset<Packets::kMost>;
inline SessionIds session_ids(std::span<const Packet> packets) noexcept {
    SessionIds ids;
    for (std::size_t index = 0; index < packets.size(); ++index) {
        ids[index] = !is_data(packets[index].opcode()) && is_session_id(packets[index].bytes, 1);
    }
    return ids;
}

class Session {
  public:
    Session(const FlowHead& head, const Packets& packets, SessionIds ids, const Mode& mode) noexcept
        : head_(head), packets_(packets), mode_(mode), ids_(ids) {}

    // Whether this wrapping explains the control packets.
    bool judge() noexcept {
        std::size_t fits = 0;
        std::size_t controls = 0;
        // Of the first packets nearly all must fit; one may be damaged.
        const auto is_hopeless = [&] { return (controls - fits) * 5 > packets_.items.size(); };
        for (std::size_t index = 0; index < packets_.items.size() && !is_hopeless(); ++index) {
            const Packet& packet = packets_.items[index];
            Control found;
            if (is_data(packet.opcode()) || !is_readable(packet, mode_)) {
                continue;
            }
            ++controls;
            if (ids_[index] && read_control(packet, mode_, found) && judge_one(packet, found)) {
                ++fits;
            }
        }
        evidence_.set_variant(has_wrapped_key_ ? "tls-crypt-v2" : mode_.variant);
        return anchored_ && (controls - fits) * 4 <= fits;
    }
    [[nodiscard]] const Evidence& evidence() const noexcept { return evidence_; }

  private:
    struct Side {
        std::uint64_t session = 0;
        std::uint64_t peer = 0;  // as this side named it
        std::uint32_t packet_id = 0;
        std::uint32_t net_time = 0;
        std::uint8_t opcode = 0;
        std::array<bool, 16> said{};  // rules that gave their full bits, by Once
    };
    enum Once : std::uint8_t {
        once_reset,
        once_first_id,
        once_next_id,
        once_near,
        once_same_time,
        once_token,
        once_session,
        once_echo,
        once_peer,
        once_ack,
        once_tls,
        once_count,
    };

    bool judge_one(const Packet& packet, const Control& found) noexcept {
        Side& own = sides_[index_of(packet.direction)];
        const std::uint8_t opcode = packet.opcode();
        if (is_reset(opcode) && (packet.key_id() != 0 || !is_its_role(packet))) {
            return false;
        }
        if (own.session != found.session) {
            // A client that starts again takes a new id, and only a reset starts.
            if (own.session != 0 && !is_reset(opcode)) {
                return false;
            }
            const auto said = own.said;
            own = {};
            own.said = said;
            own.session = found.session;
        } else {
            judge_session(packet, own);
        }
        if (is_reset(opcode)) {
            judge_reset(packet, found, own);
        }
        if (opcode == client_reset_v3 || opcode == control_wkc) {
            judge_wrapped_key(packet);
        }
        if (found.is_wrapped) {
            if (own.net_time != 0 && own.net_time != found.net_time && !is_restamped(own, found)) {
                return false;  // the stamp is of the session's start, in every packet
            }
            judge_wrapping(packet, found, own);
        }
        if (found.has_acks) {
            judge_acks(packet, found, own);
        }
        own.opcode = opcode;
        return true;
    }

    // A server answers resets without keeping anything (2.6 and later: ssl_pkt.c, the HMAC as
    // session id); its session, and that stamp, begin with the client's next message.
    static bool is_restamped(const Side& own, const Control& found) noexcept {
        constexpr std::uint32_t kLongestAnswer = 60;  // hand-window, seconds
        return own.opcode == server_reset && found.net_time - own.net_time <= kLongestAnswer;
    }

    // One side resets as the client and the other as the server, never both as one.
    bool is_its_role(const Packet& packet) noexcept {
        const bool as_server = packet.opcode() == server_reset;
        const bool forward = packet.direction == Direction::forward;
        const Role role = as_server == forward ? Role::reverse_client : Role::forward_client;
        if (role_ == Role::not_known) {
            role_ = role;
        }
        return role_ == role;
    }

    // The id returns: under another opcode it is a session's; under the same it may be any token.
    void judge_session(const Packet& packet, Side& own) noexcept {
        if (packet.opcode() != own.opcode) {
            add(kSession, packet, 1, 8, once(own, once_session) ? 32 : 4);
        } else {
            add(kSession, packet, 1, 8, once(own, once_token) ? 12 : 4);
        }
    }

    void judge_reset(const Packet& packet, const Control& found, Side& own) noexcept {
        const bool is_client = packet.opcode() != server_reset;
        if (is_client) {
            evidence_.set_initiator(packet.direction);
        } else {
            evidence_.set_initiator(opposite(packet.direction));
        }
        if (!once(own, once_reset)) {
            return;
        }
        // 0x40 is also QUIC's and TURN's; the length is one of eight.
        add(kReset, packet, 0, 1, is_client ? 12 : 8);
        if (!found.has_acks || found.message_id != 0) {
            return;
        }
        ByteReader acknowledged = at(packet.bytes, found.acks_at + 1);
        if (is_client && found.ack_count == 0 && found.has_message_id) {
            // The count and the message id: five zeros.
            add(kResetBody, packet, found.acks_at, 5, 22);
            anchored_ = true;
        } else if (!is_client && found.ack_count > 0 && acknowledged.be32() == 0 &&
                   acknowledged.ok()) {
            // An acknowledgement of message 0, and message id 0.
            add(kResetBody, packet, found.acks_at, 5, 14);
            if (found.has_message_id) {
                add(kResetBody, packet, found.payload_at - 4, 4, 8);
            }
            anchored_ = true;
        }
    }

    // read_control has found the trailer in its place, where it was captured.
    void judge_wrapped_key(const Packet& packet) noexcept {
        if (packet.bytes.size() < packet.length) {
            has_wrapped_key_ = true;  // only version 2 has these opcodes
            return;
        }
        if (packet.opcode() == client_reset_v3) {
            // The one length that ends where the reset does.
            add(kWrappedKey, packet, packet.length - 2, 2, has_wrapped_key_ ? 4 : 16);
        } else {
            // Any length that fits: its high octet.
            add(kWrappedKey, packet, packet.length - 2, 1, has_wrapped_key_ ? 4 : 6);
        }
        has_wrapped_key_ = true;
        anchored_ = true;
    }

    void judge_wrapping(const Packet& packet, const Control& found, Side& own) noexcept {
        const std::uint32_t before = own.packet_id;
        if (before == 0 && is_early_packet_id(found.packet_id)) {
            // 64 + 64 of 2^32 values; small integers are commoner.
            add(kPacketId, packet, found.wrap_at, 4, once(own, once_first_id) ? 18 : 4);
            anchored_ = anchored_ || is_reset(packet.opcode());
        } else if (before != 0 && found.packet_id > before && found.packet_id - before <= 8) {
            add(kPacketId, packet, found.wrap_at, 4, once(own, once_next_id) ? 14 : 4);
        }
        if (own.net_time == 0 && is_near(found.net_time, packet.time)) {
            // Two hours of 2^32 seconds.
            add(kNetTime, packet, found.wrap_at + 4, 3, once(own, once_near) ? 19 : 4);
            anchored_ = true;
        } else if (own.net_time != 0 && own.net_time == found.net_time) {
            add(kSameNetTime, packet, found.wrap_at + 4, 4, once(own, once_same_time) ? 12 : 4);
        }
        own.packet_id = found.packet_id;
        own.net_time = found.net_time;
    }

    void judge_acks(const Packet& packet, const Control& found, Side& own) noexcept {
        const Side& other = sides_[index_of(opposite(packet.direction))];
        if (found.has_peer && found.peer == other.session) {
            add(kSessionEcho, packet, found.peer_at, 8, once(own, once_echo) ? 64 : 4);
            anchored_ = true;
        } else if (found.has_peer && found.peer == own.peer) {
            // The other side was not seen; its id returns all the same.
            add(kSessionEcho, packet, found.peer_at, 8, once(own, once_peer) ? 24 : 4);
            anchored_ = true;
        }
        if (found.has_peer) {
            own.peer = found.peer;
        }
        if (packet.opcode() == ack) {
            add(kAck, packet, found.acks_at, 1, once(own, once_ack) ? 12 : 4);
            anchored_ = true;
        }
        if (packet.opcode() == control) {
            judge_tls(packet, found, own);
        }
    }

    void judge_tls(const Packet& packet, const Control& found, Side& own) noexcept {
        ByteReader reader = at(packet.bytes, found.payload_at);
        const std::uint8_t type = reader.u8();
        const std::uint8_t major = reader.u8();
        const std::uint8_t minor = reader.u8();
        const std::uint16_t length = reader.be16();
        if (reader.ok() && type >= 20 && type <= 23 && major == 3 && minor <= 4 && length > 0 &&
            length <= 0x4100) {
            // Four types, the major version, five minor ones, a quarter of the lengths.
            add(kTls, packet, found.payload_at, 4, once(own, once_tls) ? 21 : 4);
            anchored_ = true;
        }
    }

    static bool is_near(std::uint32_t stamp, base::TimeNs time) noexcept {
        const std::int64_t distance = std::int64_t{stamp} - time / base::kSecond;
        return distance >= -3600 && distance <= 3600;
    }

    static bool once(Side& own, Once rule) noexcept {
        const bool first = !own.said[rule];
        own.said[rule] = true;
        return first;
    }

    void add(const Rule& rule,
             const Packet& packet,
             std::size_t offset,
             std::size_t length,
             double bits) noexcept {
        add_check(evidence_, head_, packets_.in_stream, rule, packet, offset, length, bits);
    }

    const FlowHead& head_;
    const Packets& packets_;
    const Mode& mode_;
    SessionIds ids_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    enum class Role : std::uint8_t { not_known, forward_client, reverse_client };
    Role role_ = Role::not_known;
    bool anchored_ = false;  // something only OpenVPN has: never an opcode and a token alone
    bool has_wrapped_key_ = false;
};

// Data in the middle of a session, and nothing else.
inline Evidence judge_data(const FlowHead& head, const Packets& packets) noexcept {
    DataRun run(head, packets);
    if (run.judge()) {
        return run.evidence();
    }
    BlockRun blocks(head, packets);
    return blocks.judge() ? blocks.evidence() : Evidence{};
}

// Whether a wrapping is worth trying: one packet may fit it.
inline bool may_explain(std::span<const Packet> packets,
                        const SessionIds& ids,
                        const Mode& mode) noexcept {
    for (std::size_t index = 0; index < packets.size(); ++index) {
        if (ids[index] && may_be_control(packets[index], mode)) {
            return true;
        }
    }
    return false;
}

// The best explanation of the packets; no evidence where there is none.
inline Evidence judge_packets(const FlowHead& head, const Packets& packets) noexcept {
    const auto seen = packets.items.values();
    const bool has_control = std::any_of(
        seen.begin(), seen.end(), [](const Packet& packet) { return !is_data(packet.opcode()); });
    if (!has_control) {
        return judge_data(head, packets);
    }
    Evidence best;
    const SessionIds ids = session_ids(seen);
    for (const Mode& mode : kModes) {
        if (!may_explain(seen, ids, mode)) {
            continue;
        }
        Session session(head, packets, ids, mode);
        if (session.judge() && session.evidence().bits() > best.bits()) {
            best = session.evidence();
        }
    }
    if (best.empty()) {
        CutHandshake handshake(head, packets);
        return handshake.judge() ? handshake.evidence() : Evidence{};
    }
    return best;
}

}  // namespace flowclass::fingerprint::openvpn
