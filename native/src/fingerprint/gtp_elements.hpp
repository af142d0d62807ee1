// Information elements of the GPRS tunnelling protocol, walked as far as they were kept.
// Takes: a payload and the octets [offset, end) of a message's elements. Gives: how many elements
// of known types chain, and whether they end where the message does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::gtp {

struct Element {
    std::size_t offset = 0;
    bool fixed = false;  // one octet of type alone tells its length
};

struct Chain {
    static constexpr std::size_t kMostElements = 12;

    Reading reading = Reading::fits;
    std::array<Element, kMostElements> elements{};
    std::size_t count = 0;  // whose beginning was kept
    bool complete = false;  // ends with the message
};

// Length of the value of a version 1 element of type below 128 (3GPP TS 29.060 §7.7); 0: no such.
inline std::size_t fixed_length(std::uint8_t type) noexcept {
    switch (type) {
        case 1:    // cause
        case 8:    // reordering required
        case 11:   // MAP cause
        case 13:   // MS validated
        case 14:   // recovery
        case 15:   // selection mode
        case 19:   // teardown
        case 20:   // NSAPI
        case 21:   // RANAP cause
        case 23:   // radio priority, short messages
        case 24:   // radio priority
        case 29:   // MS not reachable reason
        case 126:  // packet transfer command, GTP'
            return 1;
        case 25:  // packet flow id
        case 26:  // charging characteristics
        case 27:  // trace reference
        case 28:  // trace type
            return 2;
        case 12:  // P-TMSI signature
            return 3;
        case 4:    // TLLI
        case 5:    // P-TMSI
        case 16:   // TEID data I
        case 17:   // TEID control plane
        case 127:  // charging id
            return 4;
        case 18:  // TEID data II
            return 5;
        case 3:  // routeing area
            return 6;
        case 2:  // IMSI
            return 8;
        case 22:  // RAB context
            return 9;
        case 9:  // authentication triplet
            return 28;
        default:
            return 0;
    }
}

// Version 1 and GTP': type, then a fixed value or a length be16 and a value.
inline Chain walk_v1(const Payload& payload, std::size_t offset, std::size_t end) noexcept {
    Chain chain;
    while (offset < end && chain.count < Chain::kMostElements) {
        ByteReader reader = at(payload.bytes, offset);
        const std::uint8_t type = reader.u8();
        std::size_t size = 1 + fixed_length(type);
        if (type >= 128) {
            size = std::size_t{3} + reader.be16();
        }
        if (!reader.ok()) {
            return chain;  // behind the kept octets
        }
        if (size == 1 || offset + size > end) {
            chain.reading = Reading::contradicts;
            return chain;
        }
        chain.elements[chain.count++] = {offset, type < 128};
        offset += size;
    }
    chain.complete = offset == end;
    return chain;
}

// Version 2 (3GPP TS 29.274 §8.2.1): type, length be16, four spare bits and an instance, value.
inline Chain walk_v2(const Payload& payload, std::size_t offset, std::size_t end) noexcept {
    Chain chain;
    while (offset < end && chain.count < Chain::kMostElements) {
        ByteReader reader = at(payload.bytes, offset);
        const std::uint8_t type = reader.u8();
        const std::size_t size = std::size_t{4} + reader.be16();
        const std::uint8_t spare = reader.u8() >> 4U;
        if (!reader.ok()) {
            return chain;
        }
        if (type == 0 || spare != 0 || offset + size > end) {
            chain.reading = Reading::contradicts;
            return chain;
        }
        chain.elements[chain.count++] = {offset, false};
        offset += size;
    }
    chain.complete = offset == end;
    return chain;
}

}  // namespace flowclass::fingerprint::gtp
