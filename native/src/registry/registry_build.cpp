// Builds a registry from columns: checks every row, interns protocols, sorts, then the set table
// and the trees.
#include <algorithm>
#include <array>
#include <map>
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

// How many first octets all texts share.
std::size_t shared_octets(const std::vector<std::string>& texts) noexcept {
    const std::string_view first = texts.empty() ? std::string_view() : texts.front();
    std::size_t shared = first.size();
    for (const std::string& text : texts) {
        const std::size_t most = std::min(shared, text.size());
        shared = 0;
        while (shared < most && text[shared] == first[shared]) {
            ++shared;
        }
    }
    return shared;
}

// The octets [first, first + 8) of a text as a number, zeros behind its end: in the order of texts.
std::uint64_t number_of(std::string_view text, std::size_t first) noexcept {
    std::uint64_t number = 0;
    for (std::size_t at = first; at < first + 8; ++at) {
        number = number << 8U | (at < text.size() ? static_cast<unsigned char>(text[at]) : 0U);
    }
    return number;
}

// The place of each entry among all, sorted by registration id; equal ids keep their order. Sorted
// by eight octets that lie side by side, by the texts only where these are equal.
std::vector<std::uint32_t> ranks_of(const std::vector<std::string>& ids) {
    struct Place {
        std::uint64_t number = 0;
        std::uint32_t entry = 0;
    };
    const std::size_t shared = shared_octets(ids);
    std::vector<Place> order;
    order.reserve(ids.size());
    for (const std::string& id : ids) {
        order.push_back({number_of(id, shared), static_cast<std::uint32_t>(order.size())});
    }
    std::sort(order.begin(), order.end(), [&](const Place& left, const Place& right) {
        if (left.number != right.number) {
            return left.number < right.number;
        }
        const int texts = ids[left.entry].compare(ids[right.entry]);
        return texts != 0 ? texts < 0 : left.entry < right.entry;
    });
    std::vector<std::uint32_t> ranks(ids.size());
    for (std::uint32_t position = 0; position < order.size(); ++position) {
        ranks[order[position].entry] = position;
    }
    return ranks;
}

// The entries sorted by `precedes`, those of one prefix by rank.
std::vector<std::uint32_t> order_of(std::span<const Prefix> prefixes,
                                    std::span<const std::uint32_t> ranks) {
    struct Place {
        Key key = 0;
        std::uint64_t behind = 0;  // length and rank
        std::uint32_t entry = 0;
    };
    std::vector<Place> places;
    places.reserve(prefixes.size());
    for (const Prefix& prefix : prefixes) {
        const auto entry = static_cast<std::uint32_t>(places.size());
        const std::uint64_t length = prefix.length;
        places.push_back({first_key(prefix), length << 32U | ranks[entry], entry});
    }
    const auto first_v6 = std::partition(places.begin(), places.end(), [&](const Place& place) {
        return prefixes[place.entry].address.version == 4;
    });
    const auto precedes_in_version = [](const Place& left, const Place& right) {
        return left.key != right.key ? left.key < right.key : left.behind < right.behind;
    };
    std::sort(places.begin(), first_v6, precedes_in_version);
    std::sort(first_v6, places.end(), precedes_in_version);
    std::vector<std::uint32_t> order;
    order.reserve(places.size());
    for (const Place& place : places) {
        order.push_back(place.entry);
    }
    return order;
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
    CoveringSets sets = CoveringSets::build(prefixes, order_of(prefixes, entries->rank));
    base::Result<RadixTree> tree = RadixTree::build(sets.leaves(prefixes));
    if (!tree.ok()) {
        return base::Error{tree.error()};
    }
    const std::vector<std::uint32_t> no_ranks(scope.size(), 0);
    base::Result<RadixTree> scope_tree =
        RadixTree::build(CoveringSets::build(scope, order_of(scope, no_ranks)).leaves(scope));
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
