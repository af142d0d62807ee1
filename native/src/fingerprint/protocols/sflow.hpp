// sFlow version 5 (and 2, 4 of the same beginning): samples of an agent, all in XDR words.
//
// 0 version 4 | 4 address kind 4: 1 IPv4, 2 IPv6 | 8 agent address 4 or 16 | sub-agent 4 (version
// 5) | sequence 4 | uptime 4 | samples 4 samples: format 4 (enterprise 20 bits, number 12) | length
// 4 | ...
//
// Sources: sFlow Version 5 (sflow.org).
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::sflow {

inline constexpr Rule kHeader{
    "sflow.header", "version 5, an address kind of 1 or 2; sFlow Version 5, Datagram format"};
inline constexpr Rule kSamples{"sflow.samples",
                               "a small count, a first sample of known format whose length fits; "
                               "sFlow Version 5, Datagram format"};
inline constexpr Rule kSequence{
    "sflow.sequence", "the same agent, and a sequence number a little higher; sFlow Version 5"};
inline constexpr Rule kPort{"sflow.port", "UDP port 6343 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6343};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kSamples, &kSequence, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "sflow",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "sFlow",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "sFlow Version 5 (sflow.org)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x00}), .least_length = 36};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint32_t, 2> sequence{};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint32_t version = reader.be32();
                const std::uint32_t address = reader.be32();
                reader.skip(address == 2 ? 16 : 4);
                reader.skip(4);
                const std::size_t sequence_at = reader.position();
                const std::uint32_t number = reader.be32();
                reader.skip(4);
                const std::uint32_t samples = reader.be32();
                const std::size_t sample_at = reader.position();
                const std::uint32_t format = reader.be32();
                const std::uint32_t length = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (version != 5 || address == 0 || address > 2 || samples == 0 ||
                    samples > kMostSamples || length % 4 != 0 ||
                    sample_at + 8 + std::size_t{length} > payload.length) {
                    return Reading::contradicts;
                }
                const bool standard = format >= 1 && format <= 5;  // enterprise 0
                if (first) {
                    // Three zero octets and one constant, twice: 14 each.
                    evidence.add(kHeader, head, payload.entry, 0, 8, 28);
                    // Three zero octets; a length of whole words that fits.
                    evidence.add(kSamples, head, payload.entry, sample_at - 4, 4, 12);
                    evidence.add(kSamples,
                                 head,
                                 payload.entry,
                                 standard ? sample_at : sample_at + 4,
                                 standard ? 8 : 4,
                                 standard ? 28 : 12);
                } else if (number - sequence[index_of(payload.direction)] - 1U < 64) {
                    evidence.add(kSequence, head, payload.entry, sequence_at, 4, 12);
                }
                sequence[index_of(payload.direction)] = number;
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kMostSamples = 256;
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::sflow
