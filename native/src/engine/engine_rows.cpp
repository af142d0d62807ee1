// The flow clock of the conductor: registry and policy in bulk over columns, then the counts, and
// the rows where they are wanted.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

namespace flowclass::engine {

namespace {

// Fewer rows are not worth waking threads for.
constexpr std::size_t kManyRows = 256;

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

// Registry and policy in bulk over columns.
Engine::Judged Engine::judge(std::span<const EndedFlow* const> flows,
                             std::span<const Shard* const> owners) const {
    const std::size_t count = flows.size();
    Judged judged;
    std::vector<registry::FlowMatch>& matches = judged.matches;
    std::vector<policy::Judgement>& judgements = judged.judgements;
    if (judges_.registry) {
        Columns columns;
        for (std::size_t index = 0; index < count; ++index) {
            const EndedFlow& flow = *flows[index];
            const bool known = flow.state().evidence != EvidenceStore::kNone;
            const EvidenceStore::Saved none;
            const EvidenceStore::Saved& saved =
                known ? owners[index]->evidence()[flow.state().evidence] : none;
            const bool named =
                saved.matcher != fingerprint::kNoMatcher && saved.tier != fingerprint::Tier::none;
            const fingerprint::MatcherInfo* info =
                named ? &fingerprint::info_of(saved.matcher, options_.user.get()) : nullptr;
            const batch::Orientation way = batch::orientation_of(
                flow.state().record, named ? saved.initiator : fingerprint::Initiator::not_known);
            columns.src.push_back(batch::initiator_address(flow.key(), flow.state().record, way));
            columns.dst.push_back(batch::responder_address(flow.key(), flow.state().record, way));
            columns.time.push_back(flow.state().record.first);
            columns.protocol_class.push_back(named ? info->protocol_class
                                                   : fingerprint::ProtocolClass::unknown);
            const bool counted =
                named && policy::asks_protocol(info->protocol_class, judges_.policy.get());
            columns.protocol.push_back(counted ? info->protocol : std::string_view());
            columns.tier.push_back(named ? saved.tier : fingerprint::Tier::none);
        }
        matches.resize(count);
        judges_.registry->match({columns.src, columns.dst, columns.time, columns.protocol},
                                matches);
        if (judges_.policy) {
            judgements.resize(count);
            policy::judge({columns.protocol_class,
                           columns.tier,
                           matches,
                           columns.time,
                           columns.src,
                           columns.dst},
                          *judges_.policy,
                          judgements);
        }
    }
    return judged;
}

void Engine::count_only(std::size_t number) {
    const std::span<const EndedFlow* const> flows = ended_[number];
    const Shard& owner = *shards_[number];
    const std::vector<const Shard*> owners(judges_.registry ? flows.size() : 0, &owner);
    const Judged judged = judge(flows, owners);
    for (std::size_t index = 0; index < flows.size(); ++index) {
        if (index + 2 * kAhead < flows.size()) {
            base::prefetch(*flows[index + 2 * kAhead]->slot);
        }
        if (index + kAhead < flows.size()) {
            owner.evidence().prefetch(flows[index + kAhead]->state().evidence);
        }
        count_verdict(
            *flows[index], owner, judged.match(index), judged.judgement(index), verdicts_[number]);
    }
}

void Engine::append_all(std::span<const EndedFlow* const> flows,
                        std::span<const Shard* const> owners) {
    const Judged judged = judge(flows, owners);
    for (std::size_t done = 0; done < flows.size();) {
        const std::size_t room = options_.batch_rows - builder_.rows();
        const std::size_t end = std::min(flows.size(), done + room);
        const auto part_of_all = [&, done, end](std::size_t part) {
            append_part(static_cast<batch::RowPart>(part), flows, owners, judged, {done, end});
        };
        constexpr auto kParts = static_cast<std::size_t>(batch::RowPart::count_);
        if (end - done >= kManyRows && builder_.parts_are_apart()) {
            workers_.each(kParts, part_of_all);
        } else {
            for (std::size_t part = 0; part < kParts; ++part) {
                part_of_all(part);
            }
        }
        builder_.appended(end - done);
        done = end;
        if (builder_.rows() == options_.batch_rows) {
            ready_.push_back(builder_.finish(sources_));
        }
    }
}

// Some columns of some rows. The parts of a row have no column in common, so each may be another
// thread's.
void Engine::append_part(batch::RowPart part,
                         std::span<const EndedFlow* const> flows,
                         std::span<const Shard* const> owners,
                         const Judged& judged,
                         Range range) {
    if (part == batch::RowPart::features && !options_.features) {
        return;
    }
    for (std::size_t index = range.begin; index < range.end; ++index) {
        if (index + 3 * kAhead < range.end) {
            base::prefetch(*flows[index + 3 * kAhead]->slot);
        }
        if (index + 2 * kAhead < range.end) {
            owners[index + 2 * kAhead]->evidence().prefetch(
                flows[index + 2 * kAhead]->state().evidence);
        }
        const EndedFlow& flow = *flows[index];
        const Shard& owner = *owners[index];
        batch::FlowRow row = row_of(flow, owner);
        if (part != batch::RowPart::findings) {
            if (part == batch::RowPart::features && index + kAhead < range.end) {
                owners[index + kAhead]->features().prefetch(
                    flows[index + kAhead]->state().features);
            }
            builder_.append_part(part, row);
            continue;
        }
        if (index + kAhead < range.end) {
            owners[index + kAhead]->evidence().prefetch_checks(
                flows[index + kAhead]->state().evidence);
            owners[index + kAhead]->hellos().prefetch(flows[index + kAhead]->state().hello);
        }
        row.registry_match = judged.match(index);
        row.judgement = judged.judgement(index);
        count_verdict(flow, owner, row.registry_match, row.judgement, verdicts_.front());
        append_findings(row, flow, owner, builder_);
    }
}

// What is known of a flow without its checks, its client's words and its head.
batch::FlowRow Engine::row_of(const EndedFlow& flow, const Shard& owner) {
    batch::FlowRow row;
    row.id = flow.id;
    row.key = &flow.key();
    row.record = &flow.state().record;
    row.sums = &flow.state().sums;
    row.few_packets = owner.features().few(flow.state().features);
    row.features = owner.features().sums(flow.state().features);
    row.end_reason = flow.reason;
    if (flow.state().evidence != EvidenceStore::kNone) {
        const EvidenceStore::Saved& saved = owner.evidence()[flow.state().evidence];
        row.matcher = saved.matcher;
        row.tier = saved.tier;
        row.bits = saved.bits;
        row.variant = saved.variant;
        row.initiator = saved.tier == fingerprint::Tier::none ? fingerprint::Initiator::not_known
                                                              : saved.initiator;
        row.alternatives = owner.evidence().alternatives(flow.state().evidence);
    }
    if (flow.state().record.encaps != UINT32_MAX) {
        const EncapStack& stack = owner.encaps(flow.state().record.encaps);
        row.encaps = std::span(stack.encaps).first(stack.count);
    }
    return row;
}

void Engine::append_findings(batch::FlowRow row,
                             const EndedFlow& flow,
                             const Shard& owner,
                             batch::FlowBatchBuilder& builder) {
    std::array<fingerprint::Check, fingerprint::Evidence::kMaxChecks + 1> checks;
    HelloStore::Text hello;
    HeadStore::Restored head;
    if (flow.state().evidence != EvidenceStore::kNone) {
        std::size_t check_count = 0;
        owner.evidence().for_each_check(
            flow.state().evidence,
            [&](const fingerprint::Check& check) { checks[check_count++] = check; });
        const Link link = owner.evidence().link(flow.state().evidence);
        if (link.rule != nullptr) {
            // No octet of this flow: packet 0, and the time is the leading flow's first payload's.
            checks[check_count++] = {.rule = &link.rule->rule,
                                     .time = link.leader_begun,
                                     .packet = 0,
                                     .offset = 0,
                                     .length = 0,
                                     .direction = packet::Direction::forward,
                                     .bits = link.rule->bits};
            row.linked = link.leader;
        }
        row.checks = std::span(checks).first(check_count);
    }
    if (flow.state().hello != HelloStore::kNone) {
        owner.hellos().read(flow.state().hello, hello);
        row.server_name = hello.server_name();
        row.alpn = hello.alpn();
        row.ja4 = hello.ja4();
    }
    if (flow.state().saved_head != HeadStore::kNone) {
        owner.saved_heads().read(flow.state().saved_head, head);
        row.head = &head.head;
    }
    builder.append_part(batch::RowPart::findings, row);
}

// The head clock's own rows. They are counted when their flows end.
void Engine::on_early_verdicts() {
    const Merged early = merge(early_);
    const Judged judged = judge(early.flows, early.owners);
    for (std::size_t index = 0; index < early.flows.size(); ++index) {
        const EndedFlow& flow = *early.flows[index];
        batch::FlowRow row = row_of(flow, *early.owners[index]);
        row.registry_match = judged.match(index);
        row.judgement = judged.judgement(index);
        row.stood = flow.closed;
        row.head_state = flow.head_state;
        early_builder_->append_part(batch::RowPart::flow, row);
        append_findings(row, flow, *early.owners[index], *early_builder_);
        early_builder_->appended(1);
        if (early_builder_->rows() == options_.batch_rows) {
            early_ready_.push_back(early_builder_->finish(sources_));
        }
    }
}

void Engine::count_verdict(const EndedFlow& flow,
                           const Shard& owner,
                           const registry::FlowMatch* match,
                           const policy::Judgement* judgement,
                           VerdictCounts& counts) {
    VerdictKey key;
    if (flow.state().evidence != EvidenceStore::kNone) {
        const EvidenceStore::Saved& saved = owner.evidence()[flow.state().evidence];
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

}  // namespace flowclass::engine
