// The entries of a registry as arrays, one element for each entry: what a registry is judged from
// and what a snapshot file holds. Takes: columns (registry.hpp), or arrays from a file. Gives:
// fields of an entry. Guarantees: where entry_defect() is nullptr, every number in the arrays names
// something that is there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/time.hpp"
#include "registry/array.hpp"
#include "registry/prefix.hpp"
#include "registry/text_pool.hpp"

namespace flowclass::registry {

enum class Status : std::uint8_t { pending, approved, rejected, suspended, revoked, count_ };
const char* to_string(Status status) noexcept;

struct EntryTable {
    TextPool texts;
    Array<std::uint32_t> registration_id;  // numbers of texts
    Array<std::uint32_t> category;
    Array<Status> status;
    Array<std::uint8_t> version;  // of the prefix's address
    Array<std::uint8_t> length;
    Array<std::uint64_t> address_high;
    Array<std::uint64_t> address_low;
    Array<base::TimeNs> valid_from;
    Array<base::TimeNs> valid_until;
    Array<base::TimeNs> submitted_at;
    Array<base::TimeNs> approved_at;
    Array<std::uint32_t> rank;           // of the registration id in byte order
    Array<std::uint32_t> permitted_set;  // of protocols; set 0 is "all"
    Array<std::uint32_t> set_bounds;     // set i is [set_bounds[i], set_bounds[i + 1]) of
    Array<std::uint32_t> set_protocols;  // numbers of texts
    Array<std::uint32_t> scope;          // the operator's own prefixes, numbers of texts

    [[nodiscard]] std::size_t size() const noexcept { return status.size(); }
    [[nodiscard]] Prefix prefix(std::uint32_t entry) const noexcept {
        return {{address_high[entry], address_low[entry], version[entry]}, length[entry]};
    }
    // Numbers of texts; empty = all protocols.
    [[nodiscard]] std::span<const std::uint32_t> protocols(std::uint32_t entry) const noexcept {
        const std::uint32_t set = permitted_set[entry];
        return set_protocols.span().subspan(set_bounds[set], set_bounds[set + 1] - set_bounds[set]);
    }
    [[nodiscard]] std::size_t memory_bytes() const noexcept;
};

// Calls visit(array) for every array of a table, always in this order: that of the file.
template <typename Table, typename Visit>
void for_each_array(Table& table, Visit&& visit) {
    visit(table.texts.bounds);
    visit(table.texts.octets);
    visit(table.registration_id);
    visit(table.category);
    visit(table.status);
    visit(table.version);
    visit(table.length);
    visit(table.address_high);
    visit(table.address_low);
    visit(table.valid_from);
    visit(table.valid_until);
    visit(table.submitted_at);
    visit(table.approved_at);
    visit(table.rank);
    visit(table.permitted_set);
    visit(table.set_bounds);
    visit(table.set_protocols);
    visit(table.scope);
}
inline constexpr std::size_t kEntryArrays = 18;

// What is wrong with a table of `count` entries that came from a file, or nullptr.
const char* entry_defect(const EntryTable& table, std::size_t count);

}  // namespace flowclass::registry
