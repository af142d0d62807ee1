// Palo Alto GlobalProtect, its ESP in UDP, server port 4501 by default. The keys come over HTTPS,
// so there is no IKE on the flow: ESP begins at sequence number 1 in both directions, and the first
// packets are the client's probes and their answers, ICMP echoes of one size.
//
//  0 SPI 4 | 4 sequence number 4: 1, 2, 3 ... | 8 sealed
//  84 octets: inner 20 + 8 + 16 (openconnect); 132: inner 20 + 8 + 56 (the vendor's client);
//  AES-CBC with HMAC-SHA-1-96: 8 + 16 + inner and trailer to blocks of 16 + 12
//
// It is ESP in any case; that it is this product's is the probes' size and start. One direction is
// at most `possible`, and both are on any other port: other VPNs that take keys from HTTPS begin
// alike. A flow with IKE or a keepalive on it is another's ESP.
// Sources: openconnect gpst.c, esp.c; RFC 4303 §2; RFC 3948 §2.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/protocols/esp.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::globalprotect {

inline constexpr Rule kProbe{"globalprotect.probe",
                             "a side's first packet has an SPI, sequence number 1, and a probe's "
                             "size; openconnect gpst.c"};
inline constexpr Rule kSequence{
    "globalprotect.sequence",
    "the next probe: same SPI, same size, a sequence number one higher; "
    "openconnect gpst.c"};
inline constexpr Rule kPort{"globalprotect.port", "UDP port 4501 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4501};
inline constexpr std::array<const Rule*, 3> kRules{&kProbe, &kSequence, &kPort};

inline constexpr std::uint32_t kProbeLength = 84;
inline constexpr std::uint32_t kLongProbeLength = 132;

class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept
        : head_(head), usual_port_(head.has_port(kPorts[0])) {}

    Evidence run() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.length > 0 && !read(payload)) {
                return {};
            }
        }
        // Three probes in all: of one side, or of both.
        constexpr std::size_t kLeast = 3;
        const bool shared = sides_[0].last.spi == sides_[1].last.spi;
        if (sides_[0].probes + sides_[1].probes < kLeast || shared) {
            return {};
        }
        const bool both = sides_[0].probes > 0 && sides_[1].probes > 0;
        if (!both && !usual_port_) {
            return {};
        }
        const double most = usual_port_ && both ? 56 : 26;
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const double left = most - double{evidence_.bits()};
            if (seen_[entry] == nullptr || left < 1) {
                continue;
            }
            // Zeros and a one 14, a size of two 5; what follows repeats, like any counter.
            const double bits = seen_[entry] == &kProbe ? 19 : 10;
            evidence_.add(*seen_[entry], head_, entry, 0, 8, std::min(bits, left));
        }
        if (usual_port_) {
            add_port(evidence_, kPort, head_);
        }
        return evidence_;
    }

  private:
    struct Side {
        esp::Header last;
        std::size_t probes = 0;
        std::size_t packets = 0;
    };

    // False when this is another protocol: IKE's marker or a keepalive, text, a step back.
    bool read(const Payload& payload) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        esp::Header header;
        if (!esp::read(payload, header) || is_plain(part(payload.bytes, 8, payload.length)) ||
            has_zeros(header.spi)) {
            return false;
        }
        Side& side = sides_[index_of(payload.direction)];
        const bool is_probe = payload.length == length_ && header.sequence == side.packets + 1 &&
                              (side.packets == 0 || header.spi == side.last.spi);
        if (side.packets == 0) {
            length_ = length_ == 0 ? payload.length : length_;
            if (header.sequence != 1 || payload.length != length_ ||
                (length_ != kProbeLength && length_ != kLongProbeLength)) {
                return false;
            }
            seen_[payload.entry] = &kProbe;
            side.probes = 1;
        } else if (header.spi != side.last.spi || header.sequence <= side.last.sequence ||
                   header.sequence - side.last.sequence > kMostStep) {
            return false;
        } else if (is_probe && side.probes == side.packets && side.probes < 3) {
            seen_[payload.entry] = &kSequence;
            ++side.probes;
        }
        side.last = header;
        ++side.packets;
        return true;
    }

    // SPIs are random; numbers and identifiers of other protocols are small.
    static bool has_zeros(std::uint32_t spi) noexcept {
        return (spi & 0xffff'0000U) == 0 || (spi & 0x0000'ffffU) == 0;
    }

    const FlowHead& head_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    std::array<const Rule*, kMaxEntries> seen_{};
    std::uint32_t length_ = 0;
    bool usual_port_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "globalprotect",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Palo Alto GlobalProtect, ESP in UDP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "openconnect gpst.c, esp.c; RFC 4303",
                                      .follows = {LinkKind::tls}};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = kProbeLength, .most_length = kLongProbeLength};

    static Evidence match(const FlowHead& head) noexcept {
        // Before anything is set up: the first packet's size and number.
        const Payload first = head.payload(0);
        if ((first.length != kProbeLength && first.length != kLongProbeLength) ||
            at(first.bytes, 4).be32() != 1) {
            return {};
        }
        return Scan(head).run();
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::globalprotect
