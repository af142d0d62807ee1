// Interns texts and checks those that came from a file.
#include "registry/text_pool.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace flowclass::registry {

bool is_utf8(std::string_view text) noexcept {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at++]);
        if (lead < 0x80U) {
            continue;
        }
        const int followers = std::countl_one(lead) - 1;
        if (followers < 1 || followers > 3 ||
            text.size() - at < static_cast<std::size_t>(followers)) {
            return false;
        }
        std::uint32_t value = lead & (0x3fU >> static_cast<unsigned>(followers));
        for (int count = 0; count < followers; ++count) {
            const auto next = static_cast<unsigned char>(text[at++]);
            if ((next & 0xc0U) != 0x80U) {
                return false;
            }
            value = value << 6U | (next & 0x3fU);
        }
        const std::uint32_t least = followers == 1 ? 0x80U : followers == 2 ? 0x800U : 0x10000U;
        if (value < least || value > 0x10ffffU || (value >= 0xd800U && value <= 0xdfffU)) {
            return false;
        }
    }
    return true;
}

const char* text_defect(const TextPool& pool) {
    const auto bounds = pool.bounds.span();
    if (bounds.empty() || bounds.size() > UINT32_MAX || bounds.front() != 0 ||
        bounds.back() != pool.octets.size() || !std::is_sorted(bounds.begin(), bounds.end())) {
        return "the bounds of the texts are not in order";
    }
    for (std::uint32_t text = 0; text < pool.size(); ++text) {
        if (!is_utf8(pool[text])) {
            return "a text is not UTF-8";
        }
    }
    return nullptr;
}

std::uint32_t TextPoolBuilder::add(std::string_view text) {
    const auto [place, added] =
        numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(bounds_.size() - 1));
    if (added) {
        octets_.insert(octets_.end(), text.begin(), text.end());
        too_long_ = too_long_ || octets_.size() > UINT32_MAX;
        bounds_.push_back(static_cast<std::uint32_t>(octets_.size()));
    }
    return place->second;
}

std::optional<TextPool> TextPoolBuilder::finish() {
    if (too_long_) {
        return std::nullopt;
    }
    return TextPool{std::move(bounds_), std::move(octets_)};
}

}  // namespace flowclass::registry
