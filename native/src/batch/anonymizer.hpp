// What stands in a row instead of addresses, and of what would give them away. Takes: a key,
// addresses, flow ids, tuples. Gives: their stand-ins, the same ones for the same key in every run.
// Guarantees: where the cipher fails there is nothing (none, null), never what was given. For one
// thread at a time.
#pragma once

#include <array>
#include <optional>

#include "crypto/cryptopan.hpp"
#include "flow/community_id.hpp"
#include "flow/flow_record.hpp"

namespace flowclass::batch {

class Anonymizer {
  public:
    explicit Anonymizer(const crypto::CryptoPanKey& key);

    // False where there is no libcrypto.
    [[nodiscard]] bool ok() const noexcept { return named_ && cipher_.ok(); }
    base::IpAddress address(const base::IpAddress& given) noexcept {
        return cipher_.anonymized(given);
    }
    // A flow id is a hash that anybody can compute, so addresses could be found by trying: it is
    // hashed again, with a key that only the holder of this one has.
    [[nodiscard]] flow::FlowId id(flow::FlowId given) const noexcept;
    // Over the anonymised addresses.
    std::optional<std::array<char, flow::kCommunityIdText>> community_id(
        flow::CommunityIdTuple tuple) noexcept;

  private:
    crypto::CryptoPan cipher_;
    crypto::NameKeys names_;
    bool named_ = false;
};

}  // namespace flowclass::batch
