// Crypto-PAn for addresses, SipHash-2-4 with derived keys for names.
#include "batch/anonymizer.hpp"

#include "base/hash.hpp"

namespace flowclass::batch {

namespace {

std::uint64_t hashed(base::HashKey key, flow::FlowId id) noexcept {
    base::NameHash hash(key);
    hash.add(id.high);
    hash.add(id.low);
    return hash.finish();
}

}  // namespace

Anonymizer::Anonymizer(const crypto::CryptoPanKey& key)
    : cipher_(key), named_(crypto::name_keys(key, names_)) {}

flow::FlowId Anonymizer::id(flow::FlowId given) const noexcept {
    if (!named_ || given.none()) {
        return {};
    }
    return {hashed(names_.high, given), static_cast<std::uint32_t>(hashed(names_.low, given))};
}

std::optional<std::array<char, flow::kCommunityIdText>> Anonymizer::community_id(
    flow::CommunityIdTuple tuple) noexcept {
    tuple.src = cipher_.anonymized(tuple.src);
    tuple.dst = cipher_.anonymized(tuple.dst);
    if (tuple.src.version == 0 || tuple.dst.version == 0) {
        return std::nullopt;
    }
    return flow::community_id(tuple);
}

}  // namespace flowclass::batch
