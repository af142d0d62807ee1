// IKE and ESP inside TCP, port 4500 or any.
//
//  client's stream: "IKETCP", then messages; server's stream: messages
//  message: 0 length 2, whole | 2 four zeros, then IKE; or SPI 4, sequence number 4, sealed octets;
//           or one octet 0xff (keepalive)
//
// A stream that is caught in the middle has no prefix: IKE behind its marker tells it, or a run of
// ESP messages whose lengths chain. Counters are statistics, their sum stays below proof.
// Sources: RFC 8229 §3, §4; RFC 9329 §3, §4; RFC 7296 §3.1; RFC 4303 §2.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/protocols/esp.hpp"
#include "fingerprint/protocols/ike.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::esp_in_tcp {

inline constexpr Rule kPrefix{"esp-in-tcp.prefix",
                              "the client's stream begins with IKETCP; RFC 9329 §4"};
inline constexpr Rule kMarker{"esp-in-tcp.marker",
                              "a message's length, which is that of the IKE message in it, and the "
                              "non-ESP marker; RFC 9329 §3"};
inline constexpr Rule kIke{"esp-in-tcp.ike",
                           "IKE version, exchange and flags, and its length; RFC 7296 §3.1"};
inline constexpr Rule kFirst{"esp-in-tcp.first_message",
                             "a first IKE message: no responder SPI, message id 0; RFC 7296 §1.2"};
inline constexpr Rule kSpiEcho{"esp-in-tcp.spi_echo",
                               "the other side's IKE message has the same initiator SPI; RFC 7296 "
                               "§3.1"};
inline constexpr Rule kEsp{"esp-in-tcp.esp",
                           "a length in front of an SPI, a sequence number and sealed octets, "
                           "whole words; RFC 9329 §3.1"};
inline constexpr Rule kSequence{"esp-in-tcp.sequence",
                                "where a message ends the next has the same SPI and a sequence "
                                "number a little higher; RFC 4303 §2.2"};
inline constexpr Rule kPort{"esp-in-tcp.port", "TCP port 4500 on either side; RFC 9329 §2"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4500};
inline constexpr std::array<std::string_view, 2> kVariants{"ike", "esp"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kPrefix, &kMarker, &kIke, &kFirst, &kSpiEcho, &kEsp, &kSequence, &kPort};

inline constexpr std::string_view kMagic = "IKETCP";
inline constexpr std::size_t kLengthField = 2;
inline constexpr std::size_t kMarkerLength = 4;

class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept
        : head_(head), usual_port_(head.has_port(kPorts[0])) {}

    Evidence run() noexcept {
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            if (!walk(direction)) {
                return {};
            }
        }
        if (!prefix_ && ike_ == 0 && !is_run()) {
            return {};
        }
        if (usual_port_) {
            add_port(evidence_, kPort, head_);
        }
        evidence_.set_variant(ike_ > 0 || !is_run() ? kVariants[0] : kVariants[1]);
        return evidence_;
    }

  private:
    struct Side {
        esp::Header last;
        std::size_t run = 0;  // ESP messages one after another
        std::uint64_t initiator_spi = 0;
    };

    // Alone, ESP has to be a run; elsewhere than on the usual port of both sides.
    [[nodiscard]] bool is_run() const noexcept {
        constexpr std::size_t kLeast = 3;
        const std::size_t fewer = std::min(sides_[0].run, sides_[1].run);
        const std::size_t more = std::max(sides_[0].run, sides_[1].run);
        const bool shared = sides_[0].last.spi == sides_[1].last.spi;
        return !shared && (usual_port_ ? more >= kLeast : fewer >= kLeast);
    }

    // False when the direction cannot be this protocol's.
    bool walk(Direction direction) noexcept {
        const Bytes stream = head_.stream(direction);
        std::size_t offset = 0;
        if (has_text(stream, kMagic)) {
            evidence_.add_stream(kPrefix, head_, direction, 0, kMagic.size(), 48);
            evidence_.set_initiator(direction);
            prefix_ = true;
            offset = kMagic.size();
        }
        constexpr std::size_t kMost = 8;
        constexpr std::size_t kToJudge = 64;
        for (std::size_t count = 0; count < kMost && offset < stream.size(); ++count) {
            const std::size_t length = at(stream, offset).be16();
            const Reading reading =
                length > kLengthField ? read(direction, offset, length) : Reading::contradicts;
            if (reading == Reading::contradicts && stream.size() >= offset + kToJudge) {
                return false;
            }
            if (reading != Reading::fits) {
                return true;
            }
            offset += length;
        }
        return true;
    }

    Reading read(Direction direction, std::size_t offset, std::size_t length) noexcept {
        const Bytes stream = head_.stream(direction);
        const std::size_t begin = offset + kLengthField;
        const auto size = static_cast<std::uint32_t>(length - kLengthField);
        const Bytes kept = part(stream, begin, begin + size);
        ByteReader reader(kept);
        const std::uint32_t marker = reader.be32();
        if (size == 1 && !kept.empty() && kept[0] == 0xff) {
            return Reading::fits;
        }
        if (!reader.ok()) {
            return Reading::contradicts;
        }
        const Payload payload{.bytes = kept, .length = size, .direction = direction};
        return marker == 0 ? read_ike(payload, offset) : read_esp(payload, offset);
    }

    Reading read_ike(const Payload& payload, std::size_t offset) noexcept {
        ike::Message message;
        if (!ike::read(payload, message) || message.begin != kMarkerLength) {
            return Reading::contradicts;
        }
        const Place place{.direction = payload.direction, .offset = offset};
        const std::size_t begin = kLengthField + kMarkerLength;
        const bool again = ike_ > 0;
        // A length that agrees 14, zeros 8; version 7, exchange and flags 7, a length with zeros 8.
        add_at(evidence_, kMarker, head_, place, 0, begin, again ? 4 : 22);
        add_at(evidence_, kIke, head_, place, begin + 17, 3, again ? 4 : 14);
        ++ike_;
        if (message.is_first() && !first_) {
            // Sixteen octets of which twelve are zeros.
            add_at(evidence_, kFirst, head_, place, begin + 8, 9, 24);
            first_ = true;
        }
        const std::size_t side = index_of(payload.direction);
        const std::size_t other = index_of(opposite(payload.direction));
        if (message.initiator_spi == sides_[other].initiator_spi && !echo_) {
            add_at(evidence_, kSpiEcho, head_, place, begin, 8, 64);
            echo_ = true;
        }
        sides_[side].initiator_spi = message.initiator_spi;
        if (message.version_2) {
            evidence_.set_initiator(message.is_from_initiator() ? payload.direction
                                                                : opposite(payload.direction));
        }
        return Reading::fits;
    }

    Reading read_esp(const Payload& payload, std::size_t offset) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        constexpr std::size_t kHeaderLength = 8;
        esp::Header header;
        if (!esp::read(payload, header) ||
            is_plain(part(payload.bytes, kHeaderLength, payload.length))) {
            return Reading::contradicts;
        }
        Side& side = sides_[index_of(payload.direction)];
        const bool follows = header.spi == side.last.spi && header.sequence > side.last.sequence &&
                             header.sequence - side.last.sequence <= kMostStep;
        // The length is told by where the message ends: at the next one, or with a segment.
        const std::size_t end = offset + kLengthField + payload.length;
        const bool ends =
            is_segment_end(head_, payload.direction, end) ||
            end + kLengthField + kHeaderLength <= head_.stream(payload.direction).size();
        const std::size_t from = ends ? 0 : kLengthField;
        const Place place{.direction = payload.direction, .offset = offset + from};
        if (follows) {
            add_statistic(kSequence, place, kLengthField + kHeaderLength - from, ends ? 16 : 14);
        } else if (side.run == 0 && ends) {
            // One of four lengths, and sealed octets.
            add_statistic(kEsp, place, kLengthField, 6);
        }
        side.run = follows ? side.run + 1 : 1;
        side.last = header;
        return Reading::fits;
    }

    void add_statistic(const Rule& rule,
                       const Place& place,
                       std::size_t length,
                       double most) noexcept {
        constexpr double kMost = 56;
        const double bits = std::min(most, kMost - statistics_);
        if (bits >= 1) {
            add_at(evidence_, rule, head_, place, 0, length, bits);
            statistics_ += bits;
        }
    }

    const FlowHead& head_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    double statistics_ = 0;
    std::size_t ike_ = 0;
    bool usual_port_ = false;
    bool prefix_ = false;
    bool first_ = false;
    bool echo_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "esp-in-tcp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "IPsec in TCP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 8229, RFC 9329, RFC 7296, RFC 4303"};
    // The prefix, or a length below 1792.
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'I'}) | ByteSet::range(0, 6),
                                         .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        // Before anything is set up: the prefix, or a message that can be one.
        bool worth = false;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Bytes stream = head.stream(direction);
            ByteReader reader(stream);
            const std::uint16_t length = reader.be16();
            const std::uint32_t marker = reader.be32();
            const std::uint32_t next = reader.be32();
            const bool is_ike = marker == 0 && length >= 34 && next != 0;
            const bool is_esp = marker >= esp::kLeastSpi && length % 4 == 2 && length >= 14;
            worth = worth || has_text(stream, kMagic) || (reader.ok() && (is_ike || is_esp));
        }
        return worth ? Scan(head).run() : Evidence{};
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::esp_in_tcp
