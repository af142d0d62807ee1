// Interns texts and checks those that came from a file.
#include "registry/text_pool.hpp"

#include <algorithm>
#include <bit>
#include <functional>
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

std::string_view TextPoolBuilder::text(std::uint32_t number) const noexcept {
    return std::string_view(octets_.data(), octets_.size())
        .substr(bounds_[number], bounds_[number + 1] - bounds_[number]);
}

std::size_t TextPoolBuilder::place_of(std::string_view text) const noexcept {
    const std::size_t last = table_.size() - 1;
    std::size_t place = std::hash<std::string_view>{}(text)&last;
    while (table_[place] != 0 && this->text(table_[place] - 1) != text) {
        place = (place + 1) & last;
    }
    return place;
}

// The table's size stays a power of two, and half of it free.
void TextPoolBuilder::grow() {
    table_.assign(2 * table_.size(), 0);
    for (std::uint32_t number = 0; number + 1 < bounds_.size(); ++number) {
        table_[place_of(text(number))] = number + 1;
    }
}

std::uint32_t TextPoolBuilder::add(std::string_view text) {
    const std::size_t place = place_of(text);
    if (table_[place] != 0) {
        return table_[place] - 1;
    }
    const auto number = static_cast<std::uint32_t>(bounds_.size() - 1);
    if (too_long_ || octets_.size() + text.size() > UINT32_MAX) {
        too_long_ = true;
        return number;
    }
    octets_.insert(octets_.end(), text.begin(), text.end());
    bounds_.push_back(static_cast<std::uint32_t>(octets_.size()));
    table_[place] = number + 1;
    if (2 * bounds_.size() > table_.size()) {
        grow();
    }
    return number;
}

std::optional<TextPool> TextPoolBuilder::finish() {
    if (too_long_) {
        return std::nullopt;
    }
    return TextPool{std::move(bounds_), std::move(octets_)};
}

}  // namespace flowclass::registry
