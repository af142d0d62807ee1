// The messages of SOCKS 4, 4A and 5, read from one direction's stream.
//
// SOCKS 5 (RFC 1928; user names and passwords: RFC 1929)
//  client:  5 | count 1 | methods          server:  5 | method, 0xff for none
//  client:  1 | length 1 | name | length 1 | password   server:  1 | status     (method 2 only)
//  client:  5 | command 1..3 | 0 | address | port 2     server:  5 | reply 0..8 | 0 | address |
//  port address: 1 IPv4 4, 3 length 1 + name, 4 IPv6 16
// SOCKS 4 (the protocol's note by Y. Lee), 4A
//  client:  4 | command 1..2 | port 2 | address 4 | user | 0 [ | name | 0 for addresses 0.0.0.x ]
//  server:  0 | reply 0x5a..0x5d | port 2 | address 4
//
// Takes: the kept beginning of a stream. Gives: which messages stand where. Guarantees: a message
// that runs out of octets is left out and contradicts nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::socks {

struct Part {
    std::size_t offset = 0;
    std::size_t length = 0;  // 0: not said
    [[nodiscard]] std::size_t end() const noexcept { return offset + length; }
};

struct Side {
    bool fits = false;
    bool server = false;
    Part greeting;            // or the choice of a method; not in version 4
    Part password;            // or its status
    Part request;             // or the reply: all of it
    Part name;                // of the destination
    bool no_address = false;  // version 4A

    // Where the proxied stream begins; 0 when the messages before it were not seen.
    [[nodiscard]] std::size_t carried() const noexcept {
        return request.length == 0 ? 0 : request.end();
    }
};

inline constexpr std::uint8_t kVersion4 = 4;
inline constexpr std::uint8_t kVersion5 = 5;
inline constexpr std::uint8_t kNoMethod = 0xff;
inline constexpr std::uint8_t kPasswordMethod = 2;

// IANA "SOCKS Methods": 0 to 9 without 4. Those for private use, 0x80 to 0xfe, are half of all
// octets and are left out: they would prove nothing.
constexpr bool is_method(std::uint8_t method) noexcept {
    return method <= 9 && method != 4;
}
// Methods whose messages are not read here.
constexpr bool is_other_method(std::uint8_t method) noexcept {
    return method != 0 && method != kPasswordMethod && method != kNoMethod;
}

inline bool is_host_name(Bytes name) noexcept {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](std::uint8_t octet) {
        const bool letter = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
        return letter || is_digit(octet) || octet == '-' || octet == '.' || octet == '_' ||
               octet == ':';
    });
}

// A request or a reply of version 5 at `from`; the two have one form.
inline Reading read_request5(Bytes stream, std::size_t from, Side& side) noexcept {
    ByteReader reader = at(stream, from);
    const std::uint8_t version = reader.u8();
    const std::uint8_t code = reader.u8();
    const std::uint8_t reserved = reader.u8();
    const std::uint8_t type = reader.u8();
    if (!reader.ok()) {
        return Reading::cut;
    }
    const bool known = side.server ? code <= 8 : code >= 1 && code <= 3;
    if (version != kVersion5 || !known || reserved != 0 || (type != 1 && type != 3 && type != 4)) {
        return Reading::contradicts;
    }
    std::size_t length = type == 1 ? 4 : 16;
    Part name;
    if (type == 3) {
        length = reader.u8();
        name = {reader.position(), length};
        const Bytes octets = at(stream, name.offset).bytes(length);
        if (reader.ok() && (length == 0 || (!octets.empty() && !is_host_name(octets)))) {
            return Reading::contradicts;
        }
    }
    reader.skip(length + 2);
    if (!reader.ok()) {
        return Reading::cut;
    }
    side.name = name;
    side.request = {from, reader.position() - from};
    return Reading::fits;
}

// The client's side of version 5 from its greeting on.
inline Side read_client5(Bytes stream) noexcept {
    Side side;
    ByteReader reader(stream);
    const std::uint8_t version = reader.u8();
    const std::uint8_t count = reader.u8();
    const Bytes methods = reader.bytes(count);
    std::array<bool, 256> offered{};
    side.fits = reader.ok() && version == kVersion5 && count >= 1 && count <= 9;
    for (const std::uint8_t method : methods) {
        side.fits = side.fits && is_method(method) && !offered[method];
        offered[method] = true;
    }
    if (!side.fits) {
        return side;
    }
    side.greeting = {0, reader.position()};
    std::size_t end = side.greeting.end();
    if (offered[kPasswordMethod] && at(stream, end).u8() == 1) {
        reader.skip(1);
        const std::size_t name = reader.u8();
        reader.skip(name);
        const std::size_t password = reader.u8();
        reader.skip(password);
        if (!reader.ok() || name == 0) {
            side.fits = !reader.ok();
            return side;
        }
        side.password = {end, reader.position() - end};
        end = side.password.end();
    }
    const bool others = std::any_of(
        methods.begin(), methods.end(), [](std::uint8_t m) { return is_other_method(m); });
    side.fits = read_request5(stream, end, side) != Reading::contradicts || others;
    return side;
}

// The server's side of version 5 from its choice of a method on.
inline Side read_server5(Bytes stream) noexcept {
    Side side;
    side.server = true;
    ByteReader reader(stream);
    const std::uint8_t version = reader.u8();
    const std::uint8_t method = reader.u8();
    side.fits = reader.ok() && version == kVersion5 && (is_method(method) || method == kNoMethod);
    if (!side.fits) {
        return side;
    }
    side.greeting = {0, 2};
    std::size_t end = 2;
    if (method == kPasswordMethod) {
        const std::uint8_t first = reader.u8();
        reader.skip(1);
        if (!reader.ok() || first != 1) {
            side.fits = !reader.ok();
            return side;
        }
        side.password = {2, 2};
        end = 4;
    }
    if (method == kNoMethod) {
        side.fits = stream.size() == end;
        return side;
    }
    side.fits = read_request5(stream, end, side) != Reading::contradicts || is_other_method(method);
    return side;
}

// Version 5, the greeting perhaps outside the capture.
inline Side read_side5(Bytes stream, bool server) noexcept {
    const Side whole = server ? read_server5(stream) : read_client5(stream);
    if (whole.fits && whole.request.length != 0) {
        return whole;
    }
    Side later;
    later.server = server;
    later.fits = read_request5(stream, 0, later) == Reading::fits;
    return later.fits ? later : whole;
}

// The client's request of version 4 or 4A.
inline Side read_client4(Bytes stream) noexcept {
    constexpr std::size_t kFixed = 8;
    Side side;
    ByteReader reader(stream);
    const std::uint8_t version = reader.u8();
    const std::uint8_t command = reader.u8();
    const std::uint16_t port = reader.be16();
    const std::uint32_t address = reader.be32();
    if (!reader.ok() || version != kVersion4 || command < 1 || command > 2 || port == 0 ||
        address == 0) {
        return side;
    }
    side.no_address = address <= 0xff;
    std::size_t end = kFixed;
    for (std::size_t text = 0; text < (side.no_address ? 2U : 1U); ++text) {
        const std::size_t begin = end;
        while (end < stream.size() && is_printable(stream[end])) {
            ++end;
        }
        if (end >= stream.size() || stream[end] != 0) {
            return side;
        }
        if (text == 1) {
            side.name = {begin, end - begin};
        }
        ++end;
    }
    side.fits =
        !side.no_address || is_host_name(at(stream, side.name.offset).bytes(side.name.length));
    side.request = {0, end};
    return side;
}

inline Side read_server4(Bytes stream) noexcept {
    Side side;
    side.server = true;
    side.fits = stream.size() >= 8 && stream[0] == 0 && stream[1] >= 0x5a && stream[1] <= 0x5d;
    side.request = {0, 8};
    return side;
}

}  // namespace flowclass::fingerprint::socks
