// What an IP packet inside a payload carries: ICMP, TCP, UDP, with the checksum where all of it was
// kept.
// Takes: a payload and where the IP packet begins and ends in it. Gives: addresses, protocol, and
// what the transport header proves. Guarantees: a part covers only octets that were compared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint {

struct InnerTransport {
    Bytes source;
    Bytes destination;
    bool fragment = false;
    std::size_t addresses_at = 0;  // in the payload
    std::uint8_t protocol = 0;
    std::size_t form_at = 0;      // octets that have the protocol's form, in the payload
    std::size_t form_length = 0;  // 0: there are none
    double form_bits = 0;
    std::size_t message_at = 0;
    std::size_t message_length = 0;  // 0: the checksum is not known to be right
};

namespace inner {

inline std::uint32_t sum_of(Bytes octets, std::uint32_t sum) noexcept {
    ByteReader reader(octets);
    while (reader.remaining() >= 2) {
        sum += reader.be16();
    }
    return reader.remaining() == 1 ? sum + (std::uint32_t{reader.u8()} << 8U) : sum;
}

// RFC 1071; TCP, UDP and ICMPv6 sum a pseudo header too (RFC 9293 §3.1, RFC 8200 §8.1).
inline bool is_transport_sum_right(const InnerTransport& found, Bytes message) noexcept {
    std::uint32_t sum = sum_of(message, 0);
    if (found.protocol != 1) {
        sum = sum_of(found.destination, sum_of(found.source, sum));
        sum += found.protocol + static_cast<std::uint32_t>(message.size());
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return sum == 0xffff;
}

// The message begins at `offset`; `length` octets of it were on the wire.
inline void read_transport(InnerTransport& found,
                           Bytes payload,
                           std::size_t offset,
                           std::size_t length) noexcept {
    const std::size_t kept = payload.size() > offset ? payload.size() - offset : 0;
    ByteReader reader = at(payload, offset);
    std::size_t checksum_at = 0;
    if (found.protocol == 17 && length >= 8) {
        reader.skip(4);
        const bool fits = reader.be16() == length && reader.ok();
        checksum_at = 6;
        found.form_at = offset + 4;
        found.form_length = fits ? 2 : 0;
        found.form_bits = fits ? 12 : 0;  // a small number
    } else if (found.protocol == 6 && length >= 20) {
        reader.skip(12);
        const std::size_t header = (reader.u8() >> 4U) * std::size_t{4};
        const bool fits = reader.ok() && header >= 20 && header <= length;
        checksum_at = 16;
        found.form_at = offset + 12;
        found.form_length = fits ? 1 : 0;
        found.form_bits = fits ? 2 : 0;  // at most 11 of 16
    } else if ((found.protocol == 1 || found.protocol == 58) && length >= 8) {
        const std::uint8_t type = reader.u8();
        const bool echo = found.protocol == 1 ? type == 0 || type == 8 : type == 128 || type == 129;
        const bool fits = reader.u8() == 0 && reader.ok() && echo;
        checksum_at = 2;
        found.form_at = offset;
        found.form_length = fits ? 2 : 0;
        found.form_bits = fits ? 8 : 0;  // two types 5, code zero 3
    }
    const bool sent = at(payload, offset + checksum_at).be16() != 0;
    if (found.form_length == 0 || kept < length || !sent) {
        return;
    }
    if (is_transport_sum_right(found, payload.subspan(offset, length))) {
        found.message_at = offset;
        found.message_length = length;
    }
}

}  // namespace inner

// The IP packet [begin, end) of a payload; its form is someone else's to prove.
inline InnerTransport read_inner_transport(Bytes payload,
                                           std::size_t begin,
                                           std::size_t end) noexcept {
    InnerTransport found;
    ByteReader reader = at(payload, begin);
    const std::uint8_t first = reader.u8();
    const bool v6 = first >> 4U == 6;
    const std::size_t header = v6 ? 40 : (first & 15U) * std::size_t{4};
    const std::size_t address = v6 ? 16 : 4;
    found.addresses_at = begin + (v6 ? 8 : 12);
    ByteReader addresses = at(payload, found.addresses_at);
    found.source = addresses.bytes(address);
    found.destination = addresses.bytes(address);
    found.protocol = at(payload, begin + (v6 ? 6 : 9)).u8();
    // RFC 791 §3.1: more fragments, or an offset.
    found.fragment = !v6 && (at(payload, begin + 6).be16() & 0x3fffU) != 0;
    if (addresses.ok() && !found.fragment && begin + header < end) {
        inner::read_transport(found, payload, begin + header, end - begin - header);
    }
    return found;
}

}  // namespace flowclass::fingerprint
