// OpenVPN over TCP, any port: each packet stands behind its length, 16 bits that do not count
// themselves. The layouts stand in fingerprint/openvpn_packet.hpp, the rules in
// fingerprint/openvpn_session.hpp; here the stream is cut into packets, however it was segmented.
//
//  0 length, 2 opcode<<3 | key id, 3 session id or data, ...; 2 + length: the next packet
//
// Sources: openvpn-rfc openvpn-wire-protocol.xml §2; Xue et al., USENIX Security 2022 §6.3.2 (the
// largest frame of a default server, 1627).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>

#include "fingerprint/contract.hpp"
#include "fingerprint/openvpn_session.hpp"

namespace flowclass::fingerprint::openvpn_tcp {

using openvpn::Packet;
using openvpn::Packets;

inline constexpr Rule kFrame{
    "openvpn.frame",
    "the length in front of a packet leads to the length and opcode of the next; "
    "openvpn-wire-protocol §2"};

inline constexpr std::array<std::uint16_t, 2> kPorts{1194, 443};
inline constexpr std::array<std::string_view, 10> kVariants{"plain",
                                                            "tls-auth-md5",
                                                            "tls-auth-sha1",
                                                            "tls-auth-sha224",
                                                            "tls-auth-sha256",
                                                            "tls-auth-sha384",
                                                            "tls-auth-sha512",
                                                            "tls-crypt",
                                                            "tls-crypt-v2",
                                                            "data"};
inline constexpr std::array<const Rule*, 15> kRules{&kFrame,
                                                    &openvpn::kReset,
                                                    &openvpn::kResetBody,
                                                    &openvpn::kPacketId,
                                                    &openvpn::kNetTime,
                                                    &openvpn::kSameNetTime,
                                                    &openvpn::kSession,
                                                    &openvpn::kSessionEcho,
                                                    &openvpn::kAck,
                                                    &openvpn::kTls,
                                                    &openvpn::kWrappedKey,
                                                    &openvpn::kResetPair,
                                                    &openvpn::kSegment,
                                                    &openvpn::kDataRun,
                                                    &openvpn::kBlockRun};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "openvpn",
        .protocol_class = ProtocolClass::vpn,
        .title = "OpenVPN over TCP",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "openvpn-wire-protocol.xml, ssl_pkt.h; Xue et al. 2022"};
    // The high octet of a length up to 1627; opcodes 3 to 11 with a key id.
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::range(0, 6),
                                         .octets = {{{2, ByteSet::range(3 << 3, (11 << 3) + 7)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Packets packets;
        packets.in_stream = true;
        bool in_the_middle = false;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t before = packets.items.size();
            if (cut(head, direction, 0, packets)) {
                continue;
            }
            packets.items.shorten(before);
            // What lies before the next packet is ciphertext.
            if (head.from_stream_start[index_of(direction)] || is_plain(head.stream(direction))) {
                return {};
            }
            in_the_middle = true;
            find_frames(head, direction, packets);
        }
        put_in_order(packets);
        Evidence evidence = in_the_middle ? openvpn::judge_data(head, packets)
                                          : openvpn::judge_packets(head, packets);
        if (!evidence.empty() && evidence.variant() != "data") {
            add_frames(head, packets, evidence);
        }
        return evidence;
    }

  private:
    // A direction that was caught in the middle of a packet: its frames from the first segment that
    // begins one; or none of it, which says nothing.
    static void find_frames(const FlowHead& head, Direction direction, Packets& packets) noexcept {
        const std::size_t before = packets.items.size();
        const std::size_t kept = head.stream(direction).size();
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const head::HeadEntry& seen = head.entries[entry];
            if (seen.direction == direction && seen.start > 0 && seen.start < kept &&
                cut(head, direction, seen.start, packets) && packets.items.size() >= before + 2) {
                return;
            }
            packets.items.shorten(before);
        }
    }

    // Walks one direction's frames from a place on; false for what cannot be a chain of them.
    static bool cut(const FlowHead& head,
                    Direction direction,
                    std::size_t from,
                    Packets& packets) noexcept {
        constexpr std::uint16_t kLeast = 14;
        constexpr std::uint16_t kMost = 1627;
        const Bytes stream = head.stream(direction);
        ByteReader reader = at(stream, from);
        const std::size_t before = packets.items.size();
        const std::size_t room = before + Packets::kMost / 2;
        while (reader.remaining() >= 3 && packets.items.size() < room) {
            const std::uint16_t length = reader.be16();
            const std::size_t where = reader.position();
            const std::uint8_t opcode = reader.rest()[0] >> 3U;
            if (openvpn::is_data(opcode) && length > kMost && packets.items.size() > before) {
                break;  // a larger tunnel MTU; the handshake stands before it
            }
            if (length < kLeast || length > kMost || opcode < openvpn::soft_reset ||
                opcode > openvpn::control_wkc) {
                return false;
            }
            const Bytes bytes = reader.bytes(std::min<std::size_t>(length, reader.remaining()));
            const std::size_t entry = head.entry_at(direction, where);
            const base::TimeNs time =
                entry < kMaxEntries ? head.entries[entry].time : head.time_first;
            packets.add({bytes, length, time, where, entry, direction});
        }
        return true;
    }

    // As they arrived, so that the first links stand first among the checks.
    static void put_in_order(Packets& packets) noexcept {
        const auto arrival = [](const Packet& packet) {
            return std::tuple(packet.entry, index_of(packet.direction), packet.where);
        };
        const auto seen = packets.items.values();
        std::sort(seen.begin(), seen.end(), [&arrival](const Packet& one, const Packet& other) {
            return arrival(one) < arrival(other);
        });
    }

    // Each boundary that a length led to: the next length's range and a legal opcode, 6 bits, told
    // at most four times a direction.
    static void add_frames(const FlowHead& head,
                           const Packets& packets,
                           Evidence& evidence) noexcept {
        std::array<std::size_t, 2> told{};
        for (std::size_t index = 0; index < packets.items.size(); ++index) {
            const Packet& packet = packets.items[index];
            std::size_t& count = told[index_of(packet.direction)];
            if (packet.where > 2 && count < 4) {
                ++count;
                Packet length_field = packet;
                length_field.where = packet.where - 2;
                openvpn::add_check(evidence, head, true, kFrame, length_field, 0, 2, 6);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::openvpn_tcp
