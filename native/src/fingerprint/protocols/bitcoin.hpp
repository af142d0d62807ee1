// Bitcoin's peer protocol (Bitcoin developer reference: P2P network), TCP.
//
//  0 magic 4: F9BEB4D9 main, 0B110907 test 3, 1C163F28 test 4, FABFB5DA regression, 0A03CF40 signet
//  4 command 12, letters and zeros | 16 length 4, little-endian | 20 checksum 4 | version: 24 ...
//
// Sources: Bitcoin developer reference, P2P network: Message headers; bitcoin/bitcoin
// src/kernel/chainparams.cpp; BIP 325.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::bitcoin {

inline constexpr Rule kMagic{"bitcoin.magic", "the magic of one of five networks; Message headers"};
inline constexpr Rule kCommand{"bitcoin.command",
                               "a command in small letters, filled up with zeros; Message headers"};

inline constexpr std::array<std::uint16_t, 2> kPorts{8333, 18333};
inline constexpr std::array<const Rule*, 2> kRules{&kMagic, &kCommand};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "bitcoin",
        .protocol_class = ProtocolClass::app,
        .title = "Bitcoin",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources =
            "Bitcoin developer reference, P2P network: Message headers; bitcoin/bitcoin "
            "src/kernel/chainparams.cpp; BIP 325"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({0xf9, 0x0b, 0x1c, 0xfa, 0x0a}),
                                         .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool is_magic(std::uint32_t magic) noexcept {
        return magic == 0xf9beb4d9 || magic == 0x0b110907 || magic == 0x1c163f28 ||
               magic == 0xfabfb5da || magic == 0x0a03cf40;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint32_t magic = reader.be32();
        const Bytes command = reader.bytes(12);
        const std::uint32_t length = reader.le32();
        if (!reader.ok()) {
            return true;
        }
        std::size_t letters = 0;
        while (letters < command.size() && ((command[letters] >= 'a' && command[letters] <= 'z') ||
                                            is_digit(command[letters]))) {
            ++letters;
        }
        const bool filled = std::all_of(command.begin() + static_cast<std::ptrdiff_t>(letters),
                                        command.end(),
                                        [](std::uint8_t octet) { return octet == 0; });
        if (!is_magic(magic) || letters < 2 || !filled || length > 32U * 1024 * 1024) {
            return !side.from_start();
        }
        side.add(evidence, kMagic, 0, 4, 29);
        // Letters 2 each, zeros 4 each.
        side.add(evidence,
                 kCommand,
                 4,
                 12,
                 2.0 * static_cast<double>(letters) + 3.0 * static_cast<double>(12 - letters));
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bitcoin
