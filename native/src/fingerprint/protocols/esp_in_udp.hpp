// ESP inside UDP (NAT traversal), port 4500 or any, together with the IKE messages and keepalives
// that share the flow.
//
//  ESP        0 SPI 4, never zero, 256 and more | 4 sequence number 4 | 8 sealed ...; whole words
//  IKE        0 four zeros | 4 an IKE message
//  keepalive  one octet, 0xff
//
// A constant word and a word that counts are what many protocols begin with (DHCP, games, OpenVPN
// data). IKE on the same flow proves ESP; without it the usual port asks for a run of three, any
// other port for runs of five in both directions, and the sum stays below proof.
// Sources: RFC 3948 §2, RFC 4303 §2, RFC 7296 §2.23, §3.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/protocols/esp.hpp"
#include "fingerprint/protocols/ike.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::esp_in_udp {

inline constexpr std::uint16_t kPort = 4500;

inline constexpr Rule kSpi{
    "esp.udp_header",
    "an SPI that is not reserved and a sequence number in front of sealed octets, whole words; "
    "RFC 3948 §2.1, RFC 4303 §2"};
inline constexpr Rule kSequence{
    "esp.udp_sequence", "same SPI as before and a sequence number a little higher; RFC 4303 §2.2"};
inline constexpr Rule kBesideIke{
    "esp.beside_ike", "ESP on the flow that carries IKE behind markers, as RFC 3948 §2.2 has it"};
inline constexpr Rule kKeepalive{"esp.nat_keepalive",
                                 "a datagram of one octet 0xff; RFC 3948 §2.3"};
inline constexpr Rule kPortRule{"esp.udp_port", "UDP port 4500 on either side; RFC 3948 §2.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{kPort};
inline constexpr std::array<std::string_view, 1> kVariants{"nat-t"};
inline constexpr std::array<const Rule*, 10> kRules{&kSpi,
                                                    &kSequence,
                                                    &kBesideIke,
                                                    &kKeepalive,
                                                    &kPortRule,
                                                    &ike::kHeader,
                                                    &ike::kFirst,
                                                    &ike::kChain,
                                                    &ike::kSpiEcho,
                                                    &ike::kSpiRepeat};

class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept : head_(head), usual_port_(head.has_port(kPort)) {}

    // The cheap first looks: IKE behind a marker, or packets enough for a run.
    static bool has_marker(const FlowHead& head) noexcept {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            if (is_marked(head.payload(entry))) {
                return true;
            }
        }
        return false;
    }
    static bool may_have_run(const FlowHead& head) noexcept {
        const auto& counts = head.direction_count;
        return head.has_port(kPort) ? std::max(counts[0], counts[1]) >= kLeastRunUsual
                                    : std::min(counts[0], counts[1]) >= kLeastRunAnywhere;
    }

    // Without a marker one stranger ends it.
    Evidence run(bool is_marked_somewhere) noexcept {
        Evidence ike_evidence;
        ike::Gathering gathering;
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            if (is_marked(payload)) {
                // A marker in front of what cannot be judged says nothing.
                gathering.add(head_, payload, ike_evidence);
            } else if (is_keepalive(payload)) {
                keepalives_[keepalive_count_++] = static_cast<std::uint8_t>(entry);
            } else if ((!is_marked_somewhere && breaks_run(payload)) || !read_esp(payload)) {
                if (!is_marked_somewhere) {
                    return {};
                }
                ++strangers_;
            }
        }
        return gathering.count() > 0 ? beside_ike(ike_evidence) : alone();
    }

  private:
    // Packets of a run: on port 4500, and on any other both ways (other protocols count too).
    static constexpr std::size_t kLeastRunUsual = 3;
    static constexpr std::size_t kLeastRunAnywhere = 5;

    struct Side {
        esp::Header last;
        std::size_t packets = 0;
        std::size_t run = 0;      // packets in the run that goes on
        std::size_t longest = 0;  // packets in the longest run
        std::uint32_t first_spi = 0;
        bool first_followed = false;  // the second packet goes on where the first stopped
    };

    static bool is_marked(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        return reader.be32() == 0 && reader.ok();
    }
    static bool is_keepalive(const Payload& payload) noexcept {
        return payload.length == 1 && at(payload.bytes, 0).u8() == 0xff;
    }

    static bool does_follow(const Side& side, const esp::Header& header) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        return side.packets > 0 && header.spi == side.last.spi &&
               header.sequence > side.last.sequence &&
               header.sequence - side.last.sequence <= kMostStep;
    }
    // Without a marker, away from the usual port, nothing may be out of step: that is seen before
    // the octets behind the header are counted.
    [[nodiscard]] bool breaks_run(const Payload& payload) const noexcept {
        const Side& side = sides_[index_of(payload.direction)];
        esp::Header header;
        return !usual_port_ && side.packets > 0 && esp::read(payload, header) &&
               !does_follow(side, header);
    }

    bool read_esp(const Payload& payload) noexcept {
        esp::Header header;
        if (!esp::read(payload, header) || is_plain(part(payload.bytes, 8, payload.length))) {
            return false;
        }
        Side& side = sides_[index_of(payload.direction)];
        const bool follows = does_follow(side, header);
        one_spi_ = one_spi_ && (side.packets == 0 || header.spi == side.first_spi);
        unbroken_ = unbroken_ && (side.packets == 0 || follows);
        most_sequence_ = std::max(most_sequence_, header.sequence);
        side.first_spi = side.packets == 0 ? header.spi : side.first_spi;
        side.first_followed = side.first_followed || (follows && side.packets == 1);
        side.run = follows ? side.run + 1 : 1;
        side.longest = std::max(side.longest, side.run);
        side.last = header;
        seen_[payload.entry] = follows             ? Seen::follows
                               : side.packets == 0 ? Seen::first
                                                   : Seen::other;
        ++side.packets;
        return true;
    }

    // IKE behind a marker on the same flow: the IKE evidence counts here too, so that a flow with
    // ESP in it is called by what it carries.
    Evidence beside_ike(const Evidence& ike_evidence) noexcept {
        if (sides_[0].packets + sides_[1].packets == 0) {
            return {};
        }
        Evidence evidence = ike_evidence;
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            if (seen_[entry] == Seen::first) {
                add_beside_ike(evidence, entry);
            } else if (seen_[entry] == Seen::follows) {
                evidence.add(kSequence, head_, entry, 0, 8, 10);
            }
        }
        return finish(evidence);
    }

    // A header that another follows is compared whole. Of a lone one nearly every SPI passes: only
    // its length, and a sequence number below 65,536, which starts at 1, say anything.
    void add_beside_ike(Evidence& evidence, std::size_t entry) const noexcept {
        const Payload payload = head_.payload(entry);
        if (sides_[index_of(payload.direction)].first_followed) {
            evidence.add(kBesideIke, head_, entry, 0, 8, 12);
            return;
        }
        evidence.add(kBesideIke, head_, entry, 0, 0, 2);
        if (at(payload.bytes, 4).be16() == 0) {
            evidence.add(kBesideIke, head_, entry, 4, 2, 8);
        }
    }

    Evidence alone() noexcept {
        const std::size_t fewer = std::min(sides_[0].longest, sides_[1].longest);
        const std::size_t more = std::max(sides_[0].longest, sides_[1].longest);
        const bool one_way = sides_[0].packets == 0 || sides_[1].packets == 0;
        // The two SPIs of a tunnel are unrelated; a header that both sides share is no SPI.
        const bool shared = !one_way && sides_[0].first_spi == sides_[1].first_spi;
        if (strangers_ > 0 || shared) {
            return {};
        }
        if (usual_port_ ? more < kLeastRunUsual
                        : fewer < kLeastRunAnywhere || !is_plausible_anywhere()) {
            return {};
        }
        // Counters are statistics, they stay below proof; a keepalive on the usual port is more.
        const bool capped = !usual_port_ || keepalive_count_ == 0;
        Evidence evidence;
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Side& side = sides_[index_of(head_.entries[entry].direction)];
            if (seen_[entry] == Seen::first && side.first_followed) {
                add(evidence, kSpi, entry, capped);
            } else if (seen_[entry] == Seen::follows) {
                add(evidence, kSequence, entry, capped);
            }
        }
        if (usual_port_ && !evidence.empty()) {
            evidence.add(kPortRule, head_, 0, 0, 0, 2);
        }
        return finish(evidence);
    }

    // On any other port nothing may be out of step, SPIs are random, and OpenVPN's data (opcode 9,
    // a small peer id) is not taken for one.
    [[nodiscard]] bool is_plausible_anywhere() const noexcept {
        const auto is_openvpn_data = [](std::uint32_t spi) {
            const std::uint32_t peer = spi & 0x00ff'ffff;
            return spi >> 27U == 9 && (peer <= 0xffff || peer == 0x00ff'ffff);
        };
        const auto has_zeros = [](std::uint32_t spi) {
            std::size_t zeros = 0;
            for (std::uint32_t rest = spi, octet = 0; octet < 4; ++octet, rest >>= 8U) {
                zeros += (rest & 0xffU) == 0 ? 1 : 0;
            }
            return zeros > 1;
        };
        return one_spi_ && !has_zeros(sides_[0].first_spi) && !has_zeros(sides_[1].first_spi) &&
               unbroken_ && most_sequence_ < 1U << 24U && !is_openvpn_data(sides_[0].first_spi) &&
               !is_openvpn_data(sides_[1].first_spi);
    }

    void add(Evidence& evidence, const Rule& rule, std::size_t entry, bool capped) const noexcept {
        constexpr double kMost = 56;
        const double left = capped ? kMost - double{evidence.bits()} : 10;
        if (left >= 1) {
            evidence.add(rule, head_, entry, 0, 8, std::min<double>(10, left));
        }
    }

    [[nodiscard]] Evidence finish(Evidence evidence) const noexcept {
        for (std::size_t index = 0; index < keepalive_count_ && usual_port_; ++index) {
            evidence.add(kKeepalive, head_, keepalives_[index], 0, 1, index == 0 ? 10 : 2);
        }
        evidence.set_variant(kVariants[0]);
        return evidence;
    }

    enum class Seen : std::uint8_t { nothing, first, follows, other };

    const FlowHead& head_;
    std::array<Side, 2> sides_{};
    std::array<Seen, kMaxEntries> seen_{};
    std::array<std::uint8_t, kMaxEntries> keepalives_{};
    std::size_t keepalive_count_ = 0;
    std::size_t strangers_ = 0;
    std::uint32_t most_sequence_ = 0;
    bool one_spi_ = true;
    bool unbroken_ = true;
    bool usual_port_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "esp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "IPsec ESP in UDP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 3948, RFC 4303, RFC 7296",
                                      .follows = {LinkKind::ike, LinkKind::tls}};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp}};

    static Evidence match(const FlowHead& head) noexcept {
        const bool marked = Scan::has_marker(head);
        if (!marked && !Scan::may_have_run(head)) {
            return {};
        }
        Scan scan(head);
        return scan.run(marked);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::esp_in_udp
