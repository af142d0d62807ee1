// Builds a registry from columns: checks every row, interns protocols, sorts, then the set table
// and the trees.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "registry/registry.hpp"

namespace flowclass::registry {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(Status::count_)> kStatusNames{
    "pending", "approved", "rejected", "suspended", "revoked"};
constexpr std::array<const char*, static_cast<std::size_t>(RegistryMatch::count_)> kMatchNames{
    "registered",
    "pending",
    "protocol_not_permitted",
    "not_yet",
    "expired",
    "inactive",
    "unregistered",
    "out_of_scope"};
constexpr std::array<const char*, static_cast<std::size_t>(MatchedEnd::count_)> kEndNames{
    "none", "src", "dst", "both"};

template <typename Enum, std::size_t Count>
const char* name_of(Enum value, const std::array<const char*, Count>& names) noexcept {
    const auto index = static_cast<std::size_t>(value);
    return index < Count ? names[index] : "invalid";
}

base::Error row_error(std::size_t row, const std::string& what) {
    return {"registry row " + std::to_string(row + 1) + ": " + what};
}

bool same_lengths(const RegistryColumns& columns) noexcept {
    const std::size_t rows = columns.prefix.size();
    return columns.registration_id.size() == rows && columns.category.size() == rows &&
           columns.status.size() == rows && columns.protocols.size() == rows &&
           columns.valid_from.size() == rows && columns.valid_until.size() == rows &&
           columns.submitted_at.size() == rows && columns.approved_at.size() == rows;
}

std::optional<base::Error> first_defect(const RegistryColumns& columns) {
    if (!same_lengths(columns)) {
        return base::Error{"the registry's columns have different lengths"};
    }
    if (columns.prefix.size() > RadixTree::kMaxId) {
        return base::Error{"the registry has more entries than one table can hold; split it"};
    }
    for (std::size_t row = 0; row < columns.prefix.size(); ++row) {
        if (columns.registration_id[row].empty()) {
            return row_error(row, "no registration id");
        }
        if (columns.status[row] >= Status::count_) {
            return row_error(row, "a status outside the list");
        }
        if (!is_valid(columns.prefix[row])) {
            return row_error(row, "a prefix with host bits or an impossible length");
        }
        if (columns.valid_from[row] >= columns.valid_until[row]) {
            return row_error(row, "valid_from is not before valid_until");
        }
    }
    return std::nullopt;
}

std::vector<std::uint32_t> indexes(std::size_t count) {
    std::vector<std::uint32_t> all(count);
    std::iota(all.begin(), all.end(), 0U);
    return all;
}

}  // namespace

const char* to_string(Status status) noexcept {
    return name_of(status, kStatusNames);
}
const char* to_string(RegistryMatch match) noexcept {
    return name_of(match, kMatchNames);
}
const char* to_string(MatchedEnd end) noexcept {
    return name_of(end, kEndNames);
}

void Registry::intern_protocols() {
    std::map<std::vector<std::string>, std::uint32_t> known;
    protocol_sets_.assign(1, {});
    known.emplace(std::vector<std::string>{}, 0U);
    protocol_set_.reserve(size());
    for (std::vector<std::string>& permitted : columns_.protocols) {
        std::sort(permitted.begin(), permitted.end());
        permitted.erase(std::unique(permitted.begin(), permitted.end()), permitted.end());
        const auto [place, added] =
            known.try_emplace(permitted, static_cast<std::uint32_t>(protocol_sets_.size()));
        if (added) {
            protocol_sets_.push_back(permitted);
        }
        protocol_set_.push_back(place->second);
    }
}

void Registry::index_entries() {
    std::vector<std::uint32_t> order = indexes(size());
    const std::vector<std::string>& ids = columns_.registration_id;
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return ids[left] < ids[right];
    });
    rank_.resize(size());
    for (std::uint32_t position = 0; position < order.size(); ++position) {
        rank_[order[position]] = position;
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        const Prefix& left_prefix = columns_.prefix[left];
        const Prefix& right_prefix = columns_.prefix[right];
        return left_prefix == right_prefix ? rank_[left] < rank_[right]
                                           : precedes(left_prefix, right_prefix);
    });
    sets_ = CoveringSets::build(columns_.prefix, std::move(order));
}

base::Result<Registry> Registry::build(RegistryColumns columns, std::span<const Prefix> scope) {
    if (std::optional<base::Error> defect = first_defect(columns)) {
        return *std::move(defect);
    }
    Registry registry;
    registry.columns_ = std::move(columns);
    registry.intern_protocols();
    registry.index_entries();
    base::Result<RadixTree> tree =
        RadixTree::build(registry.sets_.leaves(registry.columns_.prefix));
    if (!tree.ok()) {
        return base::Error{tree.error()};
    }
    registry.tree_ = std::move(tree.value());
    if (!std::all_of(scope.begin(), scope.end(), is_valid)) {
        return base::Error{"the scope holds a prefix with host bits or an impossible length"};
    }
    std::vector<std::uint32_t> order = indexes(scope.size());
    std::sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return precedes(scope[left], scope[right]);
    });
    base::Result<RadixTree> scope_tree =
        RadixTree::build(CoveringSets::build(scope, std::move(order)).leaves(scope));
    if (!scope_tree.ok()) {
        return base::Error{scope_tree.error()};
    }
    registry.scope_ = std::move(scope_tree.value());
    registry.has_scope_ = !scope.empty();
    return registry;
}

std::size_t Registry::memory_bytes() const noexcept {
    constexpr std::size_t kEntryBytes =
        2 * sizeof(std::string) + sizeof(Prefix) + sizeof(std::vector<std::string>) +
        4 * sizeof(base::TimeNs) + sizeof(Status) + 2 * sizeof(std::uint32_t);
    return size() * kEntryBytes + sets_.memory_bytes() + tree_.memory_bytes() +
           scope_.memory_bytes();
}

base::Result<RegistryColumns> read_columns(TextColumns texts) {
    RegistryColumns columns;
    columns.status.reserve(texts.status.size());
    for (std::size_t row = 0; row < texts.status.size(); ++row) {
        const auto* const name = std::find(
            kStatusNames.begin(), kStatusNames.end(), std::string_view(texts.status[row]));
        if (name == kStatusNames.end()) {
            return row_error(row, "unknown status '" + texts.status[row].substr(0, 64) + "'");
        }
        columns.status.push_back(static_cast<Status>(name - kStatusNames.begin()));
    }
    base::Result<std::vector<Prefix>> prefixes = read_prefixes(texts.prefix);
    if (!prefixes.ok()) {
        return base::Error{prefixes.error()};
    }
    columns.prefix = std::move(prefixes.value());
    columns.registration_id = std::move(texts.registration_id);
    columns.category = std::move(texts.category);
    columns.protocols = std::move(texts.protocols);
    columns.valid_from = std::move(texts.valid_from);
    columns.valid_until = std::move(texts.valid_until);
    columns.submitted_at = std::move(texts.submitted_at);
    columns.approved_at = std::move(texts.approved_at);
    return columns;
}

base::Result<std::vector<Prefix>> read_prefixes(std::span<const std::string> texts) {
    std::vector<Prefix> prefixes;
    prefixes.reserve(texts.size());
    for (std::size_t row = 0; row < texts.size(); ++row) {
        base::Result<Prefix> prefix = parse_prefix(texts[row]);
        if (!prefix.ok()) {
            return row_error(row, prefix.error());
        }
        prefixes.push_back(prefix.value());
    }
    return prefixes;
}

}  // namespace flowclass::registry
