// Judges addresses and flows against the entries: set ids from the tree, then dates, status and
// protocols of each set.
#include "registry/registry.hpp"

#include <algorithm>
#include <array>

namespace flowclass::registry {

namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

bool Registry::permits(std::uint32_t entry, std::string_view protocol) const noexcept {
    const std::span<const std::uint32_t> permitted = entries_.protocols(entry);
    return protocol.empty() || permitted.empty() ||
           std::any_of(permitted.begin(), permitted.end(), [&](std::uint32_t text) {
               return entries_.texts[text] == protocol;
           });
}

RegistryMatch Registry::judge_entry(std::uint32_t entry,
                                    base::TimeNs time,
                                    std::string_view protocol) const noexcept {
    const Status status = entries_.status[entry];
    if (status != Status::pending && status != Status::approved) {
        return RegistryMatch::inactive;
    }
    if (status == Status::pending && entries_.submitted_at[entry] > time) {
        return RegistryMatch::not_yet;
    }
    if (time < entries_.valid_from[entry]) {
        return RegistryMatch::not_yet;
    }
    const base::TimeNs until = entries_.valid_until[entry];
    if (until != kOpenEnd && time >= until) {
        return RegistryMatch::expired;
    }
    if (!permits(entry, protocol)) {
        return RegistryMatch::protocol_not_permitted;
    }
    return status == Status::pending ? RegistryMatch::pending : RegistryMatch::registered;
}

// Whether the challenger decides over the holder: the order at the top of registry.hpp.
bool Registry::better(const EntryMatch& challenger, const EntryMatch& holder) const noexcept {
    if (challenger.entry == kNoEntry || holder.entry == kNoEntry) {
        return challenger.entry != kNoEntry;
    }
    if (challenger.match != holder.match) {
        return challenger.match < holder.match;
    }
    if (challenger.match == RegistryMatch::pending) {
        const base::TimeNs left = entries_.submitted_at[challenger.entry];
        const base::TimeNs right = entries_.submitted_at[holder.entry];
        if (left != right) {
            return left > right;
        }
    }
    const std::uint8_t left = entries_.length[challenger.entry];
    const std::uint8_t right = entries_.length[holder.entry];
    if (left != right) {
        return left > right;
    }
    return entries_.rank[challenger.entry] < entries_.rank[holder.entry];
}

EntryMatch Registry::judge_address(std::uint32_t set,
                                   base::TimeNs time,
                                   std::string_view protocol) const noexcept {
    EntryMatch best;
    sets_.for_each(set, [&](std::uint32_t entry) {
        const EntryMatch challenger{entry, judge_entry(entry, time, protocol)};
        if (better(challenger, best)) {
            best = challenger;
        }
    });
    return best;
}

FlowMatch Registry::combine(const EntryMatch& src, const EntryMatch& dst) const noexcept {
    if (src.entry == kNoEntry && dst.entry == kNoEntry) {
        return {};
    }
    const bool dst_decides = better(dst, src);
    const EntryMatch& winner = dst_decides ? dst : src;
    MatchedEnd end = dst_decides ? MatchedEnd::dst : MatchedEnd::src;
    if (src.match == dst.match) {
        end = MatchedEnd::both;
    }
    return {winner.entry, winner.match, end, entries_.submitted_at[winner.entry]};
}

bool Registry::in_scope(const base::IpAddress& address) const noexcept {
    return !has_scope_ || scope_.find(address) != kEmptySet;
}

void Registry::match(const FlowColumns& flows, std::span<FlowMatch> out) const noexcept {
    std::array<std::uint32_t, kBatch> src_sets;
    std::array<std::uint32_t, kBatch> dst_sets;
    for (std::size_t first = 0; first < out.size(); first += kBatch) {
        const std::size_t count = std::min(kBatch, out.size() - first);
        tree_.find(flows.src.subspan(first, count), src_sets);
        tree_.find(flows.dst.subspan(first, count), dst_sets);
        for (std::size_t index = 0; index < count; ++index) {
            const std::size_t flow = first + index;
            if (has_scope_ && !in_scope(flows.src[flow]) && !in_scope(flows.dst[flow])) {
                out[flow] = {kNoEntry, RegistryMatch::out_of_scope, MatchedEnd::none, kNotKnown};
                continue;
            }
            const base::TimeNs time = flows.time[flow];
            const std::string_view protocol = flows.protocol[flow];
            out[flow] = combine(judge_address(src_sets[index], time, protocol),
                                judge_address(dst_sets[index], time, protocol));
        }
    }
}

}  // namespace flowclass::registry
