// What an engine is told when it is opened. Registry and policy may be others later
// (Engine::set_judges); nothing else changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/hash.hpp"
#include "base/time.hpp"
#include "crypto/cryptopan.hpp"
#include "decode/border_pairs.hpp"
#include "fingerprint/user_matchers.hpp"
#include "policy/policy.hpp"
#include "registry/registry.hpp"

namespace flowclass::engine {

struct Options {
    base::TimeNs idle_timeout = 120 * base::kSecond;
    base::TimeNs active_timeout = 1800 * base::kSecond;
    base::TimeNs tcp_linger = 5 * base::kSecond;
    std::size_t memcap = 0;  // octets for flow tables, heads and evidence of all threads; 0 = a
                             // quarter of the machine's memory
    std::uint32_t threads = 1;
    std::size_t batch_rows = 8192;
    bool vlan_in_key = true;
    bool tunnels = true;
    bool rows = true;       // without them flows are only counted
    bool heads = false;     // rows have the head that was matched: it holds payload
    bool features = false;  // rows have the columns of the feature table
    bool early = false;     // a row besides, as soon as a flow's head is closed
    // Rows have no address, but what Crypto-PAn makes of it, and no heads.
    std::optional<crypto::CryptoPanKey> anonymize;
    std::optional<base::HashKey> hash_key;  // tests only; random otherwise
    // The input is a piece of a stream: packets near its borders are kept for take_carried() and
    // are in no flow, no count. With one thread only.
    std::shared_ptr<const decode::BorderPairs> border = nullptr;
    std::shared_ptr<const registry::Registry> registry;
    std::shared_ptr<const policy::Policy> policy;
    std::string registry_version, policy_version;           // what rows call them; empty: null
    std::shared_ptr<const fingerprint::UserMatchers> user;  // fingerprints of the caller
};

}  // namespace flowclass::engine
