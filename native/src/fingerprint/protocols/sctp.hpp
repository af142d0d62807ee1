// SCTP over IP (RFC 9260 §3). The head begins behind the common header of twelve octets, at the
// first chunk.
//
// 0 kind | 1 flags | 2 length 2, with these four | value, to words; more chunks
//
// Sources: RFC 9260, RFC 4960, RFC 3758, RFC 5061.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::sctp {

inline constexpr Rule kHeader{
    "sctp.chunk",
    "IP protocol 132 and a first chunk of known kind whose length fits; RFC 9260 §3.2"};
inline constexpr Rule kChain{"sctp.chain", "the chunks end with the packet; RFC 9260 §3"};

inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kChain};

inline constexpr std::uint8_t kSctp = 132;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "sctp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Stream Control Transmission Protocol",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 9260, RFC 4960, RFC 3758, RFC 5061"};
    static constexpr Prefilter prefilter{.ip_protos = {kSctp}, .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                std::size_t offset = 0;
                std::size_t chunks = 0;
                std::size_t last = 0;
                while (offset + 4 <= payload.bytes.size() && chunks < kMostChunks) {
                    ByteReader reader = at(payload.bytes, offset);
                    const std::uint8_t kind = reader.u8();
                    reader.skip(1);
                    const std::uint16_t length = reader.be16();
                    if (!is_chunk(kind) || length < 4 || offset + length > payload.length) {
                        return payload.bytes.size() < payload.length && chunks > 0
                                   ? Reading::cut
                                   : Reading::contradicts;
                    }
                    last = offset;
                    offset += (length + std::size_t{3}) / 4 * 4;
                    ++chunks;
                }
                if (chunks == 0) {
                    return ran_out(payload);
                }
                if (first) {
                    // Two dozen kinds 3, a length that fits 6; the end 8.
                    found.add(kHeader, head, payload.entry, 0, 1, 3);
                    found.add(kHeader, head, payload.entry, 2, 2, 6);
                    if (offset >= payload.length && offset < payload.length + std::size_t{4} &&
                        last != 0) {
                        found.add(kChain, head, payload.entry, last + 2, 2, 8);
                    }
                }
                return Reading::fits;
            });
        if (!evidence.empty()) {
            evidence.set_assigned_ip_protocol();
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kMostChunks = 8;
    // IANA "Chunk Types".
    static constexpr bool is_chunk(std::uint8_t kind) noexcept {
        return kind <= 15 || kind == 0x40 || (kind >= 0x80 && kind <= 0x84) || kind == 0xc0 ||
               kind == 0xc1 || kind == 0xc2;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::sctp
