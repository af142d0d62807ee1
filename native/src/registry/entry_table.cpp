// Checks a table that came from a file: every length, every number, every value.
#include "registry/entry_table.hpp"

#include <array>

namespace flowclass::registry {

namespace {

bool all_below(std::span<const std::uint32_t> numbers, std::size_t limit) noexcept {
    return std::all_of(
        numbers.begin(), numbers.end(), [&](std::uint32_t number) { return number < limit; });
}

bool lengths_hold(const EntryTable& table, std::size_t count) noexcept {
    const std::array lengths{table.registration_id.size(),
                             table.category.size(),
                             table.status.size(),
                             table.version.size(),
                             table.length.size(),
                             table.address_high.size(),
                             table.address_low.size(),
                             table.valid_from.size(),
                             table.valid_until.size(),
                             table.submitted_at.size(),
                             table.approved_at.size(),
                             table.rank.size(),
                             table.permitted_set.size()};
    return std::all_of(
        lengths.begin(), lengths.end(), [&](std::size_t length) { return length == count; });
}

// Set 0 is there and empty, so that no entry is limited by accident.
bool sets_hold(const EntryTable& table) noexcept {
    const auto bounds = table.set_bounds.span();
    return bounds.size() >= 2 && bounds[0] == 0 && bounds[1] == 0 &&
           bounds.back() == table.set_protocols.size() &&
           std::is_sorted(bounds.begin(), bounds.end());
}

bool values_hold(const EntryTable& table) noexcept {
    for (std::uint32_t entry = 0; entry < table.size(); ++entry) {
        if (table.status[entry] >= Status::count_ || !is_valid(table.prefix(entry)) ||
            table.valid_from[entry] >= table.valid_until[entry]) {
            return false;
        }
    }
    return true;
}

bool scope_holds(const EntryTable& table) {
    const auto scope = table.scope.span();
    return std::all_of(scope.begin(), scope.end(), [&](std::uint32_t text) {
        return parse_prefix(table.texts[text]).ok();
    });
}

}  // namespace

std::size_t EntryTable::memory_bytes() const noexcept {
    std::size_t total = 0;
    for_each_array(*this, [&](const auto& array) { total += array.memory_bytes(); });
    return total;
}

const char* entry_defect(const EntryTable& table, std::size_t count) {
    if (!lengths_hold(table, count)) {
        return "the columns of the entries have different lengths";
    }
    if (const char* defect = text_defect(table.texts)) {
        return defect;
    }
    const std::size_t texts = table.texts.size();
    if (!all_below(table.registration_id, texts) || !all_below(table.category, texts) ||
        !all_below(table.set_protocols, texts) || !all_below(table.scope, texts)) {
        return "an entry names a text that is not there";
    }
    if (!sets_hold(table) || !all_below(table.permitted_set, table.set_bounds.size() - 1)) {
        return "an entry names a set of protocols that is not there";
    }
    if (!all_below(table.rank, count)) {
        return "an entry has a rank that is not there";
    }
    if (!values_hold(table)) {
        return "an entry has a status, prefix or dates that cannot be";
    }
    return scope_holds(table) ? nullptr : "the scope holds what is no prefix";
}

}  // namespace flowclass::registry
