// WireGuard, any UDP port. All integers little-endian.
//
//  type 1, initiation, 148 octets           type 2, response, 92         type 3, cookie reply, 64
//   0 type 1, 3 zeros                        0 type 2, 3 zeros            0 type 3, 3 zeros
//   4 sender index                           4 sender index               4 receiver index
//   8 ephemeral key, 32                      8 receiver index             8 nonce, 24
//  40 sealed static key, 48                 12 ephemeral key, 32         32 sealed cookie, 32
//  88 sealed time stamp, 28                 44 sealed nothing, 16
// 116 mac1, 16                              60 mac1, 16
// 132 mac2, 16                              76 mac2, 16
//  type 4, data, 32 and more: 0 type 4, 3 zeros; 4 receiver index; 8 counter, 64 bits; 16 sealed.
//
// mac2 is zero unless a cookie was handed out. Data is padded to 16 octets but clamped at the
// tunnel's MTU, so one further length, the flow's largest, is right. TunnelBear's handshakes are
// 204 and 100 octets long.
// Tailscale finds the way to a peer with disco messages on the ports of its WireGuard:
//  0 54 53 f0 9f 92 ac, 6 sender's disco key, 38 nonce, 62 sealed: 18 octets and more
// Sources: WireGuard protocol paper (Donenfeld, NDSS 2017) §5.4; wireguard-go device/
// noise-protocol.go, send.go, constants.go; nDPI protocols/wireguard.c (TunnelBear's sizes);
// tailscale disco/disco.go.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::wireguard {

inline constexpr Rule kInitiation{
    "wireguard.initiation",
    "message type 1, three reserved zeros, 148 (TunnelBear 204) octets long; paper §5.4.2"};
inline constexpr Rule kResponse{
    "wireguard.response",
    "message type 2, three reserved zeros, 92 (TunnelBear 100) octets long; paper §5.4.3"};
inline constexpr Rule kCookieReply{
    "wireguard.cookie_reply", "message type 3, three reserved zeros, 64 octets long; paper §5.4.7"};
inline constexpr Rule kSealed{"wireguard.sealed",
                              "the key and ciphertext octets look random; paper §5.4"};
inline constexpr Rule kMac2{"wireguard.mac2_zero",
                            "no cookie was handed out, so mac2 is sixteen zeros; paper §5.4.4"};
inline constexpr Rule kIndexEcho{
    "wireguard.index_echo",
    "the receiver index is the sender index that the other side announced; paper §5.4"};
inline constexpr Rule kData{
    "wireguard.data",
    "message type 4, three reserved zeros, a counter below 2^40, length padded to 16 or clamped at "
    "the MTU, sealed behind octet 16; paper §5.4.6"};
inline constexpr Rule kDataRun{
    "wireguard.data_run",
    "data with the receiver index of the packet before, its counter higher; paper §5.4.6"};
inline constexpr Rule kCounter{
    "wireguard.counter",
    "the counter is at most 4096 higher than in the packet before: its high octets stay; paper "
    "§5.4.6"};
inline constexpr Rule kDisco{"wireguard.disco",
                             "the magic of a Tailscale disco message, key and nonce behind it look "
                             "random; tailscale disco/disco.go"};
inline constexpr Rule kDiscoKey{
    "wireguard.disco_key", "the same disco key as in the message before; tailscale disco/disco.go"};

inline constexpr std::array<std::uint16_t, 2> kPorts{51820, 41641};
inline constexpr std::array<std::string_view, 2> kVariants{"tunnelbear", "tailscale"};
inline constexpr std::array<const Rule*, 11> kRules{&kInitiation,
                                                    &kResponse,
                                                    &kCookieReply,
                                                    &kSealed,
                                                    &kMac2,
                                                    &kIndexEcho,
                                                    &kData,
                                                    &kDataRun,
                                                    &kCounter,
                                                    &kDisco,
                                                    &kDiscoKey};

// One flow's messages, in order.
class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept : head_(head) {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            std::uint32_t& most = most_length_[index_of(head.entries[entry].direction)];
            most = std::max(most, head.entries[entry].length);
        }
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            has_unpadded_ = has_unpadded_ || (at(payload.bytes, 0).le32() == 4 &&
                                              payload.length > 32 && !is_padded(payload));
        }
    }

    Evidence run() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (!read(payload) && !read_disco(payload) && !is_stun(payload)) {
                ++strangers_;
            }
        }
        // A message that WireGuard never sends contradicts what only looks like WireGuard.
        if (strangers_ > 0 && !linked_) {
            return {};
        }
        // Without padding there is only the counter: it takes a longer run.
        if (has_unpadded_ && !linked_ && steps_ < kLeastSteps) {
            return {};
        }
        evidence_.set_variant(is_tailscale_    ? "tailscale"
                              : is_tunnelbear_ ? "tunnelbear"
                                               : std::string_view{});
        return evidence_;
    }

  private:
    struct Side {
        std::uint32_t announced = 0;  // sender index of its own handshake message
        bool has_announced = false;
        std::uint32_t data_index = 0;  // receiver index of its data
        std::uint64_t counter = 0;
        bool has_data = false;
        bool has_linked_data = false;
        Bytes disco_key;
        std::size_t discos = 0;
    };

    Side& side(Direction direction) noexcept { return sides_[index_of(direction)]; }

    // False for what WireGuard does not send. What was captured too short says nothing.
    bool read(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint32_t type = reader.le32();
        const std::uint32_t index = reader.be32();
        if (!reader.ok()) {
            return payload.length > payload.bytes.size() || payload.length == 0;
        }
        // A DNS question (RFC 1035 §4.1.1) with id 0x0100 to 0x0400 and one question.
        constexpr std::uint32_t kOneQuestion = 0x0001'0000;
        if (index == kOneQuestion) {
            return false;
        }
        switch (type) {
            case 1:
                return read_initiation(payload);
            case 2:
                return read_response(payload);
            case 3:
                return read_cookie_reply(payload);
            case 4:
                return read_data(payload);
            default:
                return false;
        }
    }

    // Mesh clients ask STUN from WireGuard's port; RFC 8489 §5.
    static bool is_stun(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint32_t first = reader.be32();
        return reader.be32() == 0x2112'a442 && first >> 30U == 0;
    }

    bool read_disco(const Payload& payload) noexcept {
        constexpr std::size_t kSealedAt = 62;
        ByteReader reader(payload.bytes);
        const bool magic = reader.be32() == 0x5453'f09f && reader.be16() == 0x92ac;
        const Bytes key = reader.bytes(32);
        if (!reader.ok() || !magic || payload.length < kSealedAt + 18 ||
            is_plain(part(payload.bytes, 6, kSealedAt))) {
            return magic && payload.bytes.size() < payload.length && key.empty();
        }
        Side& from = side(payload.direction);
        const double bits = bits_of(from.discos);
        if (bits > 0) {
            // Six constant octets, at their full worth but once for each side.
            evidence_.add(kDisco, head_, payload.entry, 0, 6, bits > 4 ? 48 : bits);
        }
        if (from.discos > 1 && from.discos < 4 && std::ranges::equal(key, from.disco_key)) {
            // A key of 256 bits; that something constant follows a constant is not worth as much.
            evidence_.add(kDiscoKey, head_, payload.entry, 6, key.size(), 12);
        }
        from.disco_key = key;
        is_tailscale_ = true;
        linked_ = true;
        return true;
    }

    bool read_initiation(const Payload& payload) noexcept {
        if ((payload.length != 148 && payload.length != 204) || !is_handshake(payload, 8)) {
            return false;
        }
        Side& from = side(payload.direction);
        is_tunnelbear_ = is_tunnelbear_ || payload.length == 204;
        add_handshake(kInitiation, payload, 8);
        from.announced = at(payload.bytes, 4).le32();
        from.has_announced = true;
        evidence_.set_initiator(payload.direction);
        return true;
    }

    bool read_response(const Payload& payload) noexcept {
        if ((payload.length != 92 && payload.length != 100) || !is_handshake(payload, 12)) {
            return false;
        }
        if (!add_echo(payload, 8) && side(opposite(payload.direction)).has_announced &&
            payload.bytes.size() >= 12) {
            return false;  // an answer to something else
        }
        Side& from = side(payload.direction);
        is_tunnelbear_ = is_tunnelbear_ || payload.length == 100;
        add_handshake(kResponse, payload, 12);
        from.announced = at(payload.bytes, 4).le32();
        from.has_announced = true;
        evidence_.set_initiator(opposite(payload.direction));
        return true;
    }

    bool read_cookie_reply(const Payload& payload) noexcept {
        if (payload.length != 64) {
            return false;
        }
        const Bytes sealed = part(payload.bytes, 8, 64);
        if (is_plain(sealed)) {
            return false;
        }
        const bool echoes = add_echo(payload, 4);
        if (!echoes && side(opposite(payload.direction)).has_announced) {
            return false;
        }
        if (cookie_replies_++ > 0) {
            return true;
        }
        evidence_.add(kCookieReply, head_, payload.entry, 0, 4, 24);
        if (sealed.size() >= 48) {
            evidence_.add(kSealed, head_, payload.entry, 8, 0, 6);
        }
        return true;
    }

    // Keys and ciphertext that look it, and behind them a mac2 that is zero or looks random too.
    static bool is_handshake(const Payload& payload, std::size_t sealed_at) noexcept {
        const std::size_t mac2_at = payload.length - 16;
        if (is_plain(part(payload.bytes, sealed_at, mac2_at - 16))) {
            return false;
        }
        const Bytes mac2 = part(payload.bytes, mac2_at, payload.length);
        return mac2.size() < 16 || is_zero(mac2) || looks_sealed(mac2);
    }
    static bool is_zero(Bytes octets) noexcept {
        return std::ranges::all_of(octets, [](std::uint8_t octet) { return octet == 0; });
    }

    // How often this message type was seen, with this one: a retry says little, a third nothing
    // (retries are five seconds apart, wireguard-go constants.go).
    static double bits_of(std::size_t& seen) noexcept {
        ++seen;
        return seen == 1 ? 24 : seen == 2 ? 4 : 0;
    }

    // Four constant octets, of which three zeros are cheap in other protocols: 18; the exact
    // length: 6. A retry says little more.
    void add_handshake(const Rule& rule, const Payload& payload, std::size_t sealed_at) noexcept {
        const double bits = bits_of(&rule == &kInitiation ? initiations_ : responses_);
        if (bits == 0) {
            return;
        }
        evidence_.add(rule, head_, payload.entry, 0, 4, bits);
        const std::size_t mac2_at = payload.length - 16;
        const Bytes sealed = part(payload.bytes, sealed_at, mac2_at - 16);
        if (bits <= 4 || sealed.size() < 48) {
            return;
        }
        // Of all of them together: no single octet decides.
        evidence_.add(kSealed, head_, payload.entry, sealed_at, 0, 6);
        const Bytes mac2 = part(payload.bytes, mac2_at, payload.length);
        if (mac2.size() == 16 && is_zero(mac2)) {
            // 128 zero bits, halved: zeros at the end are the commonest padding.
            evidence_.add(kMac2, head_, payload.entry, mac2_at, 16, 66);
            linked_ = true;
        }
    }

    // The receiver index at `offset` against what the other side announced. Indices are random;
    // small ones are counters of a simpler implementation.
    bool add_echo(const Payload& payload, std::size_t offset) noexcept {
        const Side& peer = side(opposite(payload.direction));
        ByteReader reader = at(payload.bytes, offset);
        const std::uint32_t receiver = reader.le32();
        if (!reader.ok() || !peer.has_announced || receiver == 0 || receiver != peer.announced) {
            return false;
        }
        evidence_.add(kIndexEcho, head_, payload.entry, offset, 4, receiver > 0xffff ? 32 : 12);
        linked_ = true;
        return true;
    }

    bool read_data(const Payload& payload) noexcept {
        ByteReader reader = at(payload.bytes, 4);
        const std::uint32_t receiver = reader.le32();
        const std::uint64_t counter = reader.le64();
        if (!reader.ok()) {
            return payload.length >= 32;
        }
        if (payload.length < 32 || counter >> 40U != 0 ||
            is_plain(part(payload.bytes, 16, payload.length))) {
            return false;
        }
        Side& from = side(payload.direction);
        const Side& peer = side(opposite(payload.direction));
        const bool announced = peer.has_announced && receiver == peer.announced;
        // Implementations that do not pad (boringtun) are known by their handshake, or by a run.
        if (linked_ && !announced && !is_padded(payload)) {
            return false;
        }
        if (announced && !from.has_linked_data) {
            from.has_linked_data = add_echo(payload, 4);
        }
        if (!from.has_data) {
            add_data(kData, payload, 0, 4, 14);
        } else if (receiver != from.data_index) {
            // A new key pair begins with a handshake; without one this is something else.
            return announced || peer.has_announced;
        } else if (counter > from.counter && counter - from.counter <= 4096) {
            // 32 bits of a constant and 52 of a counter; other protocols have both.
            add_data(kDataRun, payload, 4, 4, 5);
            add_data(kCounter, payload, 10, 6, 5);
            steps_ += counter - from.counter <= kNearStep ? 1 : 0;
        } else if (counter > from.counter || from.counter - counter > 4096) {
            return false;
        }
        from.data_index = receiver;
        from.counter = std::max(counter, from.has_data ? from.counter : 0);
        from.has_data = true;
        return true;
    }

    // A constant and a counter of packets of any length are statistics: the sum is capped.
    void add_data(const Rule& rule,
                  const Payload& payload,
                  std::size_t offset,
                  std::size_t length,
                  double bits) noexcept {
        constexpr double kMost = 60;
        const bool capped = has_unpadded_ && !linked_;
        const double left = capped ? kMost - double{evidence_.bits()} : bits;
        if (left >= 1) {
            evidence_.add(rule, head_, payload.entry, offset, length, std::min(bits, left));
        }
    }

    // A multiple of 16, or the direction's largest packet where the tunnel's MTU clamps it.
    [[nodiscard]] bool is_padded(const Payload& payload) const noexcept {
        constexpr std::uint32_t kLeastClamped = 32 + 1280;
        return payload.length % 16 == 0 ||
               (payload.length >= kLeastClamped &&
                payload.length == most_length_[index_of(payload.direction)]);
    }

    static constexpr std::size_t kLeastSteps = 6;
    static constexpr std::uint64_t kNearStep = 16;

    const FlowHead& head_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    std::array<std::uint32_t, 2> most_length_{};
    std::size_t steps_ = 0;  // of counters, by little
    bool has_unpadded_ = false;
    std::size_t initiations_ = 0;
    std::size_t responses_ = 0;
    std::size_t cookie_replies_ = 0;
    std::size_t strangers_ = 0;
    bool linked_ = false;  // a whole handshake message, an echoed index or a magic was seen
    bool is_tunnelbear_ = false;
    bool is_tailscale_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "wireguard",
        .protocol_class = ProtocolClass::vpn,
        .title = "WireGuard",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources =
            "WireGuard paper (NDSS 2017) §5.4; wireguard-go; nDPI wireguard.c; tailscale "
            "disco/disco.go"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(1, 4) | ByteSet::of({0x54}),
        .least_length = 32,
        // A type, little-endian; or the first of Tailscale's magic, or of an answer of STUN.
        .octets = {{{1, ByteSet::of({0})}, {2, ByteSet::of({0})}, {3, ByteSet::of({0})}}},
        .or_octets = {{{1, ByteSet::of({0x53, 0x01, 0x11})}, {2, ByteSet::of({0xf0, 0x00})}}}};

    static Evidence match(const FlowHead& head) noexcept { return Scan(head).run(); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::wireguard
