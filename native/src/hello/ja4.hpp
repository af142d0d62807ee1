// JA4, the fingerprint of a client by FoxIO's specification (BSD-3-Clause; of that family JA4
// alone). Takes: a parsed hello. Gives: its 36 characters. Guarantees: false where there is no
// libcrypto to hash with; lists of any length.
#pragma once

#include <array>

#include "hello/client_hello.hpp"

namespace flowclass::hello {

bool make_ja4(const ClientHello& hello, std::array<char, kJa4Length>& out) noexcept;

}  // namespace flowclass::hello
