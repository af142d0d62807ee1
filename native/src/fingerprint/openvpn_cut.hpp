// Takes: the OpenVPN-shaped packets of a flow of which a snap length has left little more than the
// session id. Gives: the Evidence that they begin an OpenVPN session, which never confirms.
//
//  a reset's whole length  plain  tls-auth, HMAC H  tls-crypt  tls-crypt-v2
//  client                   14        22 + H           54      88 or more
//  server                   26        34 + H           66        66, 72
//
// What is left are lengths: a server's reset is the client's and twelve octets more, those that
// acknowledge it; in TCP each has a segment to itself. And session ids that return. Which wrapping
// it is cannot always be told; no variant is said.
// Source: openvpn-rfc openvpn-wire-protocol.xml §3; openvpn/src/openvpn/ssl_pkt.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/openvpn_packet.hpp"
#include "fingerprint/openvpn_rules.hpp"
#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::openvpn {

class CutHandshake {
  public:
    CutHandshake(const FlowHead& head, const Packets& packets) noexcept
        : head_(head), packets_(packets) {}

    bool judge() noexcept {
        if (packets_.items.size() < 2 || !is_client(packets_.items[0]) ||
            packets_.items[0].bytes.size() >= packets_.items[0].length) {
            return false;
        }
        for (std::size_t index = 0; index < packets_.items.size(); ++index) {
            if (!judge_one(packets_.items[index])) {
                return false;
            }
        }
        return answered_;
    }
    [[nodiscard]] const Evidence& evidence() const noexcept { return evidence_; }

  private:
    // TCP over IPv6 leaves ten octets: seven of the session id.
    static constexpr std::size_t kLeastId = 7;

    static bool is_random(Bytes id) noexcept {
        std::size_t regular = 0;
        for (std::size_t index = 1; index < id.size(); ++index) {
            const unsigned step = static_cast<std::uint8_t>(id[index] - id[index - 1]);
            regular += step <= 1 ? 1U : 0U;
        }
        return id.size() >= kLeastId && std::count(id.begin(), id.end(), 0) < 2 && regular < 2;
    }
    static bool is_client(const Packet& packet) noexcept {
        const std::uint8_t first = at(packet.bytes, 0).u8();
        if (first == client_reset_v3 << 3U) {
            return packet.length >= 88;
        }
        return first == client_reset << 3U &&
               std::any_of(kModes.begin(), kModes.end(), [&](const Mode& mode) {
                   return packet.length == reset_length(mode);
               });
    }
    static constexpr std::size_t reset_length(const Mode& mode) noexcept {
        return mode.wrapping == Wrapping::plain ? 14 : 22 + mode.hmac;
    }
    [[nodiscard]] bool is_answer(const Packet& packet) const noexcept {
        const Packet& asked = packets_.items[0];
        if (asked.opcode() == client_reset_v3) {
            return packet.length == 66 || packet.length == 72;
        }
        return packet.length == asked.length + 12;
    }

    bool judge_one(const Packet& packet) noexcept {
        const std::uint8_t opcode = packet.opcode();
        const bool by_client = packet.direction == packets_.items[0].direction;
        if (is_data(opcode)) {
            return answered_;
        }
        const Bytes id = part(packet.bytes, 1, 9);
        Side& own = sides_[by_client ? 0 : 1];
        if (own.id.empty()) {
            own = {id, opcode};
            return is_random(id) && (by_client ? judge_client(packet) : judge_server(packet));
        }
        const bool opens = by_client ? opcode == client_reset || opcode == client_reset_v3
                                     : opcode == server_reset;
        if ((is_reset(opcode) && !opens) || id.size() != own.id.size() ||
            !std::equal(id.begin(), id.end(), own.id.begin())) {
            return false;
        }
        // Seven octets of an id are never seen again: a stream ends where it is cut.
        if (opcode != own.opcode && id.size() == 8) {
            add(kSession, packet, 1, 8, own.returned ? 4 : 32);
            own.returned = true;
        }
        return true;
    }

    bool judge_client(const Packet& packet) noexcept {
        evidence_.set_initiator(packet.direction);
        // Of the lengths of version 3 half are permitted, else one of eight.
        add(kReset, packet, 0, 1, packet.opcode() == client_reset_v3 ? 8 : 12);
        return add_segment(packet);
    }
    bool judge_server(const Packet& packet) noexcept {
        if (at(packet.bytes, 0).u8() != server_reset << 3U || !is_answer(packet)) {
            return false;
        }
        answered_ = true;
        add(kReset, packet, 0, 1, 8);
        add(kResetPair, packet, 0, 0, 6);
        return add_segment(packet);
    }
    // TCP: the length in front leads to the segment's end. Other protocols have such a length too:
    // 10 of 16 bits.
    bool add_segment(const Packet& packet) noexcept {
        if (!packets_.in_stream) {
            return true;
        }
        if (packet.where != 2 ||
            !is_segment_end(head_, packet.direction, packet.where + packet.length)) {
            return false;
        }
        Packet length_field = packet;
        length_field.where = 0;
        add(kSegment, length_field, 0, 2, 10);
        return true;
    }

    // Ids that return and lengths that fit are no proof: the sum is capped.
    void add(const Rule& rule,
             const Packet& packet,
             std::size_t offset,
             std::size_t length,
             double bits) noexcept {
        constexpr double kMost = 60;
        const double left = kMost - double{evidence_.bits()};
        if (left >= 1) {
            add_check(evidence_,
                      head_,
                      packets_.in_stream,
                      rule,
                      packet,
                      offset,
                      length,
                      std::min(bits, left));
        }
    }

    struct Side {
        Bytes id;
        std::uint8_t opcode = 0;
        bool returned = false;
    };
    const FlowHead& head_;
    const Packets& packets_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    bool answered_ = false;
};

}  // namespace flowclass::fingerprint::openvpn
