// ENet, a transport of games: how a connection begins.
//
// 0 peer fff, with the mark of a sent time: 8fff, in an answer the peer that was told | 2 time 2
// connect: 82 | channel ff | number 1 2 | peer 2 | sessions 1, 1 | MTU 4 | window 4 | channels 4 |
// bandwidth 4, 4 | throttle 4, 4, 4 | id 4 | data 4 verify, in the answer: 83 | ff | number 1 2 |
// peer 2 | ... | MTU 4 | ...; before it an acknowledgement: 01 | ff | 2 | number 2 | time 2
//
// Sources: ENet 1.3, include/enet/protocol.h.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::enet {

inline constexpr Rule kConnect{"enet.connect",
                               "a connect command with its exact length; ENet, protocol.h"};
inline constexpr Rule kVerify{"enet.verify",
                              "the answer to it, with its exact length; ENet, protocol.h"};
inline constexpr Rule kSizes{"enet.sizes",
                             "an MTU of 576 to 4096 and a window of 4 to 64 KiB; ENet, protocol.h"};
inline constexpr Rule kId{"enet.connect_id",
                          "the answer has the id of the connection; ENet, protocol.h"};

inline constexpr std::array<const Rule*, 4> kRules{&kConnect, &kVerify, &kSizes, &kId};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "enet",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "ENet",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "ENet 1.3, include/enet/protocol.h"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x80, 0x8f), .least_length = 44};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> ids;
        return match_datagrams(
            head, {}, kConnect, [&](Evidence& evidence, const Payload& payload, bool first) {
                const Seen seen = read(payload);
                if (seen.command == 0) {
                    return evidence.empty() ? Reading::contradicts : Reading::cut;
                }
                if (first) {
                    // Command, channel and number 26, the length 5.
                    evidence.add(seen.command == kConnectCommand ? kConnect : kVerify,
                                 head,
                                 payload.entry,
                                 seen.place,
                                 4,
                                 28);
                    if (seen.sized) {
                        // Octets of zero and narrow ranges: 12 each.
                        evidence.add(kSizes, head, payload.entry, seen.place + 8, 2, 10);
                        evidence.add(kSizes, head, payload.entry, seen.place + 12, 2, 10);
                    }
                }
                if (ids.answers(payload, seen.id)) {
                    evidence.add(kId, head, payload.entry, seen.id_at, 4, 30);
                }
                ids.say(payload, seen.id);
                evidence.set_initiator(seen.command == kConnectCommand
                                           ? payload.direction
                                           : opposite(payload.direction));
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint8_t kConnectCommand = 0x82;
    static constexpr std::uint8_t kVerifyCommand = 0x83;

    struct Seen {
        std::uint8_t command = 0;  // 0: neither
        std::size_t place = 0;
        std::size_t id_at = 0;
        std::uint32_t id = 0;
        bool sized = false;
    };

    static Seen read(const Payload& payload) noexcept {
        const bool acknowledges = at(payload.bytes, 4).u8() == 1;
        Seen seen;
        seen.place = acknowledges ? 12 : 4;
        ByteReader reader = at(payload.bytes, seen.place);
        const std::uint8_t command = reader.u8();
        const std::uint8_t channel = reader.u8();
        const std::uint16_t number = reader.be16();
        reader.skip(4);
        const std::uint32_t mtu = reader.be32();
        const std::uint32_t window = reader.be32();
        reader.skip(4 + 8 + 12);
        seen.id_at = reader.position();
        seen.id = reader.be32();
        const std::size_t length = command == kConnectCommand ? 48 : 44;
        const bool known = command == kConnectCommand || command == kVerifyCommand;
        if (!reader.ok() || !known || channel != 0xff || number != 1 ||
            seen.place + length != payload.length) {
            return {};
        }
        seen.command = command;
        seen.sized = mtu >= 576 && mtu <= 4096 && window >= 4096 && window <= 65536;
        return seen;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::enet
