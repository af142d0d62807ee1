// Integers of a container that is written in the byte order of the machine that recorded it.
#pragma once

#include <cstdint>

#include "base/byte_reader.hpp"

namespace flowclass::capture {

inline std::uint16_t u16(base::ByteReader& reader, bool big_endian) noexcept {
    return big_endian ? reader.be16() : reader.le16();
}
inline std::uint32_t u32(base::ByteReader& reader, bool big_endian) noexcept {
    return big_endian ? reader.be32() : reader.le32();
}
inline std::uint64_t u64(base::ByteReader& reader, bool big_endian) noexcept {
    return big_endian ? reader.be64() : reader.le64();
}

}  // namespace flowclass::capture
