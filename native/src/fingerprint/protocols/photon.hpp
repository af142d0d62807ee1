// Photon, the transport of Exit Games' game servers.
//
// 0 peer 2, ffff before it is given | 2 flags | 3 commands | 4 time 4 | 8 challenge 4
// 12 commands: kind 1..16 | channel | flags 0..3 | reserved | length with these twelve 4 | number 4
// | ...
//
// Sources: public packet parsers of Photon games (Albion Online community).
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::photon {

inline constexpr Rule kCommands{
    "photon.commands",
    "as many commands as the header counts, up to the end; public packet parsers of Photon games"};
inline constexpr Rule kChallenge{
    "photon.challenge",
    "the other side has the same challenge; public packet parsers of Photon games"};
inline constexpr Rule kPort{"photon.port", "UDP port 5055 or 5056 or 5058 on either side"};

inline constexpr std::array<std::uint16_t, 3> kPorts{5055, 5056, 5058};
inline constexpr std::array<const Rule*, 3> kRules{&kCommands, &kChallenge, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "photon",
        .protocol_class = ProtocolClass::app,
        .title = "Photon",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "public packet parsers of Photon games (Albion Online community)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .least_length = 24,
        .octets = {{{3, ByteSet::range(1, 64)}, {2, ByteSet::of({0, 1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> challenges;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader = at(payload.bytes, 2);
                const std::uint8_t flags = reader.u8();
                const std::uint8_t count = reader.u8();
                reader.skip(4);
                const std::uint32_t challenge = reader.be32();
                if (!reader.ok() || payload.bytes.size() < 24) {
                    return ran_out(payload);
                }
                if (flags > 1 || count == 0 || count > kMostCommands) {
                    return Reading::contradicts;
                }
                const Walk walk = read_commands(payload, count);
                if (walk.commands == 0) {
                    return walk.reading;
                }
                if (first) {
                    // Two zero octets of each length 8, the end 16, kinds 4; flags and count 10.
                    evidence.add(kCommands, head, payload.entry, 2, 2, 10);
                    evidence.add(kCommands, head, payload.entry, walk.last, 1, 4);
                    evidence.add(kCommands,
                                 head,
                                 payload.entry,
                                 walk.last + 4,
                                 4,
                                 walk.to_the_end ? 24 : 12);
                }
                if (challenges.answers(payload, challenge)) {
                    evidence.add(kChallenge, head, payload.entry, 8, 4, 28);
                }
                challenges.say(payload, challenge);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint8_t kMostCommands = 64;

    struct Walk {
        Reading reading = Reading::contradicts;
        std::size_t commands = 0;
        std::size_t last = 0;
        bool to_the_end = false;
    };
    static Walk read_commands(const Payload& payload, std::uint8_t count) noexcept {
        Walk walk;
        std::size_t offset = 12;
        std::size_t commands = 0;
        while (commands < count && offset + 12 <= payload.bytes.size()) {
            ByteReader reader = at(payload.bytes, offset);
            const std::uint8_t kind = reader.u8();
            reader.skip(1);
            const std::uint8_t flags = reader.u8();
            reader.skip(1);
            const std::uint32_t length = reader.be32();
            if (kind == 0 || kind > 16 || flags > 3 || length < 12 ||
                length > payload.length - offset) {
                return walk;
            }
            walk.last = offset;
            offset += length;
            ++commands;
        }
        walk.to_the_end = commands == count && offset == payload.length;
        if (walk.to_the_end ||
            (commands > 0 && commands < count && payload.bytes.size() < payload.length)) {
            walk.commands = commands;
            walk.reading = Reading::fits;
        }
        return walk;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::photon
