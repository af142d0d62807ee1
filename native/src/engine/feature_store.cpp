// Where they lie. What is added up is in room feature.
#include "engine/feature_store.hpp"

#include <memory>

namespace flowclass::engine {

template <typename T>
std::uint32_t FeatureStore::begin(base::Pool<T>& pool) noexcept {
    const std::uint32_t taken = pool.acquire();
    if (taken != kNone) {
        std::construct_at(&pool[taken]);
    }
    return taken;
}
template std::uint32_t FeatureStore::begin(FewPool& pool) noexcept;
template std::uint32_t FeatureStore::begin(SumsPool& pool) noexcept;

std::uint32_t FeatureStore::open() noexcept {
    return begin(few_);
}

std::uint32_t FeatureStore::open_next(std::uint32_t place) noexcept {
    const std::uint32_t next = open();
    if (next != kNone) {
        few_[next].set_head(is_sums(place) ? sums_[number(place)].head() : few_[place].head());
    }
    return next;
}

// One packet more than few.
bool FeatureStore::add_many(std::uint32_t& place, const feature::PacketFacts& packet) noexcept {
    const std::uint32_t few = place;
    place = begin(sums_);
    if (place != kNone) {
        few_[few].add_to(sums_[place]);
        sums_[place].add(packet);
        place |= kSums;
    }
    few_.release(few);
    return place != kNone;
}

void FeatureStore::add_head(std::uint32_t place, const std::array<base::Bytes, 2>& kept) noexcept {
    if (is_sums(place)) {
        sums_[number(place)].set_head(feature::head_entropy(kept));
    } else {
        few_[place].set_head(feature::head_entropy(kept));
    }
}

void FeatureStore::release(std::uint32_t place) noexcept {
    if (is_sums(place)) {
        sums_.release(number(place));
    } else {
        few_.release(place);
    }
}

void FeatureStore::prefetch(std::uint32_t place, packet::Direction direction) const noexcept {
    if (is_sums(place)) {
        sums_[number(place)].prefetch(direction);
    } else {
        few_.prefetch(place);
    }
}

void FeatureStore::prefetch(std::uint32_t place) const noexcept {
    if (place == kNone) {
        return;
    }
    if (is_sums(place)) {
        sums_.prefetch(number(place));
    } else {
        few_.prefetch(place);
    }
}

}  // namespace flowclass::engine
