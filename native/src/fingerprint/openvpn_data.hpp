// Takes: the OpenVPN data packets of a flow seen in the middle of a session. Gives: Evidence that
// they are, which never confirms.
//
//  DATA_V2  0 opcode 9 | key id, 1 peer id 3, 4 packet id 4, 8 tag and ciphertext
//  DATA_V1  0 opcode 6 | key id, 1 packet id 4, 5 tag and ciphertext
//
// Source: openvpn-rfc openvpn-wire-protocol.xml §4; openvpn/src/openvpn/crypto.c (AEAD).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/openvpn_packet.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::openvpn {

inline constexpr Rule kDataRun{
    "openvpn.data_run",
    "data packets with one opcode and peer id, a packet id that rises by little, sealed behind it; "
    "openvpn-wire-protocol §4"};

// Data packets in the middle of a session. Version 2 names a peer, 24 bits: small, or all ones.
// Statistics of counters cannot confirm: the sum is capped.
class DataRun {
  public:
    DataRun(const FlowHead& head, const Packets& packets) noexcept
        : head_(head), packets_(packets) {}

    bool judge() noexcept {
        const std::uint8_t opcode = packets_.items.size() == 0 ? 0 : packets_.items[0].opcode();
        for (std::size_t index = 0; index < packets_.items.size(); ++index) {
            if (packets_.items[index].opcode() != opcode || !judge_one(packets_.items[index])) {
                return false;
            }
        }
        // Version 1 begins like BER and ASCII: it takes a longer run and proves less.
        const std::size_t least = opcode == data_v1 ? 5 : 3;
        evidence_.set_variant("data");
        return is_data(opcode) && std::max(runs_[0], runs_[1]) >= least && !all_channel_data_;
    }
    [[nodiscard]] const Evidence& evidence() const noexcept { return evidence_; }

  private:
    bool judge_one(const Packet& packet) noexcept {
        const bool version_2 = packet.opcode() == data_v2;
        const std::size_t id_at = version_2 ? 4 : 1;
        ByteReader reader(packet.bytes);
        const std::uint32_t prefix = version_2 ? reader.be32() : reader.u8();
        const std::uint32_t number = reader.be32();
        const std::uint32_t behind = reader.be32();
        // Shortest: the keepalive's 16 octets and a tag of 16.
        if (!reader.ok() || packet.length < id_at + 20 ||
            is_plain(part(packet.bytes, id_at + 8, packet.length))) {
            return false;
        }
        const std::uint32_t peer = prefix & 0x00ff'ffff;
        if (version_2 && peer > 0xffff && peer != 0x00ff'ffff) {
            return false;
        }
        // TURN ChannelData (RFC 8656 §12.4) has its length at octet 2.
        all_channel_data_ = all_channel_data_ && version_2 &&
                            (prefix & 0xffff) + 4 <= packet.length &&
                            (prefix & 0xffff) + 7 >= packet.length;
        const std::size_t direction = index_of(packet.direction);
        Last& last = last_[direction];
        if (runs_[direction] == 0) {
            add(packet, id_at, version_2 ? 8 : 4);
        } else {
            // Epoch keys put 16 bits of epoch and 48 of counter where the packet id was.
            const std::uint32_t step =
                number == last.number && version_2 ? behind - last.behind : number - last.number;
            if (prefix != last.prefix || step == 0 || step > 16) {
                return false;
            }
            add(packet, id_at, version_2 ? 6 : 4);
        }
        ++runs_[direction];
        last = {prefix, number, behind};
        return true;
    }

    void add(const Packet& packet, std::size_t id_at, double bits) noexcept {
        const double most = packet.opcode() == data_v1 ? 24 : 60;
        const double left = most - double{evidence_.bits()};
        if (left >= 1) {
            add_check(evidence_,
                      head_,
                      packets_.in_stream,
                      kDataRun,
                      packet,
                      0,
                      id_at + 4,
                      std::min(bits, left));
        }
    }

    struct Last {
        std::uint32_t prefix = 0;
        std::uint32_t number = 0;
        std::uint32_t behind = 0;
    };
    const FlowHead& head_;
    const Packets& packets_;
    Evidence evidence_;
    std::array<Last, 2> last_{};
    std::array<std::size_t, 2> runs_{};
    bool all_channel_data_ = true;
};

}  // namespace flowclass::fingerprint::openvpn
