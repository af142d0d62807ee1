// One call for each stage, in the order of the design.
#include "engine/engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace flowclass::engine {

namespace {

// Below this a chunk is not worth waking threads for.
constexpr std::size_t kThreadWorth = 65536;
constexpr std::size_t kManyFlows = 1024;  // of a shard: nor is ending fewer
// A slice is read ahead in so many parts a thread: small ones fill the time until the slowest
// shard is done.
constexpr std::size_t kPartsAhead = 4;

std::size_t quarter_of_memory() noexcept {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    constexpr std::size_t kFallback = std::size_t{1} << 30U;
    return pages > 0 && page > 0
               ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) / 4
               : kFallback;
}

Options completed(Options options) {
    options.threads = options.border == nullptr ? std::max(options.threads, 1U) : 1U;
    options.batch_rows = std::max<std::size_t>(options.batch_rows, 1);
    options.heads = options.heads && !options.anonymize;
    options.memcap = options.memcap == 0 ? quarter_of_memory() : options.memcap;
    return options;
}

std::unique_ptr<batch::Anonymizer> anonymizer_of(const Options& options) {
    return options.anonymize ? std::make_unique<batch::Anonymizer>(*options.anonymize) : nullptr;
}

}  // namespace

Engine::Engine(Options options)
    : options_(completed(std::move(options))),
      key_(options_.hash_key ? *options_.hash_key : base::random_hash_key()),
      judges_{std::move(options_.registry),
              std::move(options_.policy),
              std::move(options_.registry_version),
              std::move(options_.policy_version)},
      builder_(judges_,
               {.heads = options_.heads, .features = options_.features},
               anonymizer_of(options_),
               options_.user),
      ended_(options_.threads),
      early_(options_.early ? options_.threads : 0),
      verdicts_(options_.threads),
      workers_(options_.threads) {
    for (std::uint32_t number = 0; number < options_.threads; ++number) {
        shards_.push_back(std::make_unique<Shard>(options_, key_, number, options_.threads));
    }
    if (options_.early) {
        early_builder_ = std::make_unique<batch::FlowBatchBuilder>(
            judges_, batch::Extras{.early = true}, anonymizer_of(options_), options_.user);
    }
}

void Engine::begin_source(std::string name) {
    sources_.push_back(std::move(name));
    for (const auto& shard : shards_) {
        shard->begin_source(static_cast<std::uint32_t>(sources_.size() - 1));
    }
}

void Engine::use_source(std::uint32_t number) noexcept {
    for (const auto& shard : shards_) {
        shard->use_source(number);
    }
}

// What every shard does with its share: first it forgets the flows that were handed on, at last it
// says which have ended since. Meanwhile those who are free read ahead.
template <typename Work>
void Engine::on_all_shards(bool worth_threads, Work&& work, capture::FileSlices* ahead) {
    const auto share = [this, &work](std::size_t number) {
        Shard& shard = *shards_[number];
        shard.release_ended();
        work(shard);
        ended_[number] = shard.ended();
        if (options_.early) {
            early_[number] = shard.early();
        }
        if (!options_.rows) {
            count_only(number);
        }
    };
    const std::size_t count = shards_.size();
    if (!worth_threads || count == 1) {
        for (std::size_t number = 0; number < count; ++number) {
            share(number);
        }
    } else {
        const std::size_t parts = ahead == nullptr ? 0 : kPartsAhead * count;
        if (parts > 0) {
            ahead->begin_ahead(parts);
        }
        workers_.each(count + parts, [&share, count, ahead](std::size_t piece) {
            if (piece < count) {
                share(piece);
            } else {
                ahead->read_part(piece - count);
            }
        });
    }
    if (options_.early) {
        on_early_verdicts();
    }
    if (options_.rows) {
        on_flows_ended();
    }
}

void Engine::push(base::Bytes chunk) {
    on_all_shards(chunk.size() >= kThreadWorth, [chunk](Shard& shard) { shard.push(chunk); });
}

void Engine::push(capture::FileSlices& file) {
    const base::Bytes chunk = file.slice();
    on_all_shards(
        chunk.size() >= kThreadWorth, [chunk](Shard& shard) { shard.push(chunk); }, &file);
}

void Engine::push_packets(std::span<const packet::PacketView> views) {
    on_all_shards(views.size() * sizeof(packet::PacketView) >= kThreadWorth,
                  [views](Shard& shard) { shard.push_packets(views); });
}

void Engine::push_carried(std::span<const packet::PacketView> views,
                          std::span<const base::TimeNs> clocks) {
    on_all_shards(views.size() * sizeof(packet::PacketView) >= kThreadWorth,
                  [views, clocks](Shard& shard) { shard.push_carried(views, clocks); });
}

CarriedPackets Engine::take_carried() {
    return shards_.front()->take_carried();
}

const capture::CaptureReport& Engine::end_source() {
    for (const auto& shard : shards_) {
        shard->end_source();
    }
    return shards_.front()->report();
}

void Engine::advance(base::TimeNs now) {
    on_all_shards(false, [now](Shard& shard) { shard.advance(now); });
}

void Engine::restart_clock() {
    on_all_shards(false, [](Shard& shard) { shard.restart_clock(); });
}

void Engine::finish() {
    if (finished_) {
        return;
    }
    finished_ = true;
    const bool many = shards_.front()->peak_flows() >= kManyFlows;
    on_all_shards(many, [](Shard& shard) { shard.finish(); });
    flush();
}

void Engine::set_judges(batch::Judges judges) {
    flush();
    judges_ = std::move(judges);
    builder_.set_judges(judges_);
    if (early_builder_) {
        early_builder_->set_judges(judges_);
    }
}

void Engine::flush() {
    if (builder_.rows() > 0) {
        ready_.push_back(builder_.finish(sources_));
    }
    if (early_builder_ && early_builder_->rows() > 0) {
        early_ready_.push_back(early_builder_->finish(sources_));
    }
}

std::vector<batch::FlowBatch> Engine::poll() {
    return std::exchange(ready_, {});
}

std::vector<batch::FlowBatch> Engine::poll_early() {
    return std::exchange(early_ready_, {});
}

// The flow clock. Each shard's ended flows are in order; merged they are in the order of the whole.
void Engine::on_flows_ended() {
    const Merged ended = merge(ended_);
    append_all(ended.flows, ended.owners);
}

Engine::Merged Engine::merge(std::vector<std::span<const EndedFlow* const>> lists) const {
    std::size_t total = 0;
    for (const auto& list : lists) {
        total += list.size();
    }
    Merged merged;
    std::vector<const EndedFlow*>& flows = merged.flows;
    std::vector<const Shard*>& owners = merged.owners;
    flows.reserve(total);
    owners.reserve(total);
    while (flows.size() < total) {
        std::size_t least = lists.size();
        for (std::size_t number = 0; number < lists.size(); ++number) {
            if (!lists[number].empty() &&
                (least == lists.size() || before(*lists[number].front(), *lists[least].front()))) {
                least = number;
            }
        }
        flows.push_back(lists[least].front());
        owners.push_back(shards_[least].get());
        lists[least] = lists[least].subspan(1);
    }
    return merged;
}

std::vector<VerdictCount> Engine::verdicts() const {
    VerdictCounts sum;
    for (const VerdictCounts& counts : verdicts_) {
        for (const VerdictCount& row : counts.rows()) {
            sum.add(row.key, row.flows);
        }
    }
    return sum.rows();
}

Counters Engine::counters() const {
    Counters sum;
    for (const auto& shard : shards_) {
        sum.add(shard->counters());
        sum.leaders_forgotten += shard->leaders_forgotten();
    }
    return sum;
}

fingerprint::UserFaults Engine::user_faults() const {
    fingerprint::UserFaults sum;
    for (const auto& shard : shards_) {
        sum.add(shard->user_faults());
    }
    return sum;
}

decode::DecodeCounters Engine::decode_counters() const {
    decode::DecodeCounters sum;
    for (const auto& shard : shards_) {
        sum += shard->decode_counters();
    }
    return sum;
}

MemoryUse Engine::memory() const {
    MemoryUse use;
    for (const auto& shard : shards_) {
        use.tables += shard->table_bytes();
        use.heads += shard->head_bytes();
        use.evidence += shard->evidence_bytes();
        use.peak_flows += shard->peak_flows();
        use.flows_alive += shard->flows_alive();
        use.placed_anew += shard->placed_anew();
    }
    use.bytes_per_flow = Table::bytes_per_flow();
    return use;
}

}  // namespace flowclass::engine
