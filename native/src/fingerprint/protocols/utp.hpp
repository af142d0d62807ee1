// uTP, BitTorrent's transport over UDP (BEP 29).
//
//  0            1           2               4                8                 12
// | type | ver | extension | connection id | time stamp, us | difference, us  | window |
//  16              18
// | sequence      | acknowledged  | extensions: next, length, octets ... | data
//   type 0 DATA, 1 FIN, 2 STATE, 3 RESET, 4 SYN; version 1; extension 0 none, 1 selective ack, 2
//   bits
//
// The initiator's SYN has id X and so has everything the acceptor sends; the initiator then sends
// X + 1. Time stamps are clocks: they must go as the capture's does. An id of zero is not looked
// at: other protocols have zeros there (WireGuard's first words, Nebula's).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::utp {

inline constexpr Rule kHeader{"utp.header",
                              "type up to 4, version 1, an extension chain that fits, and no data "
                              "where the type has none; BEP 29"};
inline constexpr Rule kSyn{"utp.syn",
                           "a SYN acknowledges nothing and knows no difference; BEP 29, connection "
                           "setup"};
inline constexpr Rule kConnection{"utp.connection_id",
                                  "the other side's connection id, or one beside it; BEP 29, "
                                  "connection id"};
inline constexpr Rule kClock{"utp.clock",
                             "the direction's time stamp goes on as the capture's clock does; BEP "
                             "29, timestamp_microseconds"};
inline constexpr Rule kAcknowledged{"utp.acknowledged",
                                    "acknowledges the other side's last sequence number, or one "
                                    "just before; BEP 29, ack_nr"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6881, 51413};
inline constexpr std::array<std::string_view, 1> kVariants{"utp"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kHeader, &kSyn, &kConnection, &kClock, &kAcknowledged};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bittorrent",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "BitTorrent over uTP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "BEP 29"};
    // 'd' begins a message of the hash table, which shares the port.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x01, 0x11, 0x21, 0x31, 0x41, 'd'}),
        .least_length = 20};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Header, 2> last{};
        bool linked = false;
        std::size_t ticks = 0;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (at(payload.bytes, 0).u8() == 'd') {
                continue;
            }
            Header now;
            if (!read(payload, now)) {
                return {};
            }
            Header& before = last[index_of(payload.direction)];
            const Header& other = last[index_of(opposite(payload.direction))];
            if (before.there && !clock_goes_on(before, now)) {
                return {};
            }
            if (other.there && !beside(now.connection, other.connection)) {
                return {};
            }
            ticks += before.there ? 1U : 0U;
            // Heard from one side only, a clock that keeps the capture's time says as much.
            linked = linked || other.there || now.type == kSynType || ticks >= 3;
            add_checks(evidence, head, payload, now, before, other);
            before = now;
        }
        if (!linked) {
            return {};
        }
        evidence.set_variant("utp");
        return evidence;
    }

  private:
    struct Header {
        bool there = false;
        std::uint8_t type = 0;
        std::uint16_t connection = 0;
        std::uint16_t sequence = 0;
        std::uint16_t acknowledged = 0;
        std::uint32_t stamp = 0;
        std::uint32_t difference = 0;
        base::TimeNs time = 0;
    };
    static constexpr std::uint8_t kDataType = 0;
    static constexpr std::uint8_t kSynType = 4;

    static bool read(const Payload& payload, Header& out) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        const std::uint8_t extension = reader.u8();
        out.there = true;
        out.type = first >> 4U;
        out.connection = reader.be16();
        out.stamp = reader.be32();
        out.difference = reader.be32();
        reader.skip(4);
        out.sequence = reader.be16();
        out.acknowledged = reader.be16();
        out.time = payload.time;
        if (!reader.ok() || (first & 0x0fU) != 1 || out.type > kSynType || extension > 2 ||
            out.connection == 0 || out.stamp == 0) {
            return false;
        }
        return ends(payload, extension, out.type);
    }

    // The extensions fit, and only DATA has anything behind them.
    static bool ends(const Payload& payload, std::uint8_t extension, std::uint8_t type) noexcept {
        std::size_t end = 20;
        ByteReader reader = at(payload.bytes, end);
        for (int count = 0; extension != 0; ++count) {
            const std::uint8_t next = reader.u8();
            const std::uint8_t length = reader.u8();
            if (!reader.ok()) {
                return payload.length > payload.bytes.size();
            }
            reader.skip(length);
            end += 2U + length;
            if (next > 2 || count == 3) {
                return false;
            }
            extension = next;
        }
        return type == kDataType ? payload.length >= end : payload.length == end;
    }

    static bool beside(std::uint16_t left, std::uint16_t right) noexcept {
        const auto distance = static_cast<std::uint16_t>(left - right);
        return distance <= 1 || distance == UINT16_MAX;
    }

    static std::int64_t passed(const Header& before, const Header& now) noexcept {
        return (now.time - before.time) / 1000;
    }
    static constexpr std::int64_t tolerance(std::int64_t passed) noexcept {
        return 20'000 + passed / 8;
    }

    // Within 20 ms and an eighth of the time between the two; and a clock that stands is none.
    static bool clock_goes_on(const Header& before, const Header& now) noexcept {
        const std::int64_t time = passed(before, now);
        const auto ticks = static_cast<std::int32_t>(now.stamp - before.stamp);
        const std::int64_t off = ticks > time ? ticks - time : time - ticks;
        return off <= tolerance(time) && (ticks != 0 || time < 1000);
    }

    static void add_checks(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           const Header& now,
                           const Header& before,
                           const Header& other) noexcept {
        if (!before.there) {
            // 5 of 256 first octets, 3 of 256 extensions.
            evidence.add(kHeader, head, payload.entry, 0, 2, 12);
        } else {
            // Up to 65 ms of 2^32 us either way are three octets, anything longer two.
            const bool close = tolerance(passed(before, now)) < 0x7f80;
            evidence.add(kClock, head, payload.entry, 4, close ? 3 : 2, close ? 16 : 12);
        }
        if (now.type == kSynType && now.difference == 0 && now.acknowledged == 0) {
            // Six octets of zero at half their worth.
            evidence.add(kSyn, head, payload.entry, 8, 4, 16);
            evidence.add(kSyn, head, payload.entry, 18, 2, 8);
        }
        if (other.there) {
            // Three values of 2^16; said once for each packet, as a constant would pass again.
            evidence.add(kConnection, head, payload.entry, 2, 2, before.there ? 7 : 14);
            if (static_cast<std::uint16_t>(other.sequence - now.acknowledged) <= 8) {
                evidence.add(kAcknowledged, head, payload.entry, 18, 2, 12);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::utp
