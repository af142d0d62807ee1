// WhatsApp's own transport over TCP (Noise), as its open clients speak it.
//
//  client: ["ED" 00 01 | length 3 | routing] "WA" version: major, minor | length 3 | Noise message:
//          12 length 22 0A 20 key 32
//  server: length 3 | 1A length 2 0A 20 key 32 12 30 ...
//  older:  "WA" 01 02..06 and binary XML
//
// Sources: WhiskeySockets/Baileys src/Defaults (NOISE_WA_HEADER), src/Utils/noise-handler;
// tulir/whatsmeow socket/constants.go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::whatsapp {

inline constexpr Rule kRouting{"whatsapp.routing",
                               "the letters ED, 00 01, and routing of its length; noise-handler"};
inline constexpr Rule kHeader{"whatsapp.header",
                              "the letters WA and a version in use; NOISE_WA_HEADER"};
inline constexpr Rule kHello{
    "whatsapp.hello", "a client hello of Noise with a key of 32 octets; whatsmeow handshake"};
inline constexpr Rule kAnswer{"whatsapp.answer",
                              "a length of three octets that leads to a segment end, and a server "
                              "hello; whatsmeow handshake"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5222};
inline constexpr std::array<const Rule*, 4> kRules{&kRouting, &kHeader, &kHello, &kAnswer};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "whatsapp",
        .protocol_class = ProtocolClass::app,
        .title = "WhatsApp",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources =
            "WhiskeySockets/Baileys src/Defaults (NOISE_WA_HEADER), src/Utils/noise-handler; "
            "tulir/whatsmeow socket/constants.go"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'E', 'W'}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            if (add_client(evidence, side)) {
                add_server(evidence, StreamSide{head, opposite(side.direction())});
                evidence.set_initiator(side.direction());
                return evidence;
            }
        }
        return {};
    }

  private:
    static bool add_client(Evidence& evidence, const StreamSide& side) noexcept {
        std::size_t offset = 0;
        ByteReader reader = side.at(0);
        if (reader.be32() == 0x45440001) {
            const std::size_t length = reader.be24();
            if (!reader.ok() || length > 2000) {
                return false;
            }
            // Four octets of two letters and two small numbers 24; a length's high octet 6.
            side.add(evidence, kRouting, 0, 5, 30);
            offset = 7 + length;
            if (offset >= side.size()) {
                return true;
            }
            reader = side.at(offset);
        } else {
            reader = side.at(0);
        }
        const std::uint16_t letters = reader.be16();
        const std::uint8_t major = reader.u8();
        const std::uint8_t minor = reader.u8();
        const std::size_t length = reader.be24();
        const std::uint16_t hello = reader.be16();
        if (!reader.ok()) {
            return offset > 0;
        }
        const bool noise = major >= 4 && major <= 6 && minor <= 16;
        if (letters != 0x5741 || !(noise || (major == 1 && minor >= 2 && minor <= 6)) ||
            length > 4096) {
            return false;
        }
        // Two letters 11, a version 10, the length's high octet and three bits 8.
        side.add(evidence, kHeader, offset, 5, 29);
        if (noise && (hello & 0xff00U) == 0x1200 && reader.be16() == 0x220a) {
            side.add(evidence, kHello, offset + 7, 1, 6);
            side.add(evidence, kHello, offset + 9, 2, 14);
        }
        return true;
    }

    static void add_server(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::size_t length = reader.be24();
        const std::uint8_t field = reader.u8();
        if (reader.ok() && length > 3 && length < 4096 && side.is_end(3 + length)) {
            // The high octet and four bits 10, the end 4.
            side.add(evidence, kAnswer, 0, 3, 12);
            if (field == 0x1a) {
                side.add(evidence, kAnswer, 3, 1, 7);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::whatsapp
