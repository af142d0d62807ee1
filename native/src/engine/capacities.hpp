// How much of everything a shard has room for. Takes: the memory cap, as the options say it, and
// the number of shards. Gives: numbers of flows, heads, verdicts and leaders.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/evidence_store.hpp"
#include "engine/feature_store.hpp"
#include "engine/flow_state.hpp"
#include "engine/head_store.hpp"
#include "engine/hello_store.hpp"
#include "engine/link_table.hpp"
#include "engine/options.hpp"
#include "head/head_block.hpp"

namespace flowclass::engine {

// The memory cap in flows: a slot with its index entries, and the share of heads and evidence that
// living flows need. Heads are open for two seconds, so one for every fourth flow is plenty; a flow
// that finds none stays unknown and is counted.
inline constexpr std::size_t kFlowsPerHead = 4;
inline constexpr std::size_t kHeadBytes = sizeof(head::HeadBlock) + sizeof(head::LargeBuffer);
inline constexpr std::size_t kBytesPerFlow = Table::bytes_per_flow() +
                                             EvidenceStore::kVerdictBytes + HelloStore::kNodeBytes +
                                             (kHeadBytes + LinkTable::kLeaderBytes) / kFlowsPerHead;
inline constexpr std::size_t kLeastFlows = 1024;
// Saved heads: a usual one takes three nodes of 256 octets, one with a large handshake up to
// thirty.
inline constexpr std::size_t kNodesPerHead = 8;

inline std::size_t flow_capacity(const Options& options, std::uint32_t count) noexcept {
    const std::size_t saved = (options.heads ? kNodesPerHead * HeadStore::kNodeBytes : 0) +
                              (options.features ? FeatureStore::kFlowBytes : 0) +
                              (options.early ? sizeof(HeadFacts) / kFlowsPerHead : 0);
    return std::clamp<std::size_t>(
        options.memcap / count / (kBytesPerFlow + saved), kLeastFlows, 0xfffffff0U / kNodesPerHead);
}

inline std::size_t head_capacity(std::size_t flows) noexcept {
    return std::max(flows / kFlowsPerHead, kLeastFlows);
}

// Sessions that may set up other flows: the newest of the last two minutes.
inline std::size_t link_capacity(std::size_t flows) noexcept {
    return std::max(flows / kFlowsPerHead, kLeastFlows);
}

// Verdicts that the stores have room for: of living flows, of ended ones whose rows wait, and early
// ones.
inline std::size_t verdict_capacity(const Options& options, std::size_t flows) noexcept {
    return flows * (options.early ? 3 : 2);
}

}  // namespace flowclass::engine
