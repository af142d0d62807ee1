// Cloudflare WARP's WireGuard (UDP, ports 2408, 500, 1701, 4500 and others). Integers
// little-endian.
//
// with the client's id in WireGuard's reserved octets:
//  0    1           4                 as WireGuard: 148, 92, 64 octets, 32 and more
// | 1-4 | client id | index, ...      both sides send the same id, which is not zero
//
// newer form: types c1, c2, c4, longer handshakes
//  c1, 194 octets: 1 zeros, 4 sender index
//  c2, 92 and more: 1 client id, 4 sender index, 12 key, 44 sealed, 60 mac1, 76 sixteen zeros, ...
//  c4, 32 and more: 1 client id, 4 receiver index, 8 counter, 64 bits; 16 sealed, not padded
//
// In c2 the receiver index is not the sender index of c1, so only data is held against what the
// other side announced. c1 with four zeros behind it also reads as QUIC's version negotiation (RFC
// 8999 §6), and QUIC v1 has c1 to c4 too: 00 00 00 01 is never a WARP initiation here.
// Sources: WireGuard paper §5.4; boringtun noise/session.rs; client_id as in ViRb3/wgcf issues 158
// and 483; nDPI protocols/cloudflare_warp.c; bytes of a public capture of the newer form.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::cloudflare_warp {

inline constexpr Rule kInitiation{
    "wireguard.warp_initiation",
    "type 1 with a client id and 148 octets, or c1 with three zeros and 194; paper §5.4.2, nDPI "
    "cloudflare_warp.c"};
inline constexpr Rule kResponse{
    "wireguard.warp_response",
    "type 2 with a client id and 92 octets, or c2 and more; paper §5.4.3, nDPI cloudflare_warp.c"};
inline constexpr Rule kMac2{"wireguard.warp_mac2_zero",
                            "sixteen zeros where mac2 stands; paper §5.4.4"};
inline constexpr Rule kClient{"wireguard.warp_client",
                              "the three reserved octets are the other side's too; client_id"};
inline constexpr Rule kEcho{
    "wireguard.warp_index_echo",
    "the receiver index is the sender index that the other side announced; paper §5.4"};
inline constexpr Rule kType{"wireguard.warp_data", "type 4 or c4 with a client id; paper §5.4.6"};
inline constexpr Rule kHigh{"wireguard.warp_counter_high",
                            "the counter is below 2^24, sealed octets behind it; paper §5.4.6"};
inline constexpr Rule kRun{"wireguard.warp_data_run",
                           "the client id and receiver index of the packet before; paper §5.4.6"};
inline constexpr Rule kCounter{
    "wireguard.warp_counter",
    "the counter is at most 4096 higher than in the packet before: its high octets stay; paper "
    "§5.4.6"};

inline constexpr std::array<std::uint16_t, 4> kPorts{2408, 500, 1701, 4500};
inline constexpr std::array<std::string_view, 1> kVariants{"cloudflare-warp"};
inline constexpr std::array<const Rule*, 9> kRules{
    &kInitiation, &kResponse, &kMac2, &kClient, &kEcho, &kType, &kHigh, &kRun, &kCounter};

// One flow's messages, in order.
class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept : head_(head) {}

    Evidence run() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const Reading reading = read(payload);
            strange_ = strange_ || reading == Reading::contradicts;
            if (strange_ && !linked_) {
                return {};
            }
        }
        evidence_.set_variant(kVariants[0]);
        return evidence_;
    }

  private:
    static constexpr std::uint8_t kNewForm = 0xc0;
    static constexpr std::uint64_t kMostStep = 4096;
    static constexpr float kMostOneSided = 31;

    struct Message {
        std::uint8_t form = 0;  // 0 or kNewForm
        std::uint8_t type = 0;
        std::uint32_t client = 0;
        std::uint32_t index = 0;
    };
    struct Side {
        std::uint32_t client = 0;
        std::uint32_t announced = 0;
        std::uint32_t index = 0;  // of its data
        std::uint64_t counter = 0;
        bool has_data = false;
        bool echoed = false;
    };

    Side& side(Direction direction) noexcept { return sides_[index_of(direction)]; }

    Reading read(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        Message now{.form = static_cast<std::uint8_t>(first & kNewForm),
                    .type = static_cast<std::uint8_t>(first & 0x3fU)};
        now.client = reader.be24();
        now.index = reader.le32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool begins = now.form == kNewForm && now.type == 1;
        const bool is_known = now.form == 0 || now.form == kNewForm;
        if (!is_known || now.type < 1 || now.type > 4 || (form_ != kUnknown && form_ != now.form) ||
            (now.client == 0) != begins || (!begins && !is_same_client(payload, now))) {
            return Reading::contradicts;
        }
        form_ = now.form;
        const Reading reading = now.type == 1   ? read_initiation(payload, now)
                                : now.type == 2 ? read_response(payload, now)
                                : now.type == 3 ? read_cookie(payload, now)
                                                : read_data(payload, now);
        if (reading == Reading::fits && !begins) {
            hold_client(payload, now);
        }
        return reading;
    }

    // The client's id is one for the flow, whoever sends.
    bool is_same_client(const Payload& payload, const Message& now) noexcept {
        const std::uint32_t own = side(payload.direction).client;
        const std::uint32_t other = side(opposite(payload.direction)).client;
        return (own == 0 || own == now.client) && (other == 0 || other == now.client);
    }

    void hold_client(const Payload& payload, const Message& now) noexcept {
        Side& from = side(payload.direction);
        if (from.client == 0 && side(opposite(payload.direction)).client != 0) {
            // 24 bits at half their worth: a constant of the protocol would pass.
            evidence_.add(kClient, head_, payload.entry, 1, 3, 12);
        }
        from.client = now.client;
    }

    Reading read_initiation(const Payload& payload, const Message& now) noexcept {
        const bool is_new = now.form == kNewForm;
        const bool is_quic = is_new && now.index % 256 == 1;
        if (payload.length != (is_new ? 194U : 148U) || is_quic ||
            is_plain(part(payload.bytes, 8, 132))) {
            return Reading::contradicts;
        }
        Side& from = side(payload.direction);
        from.announced = now.index;
        if (initiations_++ == 0) {
            // The length 6; a small number 4, or c1, which QUIC shares, and cheap zeros: 9.
            evidence_.add(kInitiation, head_, payload.entry, 0, is_new ? 4 : 1, is_new ? 15 : 10);
            add_mac2(payload, is_new ? 0 : 132);
        }
        evidence_.set_initiator(payload.direction);
        return Reading::fits;
    }

    Reading read_response(const Payload& payload, const Message& now) noexcept {
        const bool is_new = now.form == kNewForm;
        constexpr std::uint32_t kLength = 92;
        if (payload.length < kLength || (!is_new && payload.length != kLength) ||
            is_plain(part(payload.bytes, 12, 76))) {
            return Reading::contradicts;
        }
        const Side& peer = side(opposite(payload.direction));
        if (!is_new && peer.announced != 0) {
            const std::uint32_t receiver = at(payload.bytes, 8).le32();
            if (receiver != peer.announced && payload.bytes.size() >= 12) {
                return Reading::contradicts;
            }
            add_echo(payload, 8);
        }
        side(payload.direction).announced = now.index;
        if (responses_++ == 0) {
            evidence_.add(kResponse, head_, payload.entry, 0, 1, is_new ? 4 : 10);
            add_mac2(payload, 76);
        }
        evidence_.set_initiator(opposite(payload.direction));
        return Reading::fits;
    }

    static Reading read_cookie(const Payload& payload, const Message& now) noexcept {
        return now.form == 0 && payload.length == 64 && !is_plain(part(payload.bytes, 8, 64))
                   ? Reading::fits
                   : Reading::contradicts;
    }

    // 128 zero bits, halved: zeros are the commonest padding.
    void add_mac2(const Payload& payload, std::size_t offset) noexcept {
        const Bytes mac2 = part(payload.bytes, offset, offset + 16);
        if (offset > 0 && mac2.size() == 16 &&
            std::ranges::all_of(mac2, [](std::uint8_t octet) { return octet == 0; })) {
            evidence_.add(kMac2, head_, payload.entry, offset, 16, 64);
            linked_ = true;
        }
    }

    void add_echo(const Payload& payload, std::size_t offset) noexcept {
        if (at(payload.bytes, offset + 3).u8() > 0 || at(payload.bytes, offset + 2).u8() > 0) {
            evidence_.add(kEcho, head_, payload.entry, offset, 4, 32);
            linked_ = true;
        }
    }

    Reading read_data(const Payload& payload, const Message& now) noexcept {
        constexpr std::size_t kSealedAt = 16;
        const std::uint64_t counter = at(payload.bytes, 8).le64();
        if (payload.bytes.size() < 2 * kSealedAt) {
            return ran_out(payload);
        }
        if (counter >> 24U != 0 || is_plain(part(payload.bytes, kSealedAt, 2 * kSealedAt)) ||
            is_plain(part(payload.bytes, kSealedAt, payload.length))) {
            return Reading::contradicts;
        }
        Side& from = side(payload.direction);
        const Side& peer = side(opposite(payload.direction));
        if (!from.echoed && peer.announced != 0 && now.index == peer.announced) {
            from.echoed = true;
            add_echo(payload, 4);
        }
        if (!from.has_data) {
            // c4 begins QUIC packets too; 4 is a small number. The counter's zeros are cheap.
            add_capped(payload, kType, 0, 1, now.form == 0 ? 4 : 6);
            add_capped(payload, kHigh, 11, 5, 8);
        } else if (now.index != from.index) {
            return initiations_ + responses_ > 0 ? Reading::fits : Reading::contradicts;
        } else if (counter > from.counter && counter - from.counter <= kMostStep) {
            add_capped(payload, kRun, 1, 7, 5);
            add_capped(payload, kCounter, 10, 6, 5);
        } else if (counter > from.counter || from.counter - counter > kMostStep) {
            return Reading::contradicts;
        }
        from.index = now.index;
        from.counter = std::max(counter, from.has_data ? from.counter : 0);
        from.has_data = true;
        return Reading::fits;
    }

    // From one side only, a 4, a constant and a counter are not enough.
    void add_capped(const Payload& payload,
                    const Rule& rule,
                    std::size_t offset,
                    std::size_t length,
                    float bits) noexcept {
        const bool free = linked_ || form_ == kNewForm || head_.both_directions();
        if (free || evidence_.bits() + bits <= kMostOneSided) {
            evidence_.add(rule, head_, payload.entry, offset, length, bits);
        }
    }

    static constexpr std::uint8_t kUnknown = 0xff;

    const FlowHead& head_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    std::size_t initiations_ = 0;
    std::size_t responses_ = 0;
    std::uint8_t form_ = kUnknown;
    bool linked_ = false;  // zeros in mac2's place, or an echoed index
    bool strange_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "wireguard",
        .protocol_class = ProtocolClass::vpn,
        .title = "Cloudflare WARP over WireGuard",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "WireGuard paper (NDSS 2017) §5.4; boringtun; nDPI cloudflare_warp.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(1, 4) | ByteSet::of({0xc1, 0xc2, 0xc4}),
        .least_length = 32};

    static Evidence match(const FlowHead& head) noexcept { return Scan(head).run(); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::cloudflare_warp
