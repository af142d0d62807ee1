// What the opaque handles of the C ABI hold. Takes and gives nothing by itself; a registry and a
// policy are shared with the engines that use them, so each handle may be closed at any time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "capi/border.hpp"
#include "engine/engine.hpp"
#include "fingerprint/match.hpp"
#include "flowclass/flowclass.h"
#include "head/head_block.hpp"
#include "registry/snapshot.hpp"

// NOLINTBEGIN(readability-identifier-naming): the names that flowclass.h promises

struct flowclass_registry {
    std::shared_ptr<const flowclass::registry::Registry> registry;
    flowclass::registry::SnapshotFacts facts;
};

struct flowclass_policy {
    std::shared_ptr<const flowclass::policy::Policy> policy;
};

struct flowclass_engine {
    explicit flowclass_engine(flowclass::engine::Options options) : engine(std::move(options)) {}

    flowclass::engine::Engine engine;
    std::vector<flowclass::batch::FlowBatch> ready;  // taken out of the engine
    std::size_t given = 0;                           // of those
    std::vector<flowclass::packet::PacketView> views;
    std::uint32_t sources = 0;
    bool source_open = false;
    bool finished = false;
    bool broken = false;
    std::array<char, sizeof(flowclass_error::text)> error{};
};

struct flowclass_matcher {
    flowclass::head::HeadPool pool{1};
    flowclass::fingerprint::Match found;
};

// NOLINTEND(readability-identifier-naming)

namespace flowclass::capi {

inline flowclass_status say(flowclass_engine& handle,
                            flowclass_status status,
                            const char* sentence) noexcept {
    copy_text(handle.error, sentence);
    return status;
}

// Runs work(handle) for an engine that is whole; afterwards one that failed in the middle is not.
template <typename Work>
flowclass_status with(flowclass_engine* handle, Work&& work) noexcept {
    if (handle == nullptr) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    if (handle->broken) {
        return FLOWCLASS_BROKEN;
    }
    return guarded(
        [handle](flowclass_status status, const char* sentence) {
            handle->broken = true;
            return say(*handle, status, sentence);
        },
        [&] { return work(*handle); });
}

}  // namespace flowclass::capi
