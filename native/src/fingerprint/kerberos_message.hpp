// The beginning of a Kerberos 5 message (RFC 4120 §5), over UDP or behind TCP's length.
// Takes: its octets, and how many it has on the wire. Gives: what kind it is and where its first
// two fields lie. Guarantees: lengths that do not lead from one to the next contradict.
//
//  application tag 10..15, 20..22, 30 | SEQUENCE | [0 or 1] INTEGER 5 | [next] INTEGER type = tag
//
// Requests to the KDC (AS-REQ, TGS-REQ) number their fields from 1, all others from 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/ber.hpp"
#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint {

struct KerberosMessage {
    Reading reading = Reading::contradicts;
    std::uint8_t type = 0;       // 10 AS-REQ, 11 AS-REP, 12 TGS-REQ, 13 TGS-REP, 14 AP-REQ, ...
    std::size_t fields = 0;      // where the version's field begins
    std::size_t fields_end = 0;  // behind the type's field
    std::size_t length = 0;      // of the whole message
    // AS-REQ, TGS-REQ, AP-REQ and what a client alone says.
    [[nodiscard]] bool is_request() const noexcept {
        return type == 10 || type == 12 || type == 14;
    }
    [[nodiscard]] bool is_reply() const noexcept {
        return type == 11 || type == 13 || type == 15 || type == 30;
    }
};

// Bits of a message that fits: 10 tags of 256 and the SEQUENCE's 12, two lengths that agree 6.
inline constexpr double kKerberosTagBits = 18;
// Ten octets with one value each, small numbers and repeated lengths: 6 of 8 bits.
inline constexpr double kKerberosFieldBits = 60;

inline bool is_kerberos_tag(std::uint8_t tag) noexcept {
    return (tag >= 0x6a && tag <= 0x6f) || (tag >= 0x74 && tag <= 0x76) || tag == 0x7e;
}

inline KerberosMessage read_kerberos(Bytes bytes, std::size_t wire) noexcept {
    KerberosMessage message;
    if (!bytes.empty() && !is_kerberos_tag(bytes[0])) {
        return message;
    }
    ByteReader reader(bytes);
    const BerItem whole = read_ber(reader);
    const BerItem sequence = read_ber(reader);
    message.type = whole.tag & 0x1fU;
    message.fields = reader.position();
    message.length = whole.end();
    const bool asks_kdc = message.type == 10 || message.type == 12;
    const std::uint8_t first = asks_kdc ? 0xa1 : 0xa0;
    const std::uint8_t tag = reader.u8();
    const std::uint32_t version = reader.be32();
    const std::uint8_t next = reader.u8();
    const std::uint32_t type = reader.be32();
    message.fields_end = reader.position();
    if (!reader.ok()) {
        message.reading = bytes.size() < wire ? Reading::cut : Reading::contradicts;
        return message;
    }
    // Each field: length 3, INTEGER, length 1, value.
    const bool fits = sequence.tag == 0x30 && sequence.end() == whole.end() && tag == first &&
                      version == 0x03020105 && next == first + 1 &&
                      type == (0x03020100U | message.type) && message.length <= wire;
    message.reading = fits ? Reading::fits : Reading::contradicts;
    return message;
}

}  // namespace flowclass::fingerprint
