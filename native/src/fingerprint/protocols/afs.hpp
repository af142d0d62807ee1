// Rx, the remote procedure calls of the Andrew file system.
//
// 0 epoch 4 | 4 connection 4, its last two bits the channel | 8 call 4 | 12 sequence 4 | 16 serial
// 4 | 20 kind 1..13 | 21 flags: 1 by the client | 22 status | 23 security 0..5 | 24 spare or
// checksum 2 | 26 service 2
//
// Sources: OpenAFS, rx/rx_packet.h, rx/rx.h.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::afs {

inline constexpr Rule kHeader{
    "afs.header", "a known kind, a security index up to 5; Rx protocol, rx/rx_packet.h"};
inline constexpr Rule kSequence{
    "afs.serial",
    "the same epoch, connection and service, and a serial number a little higher; Rx protocol"};
inline constexpr Rule kEcho{"afs.connection",
                            "the other side has the same epoch, connection and service, and the "
                            "other client flag; Rx protocol"};
inline constexpr Rule kPort{"afs.port", "UDP port 7000 to 7005 on either side"};

inline constexpr std::array<std::uint16_t, 5> kPorts{7000, 7001, 7002, 7003, 7005};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kSequence, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "afs",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "AFS (Rx)",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "OpenAFS, rx/rx_packet.h, rx/rx.h"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .least_length = 28,
        .octets = {{{20, ByteSet::range(1, 13)}, {23, ByteSet::range(0, 5)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<Header, 2> last{};
        bool echoed = false;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const Header header = read(payload.bytes);
                if (payload.bytes.size() < 28) {
                    return ran_out(payload);
                }
                if (header.kind == 0 || header.kind > 13 || header.security > 5 ||
                    header.epoch == 0 || header.service == 0) {
                    return Reading::contradicts;
                }
                const Header& mine = last[index_of(payload.direction)];
                const Header& theirs = last[index_of(opposite(payload.direction))];
                // A connection may be one of many on the flow: the epoch and the service tell.
                if ((!first && mine.service != header.service && mine.epoch != header.epoch)) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Kind 4, security 5.
                    evidence.add(kHeader, head, payload.entry, 20, 1, 4);
                    evidence.add(kHeader, head, payload.entry, 23, 1, 5);
                } else if (mine.epoch == header.epoch && mine.connection == header.connection &&
                           mine.service == header.service &&
                           header.serial - mine.serial - 1U < kMostStep) {
                    // A constant word is common; epoch and connection half of 62, a serial that
                    // goes on 12.
                    evidence.add(kSequence, head, payload.entry, 16, 4, 12);
                    evidence.add(kSequence, head, payload.entry, 0, 7, 12);
                }
                if (theirs.kind != 0 && theirs.epoch == header.epoch &&
                    theirs.connection == header.connection && theirs.service == header.service &&
                    theirs.by_client != header.by_client) {
                    evidence.add(kEcho, head, payload.entry, 0, 7, echoed ? 4 : 48);
                    echoed = true;
                    evidence.set_initiator(header.by_client ? payload.direction
                                                            : opposite(payload.direction));
                }
                last[index_of(payload.direction)] = header;
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kMostStep = 64;

    struct Header {
        std::uint32_t epoch = 0;
        std::uint32_t connection = 0;
        std::uint32_t serial = 0;
        std::uint16_t service = 0;
        std::uint8_t kind = 0;
        std::uint8_t security = 0;
        bool by_client = false;
    };
    static Header read(Bytes bytes) noexcept {
        ByteReader reader(bytes);
        Header header;
        header.epoch = reader.be32();
        header.connection = reader.be32() >> 2U;
        reader.skip(8);
        header.serial = reader.be32();
        header.kind = reader.u8();
        header.by_client = (reader.u8() & 1U) != 0;
        reader.skip(1);
        header.security = reader.u8();
        reader.skip(2);
        header.service = reader.be16();
        return header;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::afs
