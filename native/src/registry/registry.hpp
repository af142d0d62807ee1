// The registry: dated registrations of address prefixes, judged for flows at the flows' own time.
// Takes: plain columns, one row for each prefix of a registration. Gives: for each flow whether an
// endpoint is registered, which entry decided and for which end. Guarantees: immutable once built,
// so any number of threads may share one.
//
// For an engine:
//     std::shared_ptr<const Registry> registry = ...;                       // one for a run
//     registry->match({sources, destinations, times, protocols}, matches);   // a batch of ended
//     flows, no allocation registry->registration_id(matches[i].entry),
//     registry->matched_prefix(matches[i].entry)   // if entry != kNoEntry
// `time` is the flow's first packet. `protocol` is the flow's protocol id where the policy counts
// its class (Policy::counts) and empty elsewhere: permitted protocols limit what a registrant
// tunnels, not what else it does.
//
// An entry by itself is, in this order of questions:
//     rejected, suspended, revoked -> inactive;  pending and submitted after `time` -> not_yet;
//     time < valid_from -> not_yet; time >= valid_until -> expired;  protocol not among the
//     permitted ones -> protocol_not_permitted; pending -> pending;  approved -> registered.
// Missing dates are open; approved_at is information, it is valid_from that binds. Among several
// entries, and then among the two ends, the outcome best for the registrant wins:
//     registered > pending > protocol_not_permitted > not_yet > expired > inactive > unregistered
// (in force; about to be; in force for something else; dated otherwise; withdrawn), so a valid /24
// beats an expired /32. Between equal outcomes the deciding entry is: of pending ones the latest
// submitted; then the longest prefix; then the lowest registration id. matched_end names the end
// that decided, `both` where both ends have that outcome.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "base/time.hpp"
#include "registry/covering_set.hpp"
#include "registry/entry_table.hpp"
#include "registry/prefix.hpp"
#include "registry/radix_tree.hpp"

namespace flowclass::registry {

// In falling order of what is best for the registrant; out_of_scope stands apart.
enum class RegistryMatch : std::uint8_t {
    registered,
    pending,
    protocol_not_permitted,
    not_yet,
    expired,
    inactive,
    unregistered,
    out_of_scope,
    count_
};
const char* to_string(RegistryMatch match) noexcept;

enum class MatchedEnd : std::uint8_t { none, src, dst, both, count_ };
const char* to_string(MatchedEnd end) noexcept;

inline constexpr std::uint32_t kNoEntry = UINT32_MAX;
inline constexpr base::TimeNs kOpenStart = INT64_MIN;  // no valid_from
inline constexpr base::TimeNs kOpenEnd = INT64_MAX;    // no valid_until
inline constexpr base::TimeNs kNotKnown = INT64_MIN;   // no submitted_at, no approved_at

// The entries, column by column, all of one length. No personal data and no note_ref: they stay
// with the registrar.
struct RegistryColumns {
    std::vector<std::string> registration_id;
    std::vector<std::string> category;
    std::vector<Status> status;
    std::vector<Prefix> prefix;
    std::vector<std::vector<std::string>> protocols;  // permitted protocol ids; empty = all
    std::vector<base::TimeNs> valid_from;
    std::vector<base::TimeNs> valid_until;
    std::vector<base::TimeNs> submitted_at;
    std::vector<base::TimeNs> approved_at;
};

// The outcome for an address or a flow and the entry that decided.
struct EntryMatch {
    std::uint32_t entry = kNoEntry;
    RegistryMatch match = RegistryMatch::unregistered;
};
struct FlowMatch {
    std::uint32_t entry = kNoEntry;
    RegistryMatch match = RegistryMatch::unregistered;
    MatchedEnd end = MatchedEnd::none;
    base::TimeNs submitted_at =
        kNotKnown;  // of the deciding entry: the policy's pending window counts from it
};

// A batch of flows, column by column, all of one length.
struct FlowColumns {
    std::span<const base::IpAddress> src;
    std::span<const base::IpAddress> dst;
    std::span<const base::TimeNs> time;
    std::span<const std::string_view> protocol;
};

class Registry {
  public:
    Registry() = default;  // empty: everything is unregistered

    // `scope`: the operator's own prefixes; empty = every flow is in scope. An Error says which row
    // is wrong and why.
    static base::Result<Registry> build(RegistryColumns columns, std::span<const Prefix> scope);

    // From parts that were checked: adopt() of the sets and the trees, entry_defect(). `memory` is
    // what they look at, kept as long as the registry lives.
    static Registry of_parts(EntryTable entries,
                             CoveringSets sets,
                             RadixTree tree,
                             RadixTree scope,
                             std::shared_ptr<const void> memory);

    // In bulk. `out` is as long as the columns.
    void match(const FlowColumns& flows, std::span<FlowMatch> out) const noexcept;
    void find(std::span<const base::IpAddress> addresses,
              std::span<std::uint32_t> sets) const noexcept {
        tree_.find(addresses, sets);
    }

    // The steps of match(): one entry, the covering set of one address, two ends together.
    [[nodiscard]] RegistryMatch judge_entry(std::uint32_t entry,
                                            base::TimeNs time,
                                            std::string_view protocol) const noexcept;
    [[nodiscard]] EntryMatch judge_address(std::uint32_t set,
                                           base::TimeNs time,
                                           std::string_view protocol) const noexcept;
    [[nodiscard]] FlowMatch combine(const EntryMatch& src, const EntryMatch& dst) const noexcept;
    [[nodiscard]] bool in_scope(const base::IpAddress& address) const noexcept;

    [[nodiscard]] const RadixTree& tree() const noexcept { return tree_; }
    [[nodiscard]] const CoveringSets& sets() const noexcept { return sets_; }
    [[nodiscard]] const RadixTree& scope_tree() const noexcept { return scope_; }
    [[nodiscard]] const EntryTable& table() const noexcept { return entries_; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t memory_bytes() const noexcept;

    // Of an entry of this registry.
    [[nodiscard]] std::string_view registration_id(std::uint32_t entry) const noexcept {
        return entries_.texts[entries_.registration_id[entry]];
    }
    [[nodiscard]] std::string_view category(std::uint32_t entry) const noexcept {
        return entries_.texts[entries_.category[entry]];
    }
    [[nodiscard]] std::string matched_prefix(std::uint32_t entry) const {
        return to_string(entries_.prefix(entry));
    }

  private:
    [[nodiscard]] bool permits(std::uint32_t entry, std::string_view protocol) const noexcept;
    [[nodiscard]] bool better(const EntryMatch& challenger,
                              const EntryMatch& holder) const noexcept;

    std::shared_ptr<const void> memory_;
    EntryTable entries_;
    CoveringSets sets_;
    RadixTree tree_;
    RadixTree scope_;
    bool has_scope_ = false;
};

// Columns from texts, as sources in other languages hand them over: status by name, prefixes
// "address/length".
struct TextColumns {
    std::vector<std::string> registration_id;
    std::vector<std::string> category;
    std::vector<std::string> status;
    std::vector<std::string> prefix;
    std::vector<std::vector<std::string>> protocols;
    std::vector<base::TimeNs> valid_from;
    std::vector<base::TimeNs> valid_until;
    std::vector<base::TimeNs> submitted_at;
    std::vector<base::TimeNs> approved_at;
};
base::Result<RegistryColumns> read_columns(TextColumns texts);
base::Result<std::vector<Prefix>> read_prefixes(std::span<const std::string> texts);

}  // namespace flowclass::registry
