// A key as Python gives it.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>

#include "crypto/cryptopan.hpp"

inline flowclass::crypto::CryptoPanKey key_of(const nanobind::bytes& given) {
    flowclass::crypto::CryptoPanKey key{};
    if (given.size() != key.size()) {
        throw nanobind::value_error("a key of Crypto-PAn has 32 octets");
    }
    const flowclass::base::Bytes octets(static_cast<const std::uint8_t*>(given.data()), key.size());
    std::copy(octets.begin(), octets.end(), key.begin());
    return key;
}
