// Tag and length of the Basic Encoding Rules (ITU-T X.690 §8.1), as SNMP and LDAP use them.
// Takes: a reader. Gives: one item's tag, its length and where its contents begin.
// Guarantees: definite lengths of at most four octets and one-octet tags only; anything else fails
// the reader.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"

namespace flowclass::fingerprint {

struct BerItem {
    std::uint8_t tag = 0;
    std::size_t begin = 0;   // of the contents, in the reader's bytes
    std::size_t length = 0;  // of the contents
    [[nodiscard]] std::size_t end() const noexcept { return begin + length; }
};

inline BerItem read_ber(base::ByteReader& reader) noexcept {
    BerItem item;
    item.tag = reader.u8();
    const std::uint8_t first = reader.u8();
    item.length = first;
    if ((item.tag & 0x1fU) == 0x1f || first == 0x80 || first > 0x84) {
        reader.fail();
        return {};
    }
    if (first > 0x80) {
        item.length = 0;
        for (std::size_t octet = 0; octet < (first & 0x7fU); ++octet) {
            item.length = item.length << 8U | reader.u8();
        }
    }
    item.begin = reader.position();
    return item;
}

// A small INTEGER (tag 0x02) of one to four octets, or five with a leading zero.
struct BerInteger {
    std::size_t begin = 0;
    std::size_t length = 0;
    std::uint32_t value = 0;
    bool valid = false;
};

inline BerInteger read_ber_integer(base::ByteReader& reader, std::uint8_t tag = 0x02) noexcept {
    const BerItem item = read_ber(reader);
    BerInteger integer{item.begin, item.length, 0, false};
    if (!reader.ok() || item.tag != tag || item.length == 0 || item.length > 5) {
        return integer;
    }
    for (std::size_t octet = 0; octet < item.length; ++octet) {
        integer.value = integer.value << 8U | reader.u8();
    }
    integer.valid = reader.ok();
    return integer;
}

}  // namespace flowclass::fingerprint
