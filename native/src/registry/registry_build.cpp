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

// The permitted protocols of all entries as numbered sets, each distinct, sorted and once.
void intern_protocols(std::vector<std::vector<std::string>>& protocols,
                      TextPoolBuilder& texts,
                      EntryTable& table) {
    std::map<std::vector<std::string>, std::uint32_t> known{{{}, 0U}};
    std::vector<std::uint32_t> set_of_entry;
    std::vector<std::uint32_t> bounds{0, 0};
    std::vector<std::uint32_t> members;
    set_of_entry.reserve(protocols.size());
    for (std::vector<std::string>& permitted : protocols) {
        std::sort(permitted.begin(), permitted.end());
        permitted.erase(std::unique(permitted.begin(), permitted.end()), permitted.end());
        const auto [place, added] =
            known.try_emplace(permitted, static_cast<std::uint32_t>(bounds.size() - 1));
        if (added) {
            for (const std::string& name : permitted) {
                members.push_back(texts.add(name));
            }
            bounds.push_back(static_cast<std::uint32_t>(members.size()));
        }
        set_of_entry.push_back(place->second);
    }
    table.permitted_set = std::move(set_of_entry);
    table.set_bounds = std::move(bounds);
    table.set_protocols = std::move(members);
}

// The place of each entry among all, sorted by registration id; equal ids keep their order.
std::vector<std::uint32_t> ranks_of(const std::vector<std::string>& ids) {
    std::vector<std::uint32_t> order = indexes(ids.size());
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return ids[left] < ids[right];
    });
    std::vector<std::uint32_t> ranks(ids.size());
    for (std::uint32_t position = 0; position < order.size(); ++position) {
        ranks[order[position]] = position;
    }
    return ranks;
}

std::vector<std::uint32_t> add_all(std::span<const std::string> names, TextPoolBuilder& texts) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(names.size());
    for (const std::string& name : names) {
        numbers.push_back(texts.add(name));
    }
    return numbers;
}

template <typename Value, typename Field>
std::vector<Value> each(const std::vector<Prefix>& prefixes, const Field& field) {
    std::vector<Value> values;
    values.reserve(prefixes.size());
    for (const Prefix& prefix : prefixes) {
        values.push_back(field(prefix));
    }
    return values;
}

// Nothing where the texts are too long for their pool.
std::optional<EntryTable> make_entries(RegistryColumns columns, std::span<const Prefix> scope) {
    EntryTable table;
    TextPoolBuilder texts;
    table.registration_id = add_all(columns.registration_id, texts);
    table.category = add_all(columns.category, texts);
    intern_protocols(columns.protocols, texts, table);
    std::vector<std::uint32_t> own;
    for (const Prefix& prefix : scope) {
        own.push_back(texts.add(to_string(prefix)));
    }
    std::optional<TextPool> pool = texts.finish();
    if (!pool) {
        return std::nullopt;
    }
    table.texts = *std::move(pool);
    table.scope = std::move(own);
    table.rank = ranks_of(columns.registration_id);
    const std::vector<Prefix>& prefixes = columns.prefix;
    table.version = each<std::uint8_t>(prefixes, [](const Prefix& p) { return p.address.version; });
    table.length = each<std::uint8_t>(prefixes, [](const Prefix& p) { return p.length; });
    table.address_high =
        each<std::uint64_t>(prefixes, [](const Prefix& p) { return p.address.high; });
    table.address_low =
        each<std::uint64_t>(prefixes, [](const Prefix& p) { return p.address.low; });
    table.status = std::move(columns.status);
    table.valid_from = std::move(columns.valid_from);
    table.valid_until = std::move(columns.valid_until);
    table.submitted_at = std::move(columns.submitted_at);
    table.approved_at = std::move(columns.approved_at);
    return table;
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

base::Result<Registry> Registry::build(RegistryColumns columns, std::span<const Prefix> scope) {
    if (std::optional<base::Error> defect = first_defect(columns)) {
        return *std::move(defect);
    }
    if (!std::all_of(scope.begin(), scope.end(), is_valid)) {
        return base::Error{"the scope holds a prefix with host bits or an impossible length"};
    }
    const std::vector<Prefix> prefixes = columns.prefix;
    std::optional<EntryTable> entries = make_entries(std::move(columns), scope);
    if (!entries) {
        return base::Error{"the registry's texts are longer than one table can hold; split it"};
    }
    std::vector<std::uint32_t> order = indexes(prefixes.size());
    const std::span<const std::uint32_t> rank = entries->rank;
    std::sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return prefixes[left] == prefixes[right] ? rank[left] < rank[right]
                                                 : precedes(prefixes[left], prefixes[right]);
    });
    CoveringSets sets = CoveringSets::build(prefixes, std::move(order));
    base::Result<RadixTree> tree = RadixTree::build(sets.leaves(prefixes));
    if (!tree.ok()) {
        return base::Error{tree.error()};
    }
    std::vector<std::uint32_t> scope_order = indexes(scope.size());
    std::sort(scope_order.begin(), scope_order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return precedes(scope[left], scope[right]);
    });
    base::Result<RadixTree> scope_tree =
        RadixTree::build(CoveringSets::build(scope, std::move(scope_order)).leaves(scope));
    if (!scope_tree.ok()) {
        return base::Error{scope_tree.error()};
    }
    return of_parts(*std::move(entries),
                    std::move(sets),
                    std::move(tree.value()),
                    std::move(scope_tree.value()),
                    nullptr);
}

Registry Registry::of_parts(EntryTable entries,
                            CoveringSets sets,
                            RadixTree tree,
                            RadixTree scope,
                            std::shared_ptr<const void> memory) {
    Registry registry;
    registry.memory_ = std::move(memory);
    registry.has_scope_ = !entries.scope.empty();
    registry.entries_ = std::move(entries);
    registry.sets_ = std::move(sets);
    registry.tree_ = std::move(tree);
    registry.scope_ = std::move(scope);
    return registry;
}

std::size_t Registry::memory_bytes() const noexcept {
    return entries_.memory_bytes() + sets_.memory_bytes() + tree_.memory_bytes() +
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
