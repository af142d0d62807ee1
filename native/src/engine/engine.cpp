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
    options.threads = std::max(options.threads, 1U);
    options.batch_rows = std::max<std::size_t>(options.batch_rows, 1);
    options.heads = options.heads && !options.anonymize;
    options.memcap = options.memcap == 0 ? quarter_of_memory() : options.memcap;
    return options;
}

// Verdicts are fetched so many flows before their turn.
constexpr std::size_t kAhead = 6;

// A batch of flows in the columns that registry and policy take.
struct Columns {
    std::vector<base::IpAddress> src, dst;
    std::vector<base::TimeNs> time;
    std::vector<std::string_view> protocol;
    std::vector<fingerprint::ProtocolClass> protocol_class;
    std::vector<fingerprint::Tier> tier;
};

}  // namespace

Engine::Engine(Options options)
    : options_(completed(std::move(options))),
      builder_(
          options_.registry,
          options_.policy,
          {.heads = options_.heads, .features = options_.features},
          options_.anonymize ? std::make_unique<batch::Anonymizer>(*options_.anonymize) : nullptr),
      ended_(options_.threads),
      verdicts_(options_.threads),
      workers_(options_.threads) {
    const base::HashKey key = options_.hash_key.value_or(base::random_hash_key());
    for (std::uint32_t number = 0; number < options_.threads; ++number) {
        shards_.push_back(std::make_unique<Shard>(options_, key, number, options_.threads));
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

const capture::CaptureReport& Engine::end_source() {
    for (const auto& shard : shards_) {
        shard->end_source();
    }
    return shards_.front()->report();
}

void Engine::advance(base::TimeNs now) {
    on_all_shards(false, [now](Shard& shard) { shard.advance(now); });
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

void Engine::flush() {
    if (builder_.rows() > 0) {
        ready_.push_back(builder_.finish(sources_));
    }
}

std::vector<batch::FlowBatch> Engine::poll() {
    return std::exchange(ready_, {});
}

// The flow clock. Each shard's ended flows are in order; merged they are in the order of the whole.
void Engine::on_flows_ended() {
    std::vector<std::span<const EndedFlow* const>> lists = ended_;
    std::size_t total = 0;
    for (const auto& list : lists) {
        total += list.size();
    }
    std::vector<const EndedFlow*> flows;
    std::vector<const Shard*> owners;
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
    append_all(flows, owners);
}

// Registry and policy in bulk over columns.
Engine::Judged Engine::judge(std::span<const EndedFlow* const> flows,
                             std::span<const Shard* const> owners) const {
    const std::size_t count = flows.size();
    Judged judged;
    std::vector<registry::FlowMatch>& matches = judged.matches;
    std::vector<policy::Judgement>& judgements = judged.judgements;
    if (options_.registry) {
        Columns columns;
        for (std::size_t index = 0; index < count; ++index) {
            const EndedFlow& flow = *flows[index];
            const bool known = flow.state.evidence != EvidenceStore::kNone;
            const EvidenceStore::Saved none;
            const EvidenceStore::Saved& saved =
                known ? owners[index]->evidence()[flow.state.evidence] : none;
            const bool named =
                saved.matcher != fingerprint::kNoMatcher && saved.tier != fingerprint::Tier::none;
            const fingerprint::MatcherInfo* info =
                named ? fingerprint::matchers()[saved.matcher].info : nullptr;
            const batch::Orientation way = batch::orientation_of(
                flow.state.record, named ? saved.initiator : fingerprint::Initiator::not_known);
            columns.src.push_back(batch::initiator_address(flow.key, flow.state.record, way));
            columns.dst.push_back(batch::responder_address(flow.key, flow.state.record, way));
            columns.time.push_back(flow.state.record.first);
            columns.protocol_class.push_back(named ? info->protocol_class
                                                   : fingerprint::ProtocolClass::unknown);
            const bool counted =
                named && policy::asks_protocol(info->protocol_class, options_.policy.get());
            columns.protocol.push_back(counted ? info->protocol : std::string_view());
            columns.tier.push_back(named ? saved.tier : fingerprint::Tier::none);
        }
        matches.resize(count);
        options_.registry->match({columns.src, columns.dst, columns.time, columns.protocol},
                                 matches);
        if (options_.policy) {
            judgements.resize(count);
            policy::judge({columns.protocol_class,
                           columns.tier,
                           matches,
                           columns.time,
                           columns.src,
                           columns.dst},
                          *options_.policy,
                          judgements);
        }
    }
    return judged;
}

void Engine::count_only(std::size_t number) {
    const std::span<const EndedFlow* const> flows = ended_[number];
    const Shard& owner = *shards_[number];
    const std::vector<const Shard*> owners(options_.registry ? flows.size() : 0, &owner);
    const Judged judged = judge(flows, owners);
    for (std::size_t index = 0; index < flows.size(); ++index) {
        if (index + kAhead < flows.size()) {
            owner.evidence().prefetch(flows[index + kAhead]->state.evidence);
        }
        count_verdict(
            *flows[index], owner, judged.match(index), judged.judgement(index), verdicts_[number]);
    }
}

void Engine::append_all(std::span<const EndedFlow* const> flows,
                        std::span<const Shard* const> owners) {
    const Judged judged = judge(flows, owners);
    const std::size_t count = flows.size();
    for (std::size_t index = 0; index < count; ++index) {
        if (index + 2 * kAhead < count) {
            owners[index + 2 * kAhead]->evidence().prefetch(
                flows[index + 2 * kAhead]->state.evidence);
            owners[index + kAhead]->evidence().prefetch_more(flows[index + kAhead]->state.evidence);
            owners[index + kAhead]->hellos().prefetch(flows[index + kAhead]->state.hello);
        }
        const registry::FlowMatch* match = judged.match(index);
        const policy::Judgement* judgement = judged.judgement(index);
        count_verdict(*flows[index], *owners[index], match, judgement, verdicts_.front());
        append(*flows[index], *owners[index], match, judgement);
    }
}

void Engine::count_verdict(const EndedFlow& flow,
                           const Shard& owner,
                           const registry::FlowMatch* match,
                           const policy::Judgement* judgement,
                           VerdictCounts& counts) {
    VerdictKey key;
    if (flow.state.evidence != EvidenceStore::kNone) {
        const EvidenceStore::Saved& saved = owner.evidence()[flow.state.evidence];
        if (saved.matcher != fingerprint::kNoMatcher && saved.tier != fingerprint::Tier::none) {
            key.matcher = saved.matcher;
            key.tier = saved.tier;
            key.variant = saved.variant;
        }
    }
    if (match != nullptr) {
        key.match = match->match;
    }
    if (judgement != nullptr) {
        key.outcome = judgement->outcome;
    }
    counts.add(key, 1);
}

void Engine::append(const EndedFlow& flow,
                    const Shard& owner,
                    const registry::FlowMatch* match,
                    const policy::Judgement* judgement) {
    batch::FlowRow row;
    row.id = flow.id;
    row.key = &flow.key;
    row.record = &flow.state.record;
    row.sums = &flow.state.sums;
    row.features = owner.features(flow.state.features);
    row.end_reason = flow.reason;
    row.registry_match = match;
    row.judgement = judgement;
    std::array<fingerprint::Check, fingerprint::Evidence::kMaxChecks + 1> checks;
    HelloStore::Text hello;
    HeadStore::Restored head;
    if (flow.state.evidence != EvidenceStore::kNone) {
        const EvidenceStore::Saved& saved = owner.evidence()[flow.state.evidence];
        std::size_t check_count = 0;
        owner.evidence().for_each_check(flow.state.evidence, [&](const fingerprint::Check& check) {
            checks[check_count++] = check;
        });
        if (saved.link.rule != nullptr) {
            // No octet of this flow: packet 0, and the time is the leading flow's first payload's.
            checks[check_count++] = {.rule = &saved.link.rule->rule,
                                     .time = saved.link.leader_begun,
                                     .packet = 0,
                                     .offset = 0,
                                     .length = 0,
                                     .direction = packet::Direction::forward,
                                     .bits = saved.link.rule->bits};
            row.linked = saved.link.leader;
        }
        row.matcher = saved.matcher;
        row.tier = saved.tier;
        row.bits = saved.bits;
        row.variant = saved.variant;
        row.initiator = saved.tier == fingerprint::Tier::none ? fingerprint::Initiator::not_known
                                                              : saved.initiator;
        row.checks = std::span(checks).first(check_count);
        row.alternatives = std::span(saved.alternatives).first(saved.alternative_count);
    }
    if (flow.state.hello != HelloStore::kNone) {
        owner.hellos().read(flow.state.hello, hello);
        row.server_name = hello.server_name();
        row.alpn = hello.alpn();
        row.ja4 = hello.ja4();
    }
    if (flow.state.saved_head != HeadStore::kNone) {
        owner.saved_heads().read(flow.state.saved_head, head);
        row.head = &head.head;
    }
    if (flow.state.record.encaps != UINT32_MAX) {
        const EncapStack& stack = owner.encaps(flow.state.record.encaps);
        row.encaps = std::span(stack.encaps).first(stack.count);
    }
    builder_.append(row);
    if (builder_.rows() == options_.batch_rows) {
        ready_.push_back(builder_.finish(sources_));
    }
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
    }
    use.bytes_per_flow = Table::bytes_per_flow();
    return use;
}

}  // namespace flowclass::engine
