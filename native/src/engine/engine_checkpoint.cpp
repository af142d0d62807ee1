// The engine's state in octets: what kind of engine it is, its sources, the capture it is in the
// middle of, its shards, its counts. The form is this build's own and has a version; who keeps it
// in a file says of which build and rules it is, and adds a digest.
#include <algorithm>
#include <string>
#include <utility>

#include "engine/engine.hpp"

namespace flowclass::engine {

namespace {

constexpr std::uint32_t kForm = 0x32504b46U;  // "FKP2": a change of any keep() is another number
constexpr std::uint32_t kReader = 0x4441455fU;
constexpr std::uint32_t kVerdicts = 0x5245565fU;
constexpr std::uint32_t kEnd = 0x5f444e45U;
constexpr std::size_t kMostSources = std::size_t{1} << 24U;
constexpr std::size_t kLongestName = std::size_t{1} << 16U;

base::Error refused(const std::string& why) {
    return {"The state is refused: " + why + "."};
}

template <typename Archive>
void keep_names(Archive& archive, std::vector<std::string>& names) {
    constexpr std::size_t kLeastOctets = 8;
    names.resize(archive.count(names.size(), kMostSources, kLeastOctets));
    for (std::string& name : names) {
        std::vector<std::uint8_t> octets(name.begin(), name.end());
        octets.resize(archive.count(octets.size(), kLongestName, 1));
        archive.octets(octets);
        name.assign(octets.begin(), octets.end());
    }
}

}  // namespace

// What has to be the same, since it is part of what a flow is.
template <typename Archive>
void Engine::keep_kind(Archive& archive) {
    archive.mark(static_cast<std::uint32_t>(fingerprint::matchers().size()));
    archive.mark(options_.threads);
    for (const base::TimeNs time :
         {options_.idle_timeout, options_.active_timeout, options_.tcp_linger}) {
        archive.mark(static_cast<std::uint32_t>(time));
        archive.mark(static_cast<std::uint32_t>(static_cast<std::uint64_t>(time) >> 32U));
    }
    std::uint32_t switches = 0;
    for (const bool each : {options_.vlan_in_key,
                            options_.tunnels,
                            options_.rows,
                            options_.heads,
                            options_.features,
                            options_.anonymize.has_value(),
                            judges_.registry != nullptr,
                            judges_.policy != nullptr}) {
        switches = switches << 1U | (each ? 1U : 0U);
    }
    archive.mark(switches);
}

// A state says rules and variants by the numbers of the build's own fingerprints.
std::optional<base::Error> Engine::save(const base::Saver::Put& put) {
    if (options_.user || options_.border || options_.early) {
        return base::Error{
            "An engine over a piece, with early verdicts or with fingerprints of "
            "the caller is not saved."};
    }
    if (finished_ || builder_.rows() > 0 || !ready_.empty()) {
        return base::Error{finished_ ? "The engine is finished: there is no state to save."
                                     : "Rows are ready: flush and poll before the state is saved."};
    }
    base::Saver saver(put);
    saver.mark(kForm);
    keep_kind(saver);
    saver(key_);
    keep_names(saver, sources_);
    saver.mark(kReader);
    shards_.front()->save_reader(saver);
    for (const auto& shard : shards_) {
        shard->save(saver);
    }
    saver.mark(kVerdicts);
    for (VerdictCounts& counts : verdicts_) {
        saver(counts);
    }
    saver.mark(kEnd);
    if (saver.finish()) {
        return std::nullopt;
    }
    return base::Error{saver.refused() ? "The state could not be written."
                                       : "The state cannot be saved: there is more of something "
                                         "than may be restored."};
}

std::optional<base::Error> Engine::restore(base::Bytes state) {
    if (finished_ || !sources_.empty() || options_.user || options_.border || options_.early) {
        return base::Error{
            "Only a new engine takes a state over, and none over a piece or with "
            "fingerprints of the caller."};
    }
    base::Loader loader(state);
    loader.mark(kForm);
    if (!loader.ok()) {
        return refused("it is none of this version");
    }
    keep_kind(loader);
    if (!loader.ok()) {
        return refused("it is of other options, other threads or other fingerprints");
    }
    base::HashKey key;
    std::vector<std::string> sources;
    loader(key);
    keep_names(loader, sources);
    loader.mark(kReader);
    std::vector<std::unique_ptr<Shard>> shards;
    shards.reserve(options_.threads);
    for (std::uint32_t number = 0; number < options_.threads; ++number) {
        shards.push_back(std::make_unique<Shard>(options_, key, number, options_.threads));
    }
    // Every shard reads the same octets, so one reader is all of theirs.
    base::Loader behind = loader;
    for (const auto& shard : shards) {
        behind = loader;
        shard->load_reader(behind);
    }
    loader = behind;
    std::vector<VerdictCounts> verdicts(options_.threads);
    for (const auto& shard : shards) {
        shard->load(loader, static_cast<std::uint32_t>(sources.size()));
    }
    loader.mark(kVerdicts);
    for (VerdictCounts& counts : verdicts) {
        loader(counts);
    }
    loader.mark(kEnd);
    if (!loader.ok() || loader.remaining() > 0) {
        return refused("it is damaged, or has more flows than the memory cap permits");
    }
    key_ = key;
    sources_ = std::move(sources);
    shards_ = std::move(shards);
    verdicts_ = std::move(verdicts);
    std::fill(ended_.begin(), ended_.end(), std::span<const EndedFlow* const>());
    return std::nullopt;
}

}  // namespace flowclass::engine
