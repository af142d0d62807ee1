// The conductor: the only place that names every stage. Takes: captures, in order, in chunks cut
// anywhere. Gives: batches of finished flows in an order that depends on the packets alone, and the
// balance. One engine may run several threads; each walks all bytes and keeps the flows of its
// share of the address pairs, so threads share nothing and need no lock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/archive.hpp"
#include "base/status.hpp"
#include "batch/flow_batch.hpp"
#include "capture/file_slices.hpp"
#include "engine/options.hpp"
#include "engine/shard.hpp"
#include "engine/verdict_counts.hpp"
#include "engine/workers.hpp"

namespace flowclass::engine {

struct MemoryUse {
    std::size_t tables = 0;
    std::size_t heads = 0;
    std::size_t evidence = 0;
    std::size_t peak_flows = 0;
    std::size_t flows_alive = 0;
    std::size_t bytes_per_flow = 0;  // of the table, index included
    std::uint64_t placed_anew = 0;   // times that a table was given another key
};

class Engine {
  public:
    explicit Engine(Options options);
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    void begin_source(std::string name);
    // The packets that follow are of the source that was begun as the `number`th, from 0.
    void use_source(std::uint32_t number) noexcept;
    void push(base::Bytes chunk);
    // The slice; where there are several threads the next one is read meanwhile.
    void push(capture::FileSlices& file);
    void push_packets(std::span<const packet::PacketView> views);
    // Packets that engines over pieces have left; both lists are of one length.
    void push_carried(std::span<const packet::PacketView> views,
                      std::span<const base::TimeNs> clocks);
    // With options.border: what was left so far.
    CarriedPackets take_carried();
    const capture::CaptureReport& end_source();
    void advance(base::TimeNs now);
    // Ends every flow (`forced`), and takes the next packet's time as it is, also when it is long
    // before the clock: for the caller who knows that the clock of the packets was set.
    void restart_clock();
    void finish();

    // Flows that end from now on are judged by these; the rows so far are a batch of their own.
    void set_judges(batch::Judges judges);

    // Makes the rows so far a batch, so that poll() gives them now.
    void flush();

    // Batches of options.batch_rows rows that are ready; after finish() also the last, shorter one.
    std::vector<batch::FlowBatch> poll();
    // The same of early verdicts, where they are wanted.
    std::vector<batch::FlowBatch> poll_early();

    // The whole state, given to `put` in pieces: what an engine that restores it does with the
    // packets that follow is what this one would have done. For an engine that is not finished,
    // after flush() and poll(). The error says why not.
    std::optional<base::Error> save(const base::Saver::Put& put);
    // Takes a state over that an engine of the same options saved; registry and policy may be
    // others. Its octets may be anything: what is not sound is refused, and this engine is as it
    // was.
    std::optional<base::Error> restore(base::Bytes state);

    [[nodiscard]] std::size_t source_count() const noexcept { return sources_.size(); }
    [[nodiscard]] Counters counters() const;  // since the engine was opened
    [[nodiscard]] decode::DecodeCounters decode_counters() const;
    [[nodiscard]] fingerprint::UserFaults user_faults() const;
    [[nodiscard]] MemoryUse memory() const;
    [[nodiscard]] base::TimeNs time_first() const noexcept { return shards_.front()->time_first(); }
    [[nodiscard]] base::TimeNs time_last() const noexcept { return shards_.front()->clock(); }
    // Bursts in a row, up to the last one, whose last packet was more than a minute before the
    // clock.
    [[nodiscard]] std::uint64_t bursts_behind() const noexcept {
        return shards_.front()->bursts_behind();
    }
    [[nodiscard]] bool started() const noexcept { return shards_.front()->started(); }
    // Of the flows that have ended.
    [[nodiscard]] std::vector<VerdictCount> verdicts() const;
    [[nodiscard]] const Options& options() const noexcept { return options_; }

  private:
    // What registry and policy say of some flows; empty where there are none.
    struct Judged {
        std::vector<registry::FlowMatch> matches;
        std::vector<policy::Judgement> judgements;
        [[nodiscard]] const registry::FlowMatch* match(std::size_t index) const noexcept {
            return matches.empty() ? nullptr : &matches[index];
        }
        [[nodiscard]] const policy::Judgement* judgement(std::size_t index) const noexcept {
            return judgements.empty() ? nullptr : &judgements[index];
        }
    };

    template <typename Work>  // work(shard)
    void on_all_shards(bool worth_threads, Work&& work, capture::FileSlices* ahead = nullptr);
    void on_flows_ended();
    void on_early_verdicts();
    struct Merged {
        std::vector<const EndedFlow*> flows;
        std::vector<const Shard*> owners;
    };
    [[nodiscard]] Merged merge(std::vector<std::span<const EndedFlow* const>> lists) const;
    template <typename Archive>
    void keep_kind(Archive& archive);
    [[nodiscard]] Judged judge(std::span<const EndedFlow* const> flows,
                               std::span<const Shard* const> owners) const;
    void count_only(std::size_t number);
    static void count_verdict(const EndedFlow& flow,
                              const Shard& owner,
                              const registry::FlowMatch* match,
                              const policy::Judgement* judgement,
                              VerdictCounts& counts);
    void append_all(std::span<const EndedFlow* const> flows, std::span<const Shard* const> owners);
    struct Range {
        std::size_t begin, end;
    };
    void append_part(batch::RowPart part,
                     std::span<const EndedFlow* const> flows,
                     std::span<const Shard* const> owners,
                     const Judged& judged,
                     Range range);
    [[nodiscard]] static batch::FlowRow row_of(const EndedFlow& flow, const Shard& owner);
    static void append_findings(batch::FlowRow row,
                                const EndedFlow& flow,
                                const Shard& owner,
                                batch::FlowBatchBuilder& builder);

    Options options_;
    base::HashKey key_;
    batch::Judges judges_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::string> sources_;
    batch::FlowBatchBuilder builder_;
    std::vector<batch::FlowBatch> ready_;
    std::unique_ptr<batch::FlowBatchBuilder> early_builder_;  // nullptr: none are wanted
    std::vector<batch::FlowBatch> early_ready_;
    // By shard: the flows of the last round that have ended, and the verdicts that were counted.
    std::vector<std::span<const EndedFlow* const>> ended_;
    std::vector<std::span<const EndedFlow* const>> early_;
    std::vector<VerdictCounts> verdicts_;
    Workers workers_;
    bool finished_ = false;
};

}  // namespace flowclass::engine
