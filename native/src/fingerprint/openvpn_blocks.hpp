// Takes: the packets of a flow that was caught in the middle. Gives: the Evidence that they are
// OpenVPN data packets whose packet ids are encrypted (CBC), which never confirms.
//
//  TCP       length 2 | opcode 6, key id | HMAC H | IV and ciphertext, blocks of 8 or 16
//  TCP, UDP  (length 2) | opcode 9, key id | peer id 3 | HMAC H | IV and ciphertext, the same
//  H: none, 16, 20, 28, 32, 48, 64: a multiple of eight, or four more
//
// What is left: in TCP each length leads to the same opcode again or to its segment's end; all
// lengths leave the same remainder; behind opcode and peer id nothing repeats or counts. A datagram
// of version 1 has nothing but its first octet.
// Source: openvpn-rfc openvpn-wire-protocol.xml §2, §4; openvpn/src/openvpn/crypto.c (CBC).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/few.hpp"
#include "fingerprint/openvpn_packet.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::openvpn {

inline constexpr Rule kBlockRun{
    "openvpn.block_run",
    "data packets of one opcode (and peer id), each a number of cipher blocks behind its HMAC, and "
    "in TCP as long as the length in front says; openvpn-wire-protocol §2, §4"};

class BlockRun {
  public:
    BlockRun(const FlowHead& head, const Packets& packets) noexcept
        : head_(head), packets_(packets) {}

    bool judge() noexcept {
        // From its start on a connection has a handshake. Version 1 over UDP has an octet alone.
        if (packets_.items.size() == 0 ||
            (packets_.in_stream ? head_.from_stream_start[0] || head_.from_stream_start[1]
                                : packets_.items[0].opcode() != data_v2)) {
            return false;
        }
        first_ = &packets_.items[0];
        for (std::size_t index = 0; index < packets_.items.size(); ++index) {
            if (!judge_one(packets_.items[index])) {
                return false;
            }
        }
        evidence_.set_variant("data");
        return packets_.items.size() >= (packets_.in_stream ? kLeast : kLeastDatagrams) &&
               lengths_.size() >= (packets_.in_stream ? 2 : 3) &&
               (ends_ >= 2 || !packets_.in_stream);
    }
    [[nodiscard]] const Evidence& evidence() const noexcept { return evidence_; }

  private:
    static constexpr std::size_t kLeast = 5;
    static constexpr std::size_t kLeastDatagrams = 8;
    static constexpr std::uint32_t kBlock = 8;

    bool judge_one(const Packet& packet) noexcept {
        const bool version_2 = packet.opcode() == data_v2;
        const std::uint32_t head = version_2 ? 4 : 1;
        ByteReader reader(packet.bytes);
        const std::uint32_t prefix = version_2 ? reader.be32() : reader.u8();
        const std::uint32_t behind = reader.be32();
        const std::uint32_t peer = prefix & 0x00ff'ffff;
        if (!reader.ok()) {
            return true;  // cut by the prefix of the stream
        }
        // Shortest: an IV and a block; a peer id is small, or all ones.
        if (!is_data(packet.opcode()) || at(packet.bytes, 0).u8() != at(first_->bytes, 0).u8() ||
            packet.length < head + 2 * kBlock || (packet.length - head) % (kBlock / 2) != 0 ||
            packet.length % kBlock != first_->length % kBlock ||
            (version_2 && peer > 0xffff && peer != 0x00ff'ffff) ||
            is_plain(part(packet.bytes, head, packet.length))) {
            return false;
        }
        Last& last = last_[index_of(packet.direction)];
        // Where ciphertext or an HMAC begins, two in 65,536 are that near.
        if (last.seen && (prefix != last.prefix || behind - last.behind + 0x8000U <= 0x1'0000U)) {
            return false;
        }
        last = {prefix, behind, true};
        note_length(packet.length);
        const bool ends = packets_.in_stream &&
                          is_segment_end(head_, packet.direction, packet.where + packet.length);
        ends_ += ends ? 1 : 0;
        // The opcode again, at half, a remainder of eight; a length in front that fits is not rare.
        add(packet, ends ? 8 : packets_.in_stream ? 6 : 5);
        return true;
    }

    void note_length(std::uint32_t length) noexcept {
        for (std::size_t index = 0; index < lengths_.size(); ++index) {
            if (lengths_[index] == length) {
                return;
            }
        }
        lengths_.add(length);
    }

    // Lengths that fit are no proof: the sum is capped.
    void add(const Packet& packet, double bits) noexcept {
        constexpr double kMost = 40;
        const double left = kMost - double{evidence_.bits()};
        if (left >= 1) {
            Packet begin = packet;
            begin.where -= packets_.in_stream ? 2 : 0;
            add_check(evidence_,
                      head_,
                      packets_.in_stream,
                      kBlockRun,
                      begin,
                      0,
                      packets_.in_stream ? 3 : 4,
                      std::min(bits, left));
        }
    }

    struct Last {
        std::uint32_t prefix = 0;
        std::uint32_t behind = 0;
        bool seen = false;
    };
    const FlowHead& head_;
    const Packets& packets_;
    const Packet* first_ = nullptr;
    Evidence evidence_;
    std::array<Last, 2> last_{};
    std::size_t ends_ = 0;
    Few<std::uint32_t, 3> lengths_;  // that differ; a damaged packet has one of its own
};

}  // namespace flowclass::fingerprint::openvpn
