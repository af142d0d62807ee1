// Minecraft, Java edition (wiki.vg: Protocol, Server List Ping), TCP. Numbers are of 7 bits an
// octet.
//
//  handshake: length | 00 | version, a number | address: length, text | port 2 | next state 1, 2 or
//  3 status:    01 00 asks | length, 00, length, "{" JSON answers login:     length | 00 | name:
//  length 3..16, letters old ping:  FE 01 | FA 000B "MC|PingHost" in UTF-16
//
// Sources: wiki.vg: Protocol, Server List Ping.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::minecraft {

inline constexpr Rule kHandshake{
    "minecraft.handshake",
    "a handshake whose text and lengths fill it, with a next state of 1 to 3; Protocol §Handshake"};
inline constexpr Rule kNext{"minecraft.next",
                            "a status request or a login start follows; Protocol §Status, §Login"};
inline constexpr Rule kStatus{
    "minecraft.status", "the answer is a packet 0 with a JSON object; Server List Ping §Response"};
inline constexpr Rule kOld{"minecraft.old_ping",
                           "FE 01 FA and MC|PingHost in UTF-16; Server List Ping §1.6"};

inline constexpr std::array<std::uint16_t, 1> kPorts{25565};
inline constexpr std::array<const Rule*, 4> kRules{&kHandshake, &kNext, &kStatus, &kOld};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "minecraft",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Minecraft, Java edition",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "wiki.vg: Protocol, Server List Ping"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::range(0x06, 0x40) | ByteSet::range(0x80, 0xff),
        .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    struct Number {
        std::uint32_t value = 0;
        bool ok = false;
    };

    static Number read_number(ByteReader& reader) noexcept {
        Number number;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const std::uint8_t octet = reader.u8();
            number.value |= static_cast<std::uint32_t>(octet & 0x7fU) << (shift < 32 ? shift : 0);
            if ((octet & 0x80U) == 0) {
                number.ok = reader.ok();
                return number;
            }
        }
        return number;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        if (side.at(0).u8() == 0xfe) {
            return add_old(evidence, side);
        }
        ByteReader reader = side.at(0);
        const Number length = read_number(reader);
        const std::size_t body = reader.position();
        const bool packet = reader.u8() == 0;
        if (!length.ok || !packet || !reader.ok()) {
            return side.size() < 4;
        }
        return add_handshake(evidence, side, reader, body, length.value) ||
               add_status(evidence, side, body, length.value) || !side.from_start();
    }

    static bool add_handshake(Evidence& evidence,
                              const StreamSide& side,
                              ByteReader reader,
                              std::size_t body,
                              std::size_t length) noexcept {
        const std::size_t end = body + length;
        const Number version = read_number(reader);
        const Number size = read_number(reader);
        const std::size_t text = reader.position();
        const Bytes address = reader.bytes(size.value);
        const std::uint16_t port = reader.be16();
        const std::uint8_t state = reader.u8();
        if (!reader.ok() || !version.ok || !size.ok || size.value == 0 || size.value > 255 ||
            reader.position() != end || port == 0 || state < 1 || state > 3) {
            return false;
        }
        // Forge and proxies put marks behind a zero.
        const std::size_t name = static_cast<std::size_t>(
            std::find(address.begin(), address.end(), 0) - address.begin());
        if (name < 1 || !all_printable(address.first(name))) {
            return false;
        }
        // Packet 0, lengths that agree, a state of three: 6 + 8 + 6. Printable octets 1.4 each.
        side.add(evidence, kHandshake, 0, body + 1, 14);
        side.add(evidence,
                 kHandshake,
                 text - 1,
                 1 + name,
                 6 + 1.4 * static_cast<double>(std::min<std::size_t>(name, 12)));
        side.add(evidence, kHandshake, end - 1, 1, 6);
        evidence.set_initiator(side.direction());
        ByteReader next = side.at(end);
        const std::uint8_t first = next.u8();
        const std::uint8_t second = next.u8();
        const std::uint8_t third = next.u8();
        if (state == 1 && first == 1 && second == 0) {
            side.add(evidence, kNext, end, 2, 14);
        } else if (state == 2 && next.ok() && second == 0 && third >= 3 && third <= 16 &&
                   first >= third + 2) {
            side.add(evidence, kNext, end, 3, 14);
        }
        return true;
    }

    static bool add_status(Evidence& evidence,
                           const StreamSide& side,
                           std::size_t body,
                           std::size_t length) noexcept {
        ByteReader reader = side.at(body + 1);
        const Number size = read_number(reader);
        const std::size_t text = reader.position();
        if (!size.ok || text + size.value != body + length ||
            !has_text(side.stream(), "{\"", text)) {
            return false;
        }
        // Packet 0 and two lengths that agree: 6 + 14; two octets 12.
        side.add(evidence, kStatus, 0, text, 20);
        side.add(evidence, kStatus, text, 2, 12);
        evidence.set_initiator(opposite(side.direction()));
        return true;
    }

    static bool add_old(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::array<std::uint8_t, 27> kPing{0xfe, 0x01, 0xfa, 0, 11,  0, 'M', 0, 'C', 0,
                                                     '|',  0,    'P',  0, 'i', 0, 'n', 0, 'g', 0,
                                                     'H',  0,    'o',  0, 's', 0, 't'};
        const Bytes found = side.at(0).bytes(kPing.size());
        if (!std::equal(found.begin(), found.end(), kPing.begin(), kPing.end())) {
            return false;
        }
        side.add(evidence, kOld, 0, kPing.size(), 96);
        evidence.set_initiator(side.direction());
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::minecraft
