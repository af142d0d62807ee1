// GTP', charging data between nodes and a charging gateway, UDP (usually port 3386).
//
//  0 version (3 bits: 0, 1, 2), PT 0, spare 111, header flag | 1 type | 2 length be16 of all behind
//  4 sequence be16 | version 0 with flag 0: 14 octets of old header | elements as in GTP version 1
//  Types: 1, 2 echo; 3 version not supported; 4, 5 node alive; 6, 7 redirection; 240, 241 records
//  240 begins 7E and a command 1 to 4, 252 holds the records; 241 begins with a cause 01
//
// Source: 3GPP TS 32.295 §6.1, §6.2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/claims.hpp"
#include "fingerprint/gtp_elements.hpp"

namespace flowclass::fingerprint::gtp_prime {

inline constexpr Rule kHeader{
    "gtp-prime.header", "PT 0, spare bits set, a type of this protocol; TS 32.295 §6.1.1, §6.2.1"};
inline constexpr Rule kLength{"gtp-prime.length", "the length is exact; TS 32.295 §6.1.1"};
inline constexpr Rule kElement{
    "gtp-prime.element", "the first element is the one its type begins with; TS 32.295 §6.2.4"};
inline constexpr Rule kElements{"gtp-prime.elements",
                                "information elements chain inside the message; TS 32.295 §6.2"};
inline constexpr Rule kSequence{"gtp-prime.sequence",
                                "the answer has the question's sequence number; TS 32.295 §6.1.1"};
inline constexpr Rule kPort{"gtp-prime.port", "UDP port 3386 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3386};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kLength, &kElement, &kElements, &kSequence, &kPort};

inline constexpr std::uint8_t kRecords = 240;
inline constexpr std::uint8_t kRecordsReply = 241;

struct Message {
    std::uint8_t type = 0;
    std::uint16_t sequence = 0;
    bool seen = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "gtp-prime",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "GTP', charging data transfer",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "3GPP TS 32.295"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x0e, 0x0f, 0x2e, 0x2f, 0x4e, 0x4f}),
        .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::array<Message, 2> last{};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Message now;
                const Reading reading = read(payload, now, claims);
                if (reading == Reading::fits) {
                    const Message& other = last[index_of(opposite(payload.direction))];
                    if (other.seen && now.sequence == other.sequence &&
                        now.type == other.type + 1) {
                        claims.add(kSequence, 4, 2, 10);
                    }
                    last[index_of(payload.direction)] = now;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, Message& message, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        message.type = reader.u8();
        const std::size_t length = reader.be16();
        message.sequence = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool known = (message.type >= 1 && message.type <= 7) || message.type == kRecords ||
                           message.type == kRecordsReply;
        const std::size_t header = flags == 0x0e ? 20 : 6;
        if ((flags & 0x1eU) != 0x0e || flags >> 5U > 2 || !known ||
            length + header != payload.length) {
            return Reading::contradicts;
        }
        message.seen = true;
        claims.add(kHeader, 0, 2, 9);  // six of 256 values, nine of 256
        claims.add(kLength, 2, 2, 13);
        return read_elements(payload, message, header, claims);
    }

    static Reading read_elements(const Payload& payload,
                                 const Message& message,
                                 std::size_t header,
                                 Claims& claims) noexcept {
        if (header == payload.length) {
            return Reading::fits;
        }
        ByteReader reader = at(payload.bytes, header);
        const std::uint8_t element = reader.u8();
        const std::uint8_t value = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (message.type == kRecords) {
            if (element != 126 || value < 1 || value > 4) {
                return Reading::contradicts;
            }
            claims.add(kElement, header, 2, 13);
        } else if (message.type == kRecordsReply) {
            if (element != 1) {
                return Reading::contradicts;
            }
            claims.add(kElement, header, 1, 6);
        }
        const gtp::Chain chain = gtp::walk_v1(payload, header, payload.length);
        if (chain.reading == Reading::fits && chain.count > 1 && !chain.elements[1].fixed) {
            const bool last = chain.complete && chain.count == 2;
            claims.add(kElements, chain.elements[1].offset + 1, 2, last ? 13 : 8);
        }
        return chain.reading;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gtp_prime
