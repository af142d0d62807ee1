// One thread's share of the flows: capture, decode, flow table, heads, matches. Takes: the bytes of
// captures, in order. Gives: ended flows, sorted. Guarantees: which flows there are and what they
// hold depends on the packets alone, not on how the bytes were cut nor on how many shards there
// are.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/archive.hpp"
#include "capture/capture_reader.hpp"
#include "decode/decode.hpp"
#include "engine/carried_packets.hpp"
#include "engine/counters.hpp"
#include "engine/ended_flows.hpp"
#include "engine/feature_store.hpp"
#include "engine/flow_state.hpp"
#include "engine/options.hpp"

namespace flowclass::engine {

class Shard {
  public:
    Shard(const Options& options, base::HashKey key, std::uint32_t number, std::uint32_t count);

    void begin_source(std::uint32_t source);
    void use_source(std::uint32_t source) noexcept { source_ = source; }
    void push(base::Bytes chunk) noexcept;
    void push_packets(std::span<const packet::PacketView> views) noexcept;
    // Packets of pieces, each with the clock of the whole stream when it came.
    void push_carried(std::span<const packet::PacketView> views,
                      std::span<const base::TimeNs> clocks) noexcept;
    [[nodiscard]] CarriedPackets take_carried() noexcept { return std::exchange(carried_, {}); }
    void end_source() noexcept;
    void advance(base::TimeNs now) noexcept;
    // Ends every flow; the clock begins anew with the next packet, wherever that stands.
    void restart_clock() noexcept;
    void finish() noexcept;

    // Ended flows that no later packet can come before, in order where rows are
    // wanted; valid until release_ended().
    std::span<const EndedFlow* const> ended() noexcept;
    // Early verdicts that no later packet can come before, in order; as long.
    std::span<const EndedFlow* const> early() noexcept;
    void release_ended() noexcept;

    // All that later packets meet, in octets; between pushes, of a shard that is not finished. The
    // capture reader is every shard's: it is kept once. Loading fills a new shard, of the same
    // number and count and with the same key, for an engine of so many sources; one that it failed
    // for must not be used.
    void save(base::Saver& saver);
    void load(base::Loader& loader, std::uint32_t source_count);
    void save_reader(base::Saver& saver) { saver(reader_); }
    void load_reader(base::Loader& loader) { loader(reader_); }

    [[nodiscard]] const capture::CaptureReport& report() const noexcept { return reader_.report(); }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
    [[nodiscard]] const decode::DecodeCounters& decode_counters() const noexcept {
        return decoder_.counters();
    }
    [[nodiscard]] const EvidenceStore& evidence() const noexcept { return evidence_; }
    [[nodiscard]] const HeadStore& saved_heads() const noexcept { return saved_heads_; }
    [[nodiscard]] const HelloStore& hellos() const noexcept { return hellos_; }
    [[nodiscard]] const fingerprint::UserFaults& user_faults() const noexcept {
        return user_faults_;
    }
    [[nodiscard]] const FeatureStore& features() const noexcept { return features_; }
    [[nodiscard]] const EncapStack& encaps(std::uint32_t index) const noexcept {
        return encaps_[index];
    }
    [[nodiscard]] std::size_t table_bytes() const noexcept {
        return table_.bytes() + features_.bytes();
    }
    [[nodiscard]] std::size_t head_bytes() const noexcept {
        return heads_.bytes() + saved_heads_.bytes() +
               (options_.early ? heads_.touched() * sizeof(HeadFacts) : 0);
    }
    [[nodiscard]] std::size_t evidence_bytes() const noexcept {
        return evidence_.bytes() + hellos_.bytes() + links_.bytes();
    }
    [[nodiscard]] std::uint64_t leaders_forgotten() const noexcept { return links_.forgotten(); }
    // How often the table was given another key.
    [[nodiscard]] std::uint64_t placed_anew() const noexcept { return placed_anew_; }
    [[nodiscard]] std::size_t peak_flows() const noexcept { return table_.peak(); }
    [[nodiscard]] std::size_t flows_alive() const noexcept { return table_.size(); }
    // Bursts in a row, up to the last one, whose last packet was long before the clock.
    [[nodiscard]] std::uint64_t bursts_behind() const noexcept { return behind_; }
    [[nodiscard]] base::TimeNs clock() const noexcept { return clock_; }
    [[nodiscard]] base::TimeNs time_first() const noexcept { return time_first_; }
    [[nodiscard]] bool started() const noexcept { return started_; }

  private:
    struct Deadline {
        base::TimeNs when;
        flow::EndReason reason;
    };
    struct FrameFacts {
        base::TimeNs time;
        base::TimeNs clock;
        std::uint64_t frame;
    };

    void look_ahead(std::size_t index, std::size_t count) const noexcept;
    void on_views(std::span<const packet::PacketView> views) noexcept;
    void on_layers() noexcept;
    void on_heads() noexcept;
    void see_time(base::TimeNs time) noexcept;
    void count_behind(base::TimeNs time) noexcept;
    void make_keys() noexcept;
    void place_anew() noexcept;
    void on_layer(std::size_t index) noexcept;
    std::uint32_t touch(const packet::FlowLayer& layer,
                        const flow::KeyedLayer& keyed,
                        base::TimeNs clock) noexcept;
    std::uint32_t open_flow(std::size_t index, base::TimeNs clock) noexcept;
    void begin_segment(FlowState& state, const FrameFacts& frame) noexcept;
    void note_tcp(std::uint32_t slot,
                  const packet::FlowLayer& layer,
                  packet::Direction direction,
                  base::TimeNs clock) noexcept;
    void note_payload(std::uint32_t slot,
                      const packet::FlowLayer& layer,
                      packet::Direction direction,
                      const FrameFacts& frame) noexcept;
    [[nodiscard]] Deadline deadline_of(const FlowState& state) const noexcept;
    [[nodiscard]] base::TimeNs wake_of(const FlowState& state) const noexcept;
    void on_due(std::uint32_t slot) noexcept;
    bool expire(std::uint32_t slot, base::TimeNs clock) noexcept;
    void cut_segment(std::uint32_t slot, base::TimeNs when) noexcept;
    void end_flow(std::uint32_t slot, flow::EndReason reason, base::TimeNs when) noexcept;
    enum class Keep : std::uint8_t { copy, slot };  // what the ended flow lies in
    void append_ended(std::uint32_t slot,
                      flow::EndReason reason,
                      base::TimeNs when,
                      Keep keep) noexcept;
    // `when`: the packet time at which the verdict stands.
    void close_head(std::uint32_t slot, base::TimeNs when) noexcept;
    void match_head(head::FlowHead& head) noexcept;
    void close_sooner(std::uint32_t slot, base::TimeNs when) noexcept;
    [[nodiscard]] bool look_is_due(const FlowState& state, base::TimeNs clock) const noexcept {
        return options_.early && clock > head_facts_[state.head].look;
    }
    void note_facts(std::uint32_t slot) noexcept;
    void look_into_head(std::uint32_t slot) noexcept;
    struct Findings {
        std::uint32_t verdict, hello;  // in the stores
    };
    void append_closed(std::uint32_t slot, base::TimeNs stood) noexcept;
    void append_early(std::uint32_t slot,
                      Findings findings,
                      base::TimeNs when,
                      batch::HeadState head_state) noexcept;
    [[nodiscard]] std::uint32_t copy_encaps(std::uint32_t index) noexcept;
    void note_link(std::uint32_t slot) noexcept;
    void find_leader(const flow::FlowKey& key, FlowState& state, base::TimeNs due) noexcept;
    void release_verdict(const FlowState& state) noexcept;
    enum class Worth : std::uint8_t { ended, usual, young, answered, tunnel };
    [[nodiscard]] Worth worth_of(const FlowState& state) const noexcept;
    void evict() noexcept;
    bool open_head(std::uint32_t slot,
                   const packet::FlowLayer& layer,
                   const FrameFacts& frame) noexcept;
    void cut_a_head(base::TimeNs when) noexcept;
    void end_all(flow::EndReason reason, base::TimeNs when) noexcept;
    void fetch_parts() const noexcept;
    // The direction of a layer in its flow.
    [[nodiscard]] packet::Direction direction_of(std::size_t index,
                                                 const FlowState& state) const noexcept {
        return keys_[index].from_a == state.record.forward_is_a ? packet::Direction::forward
                                                                : packet::Direction::reverse;
    }
    template <typename Archive>
    void keep_sums(Archive& archive);
    // `heads`: which places of open heads are taken.
    template <typename Archive>
    void keep_flow(Archive& archive,
                   flow::FlowKey& key,
                   FlowState& state,
                   std::vector<bool>& heads);
    template <typename Archive, typename Part>
    static void keep_if_there(Archive& archive, std::uint32_t& index, Part&& part);
    void load_living(base::Loader& loader, std::uint32_t source_count);
    void load_ended(base::Loader& loader, std::uint32_t source_count);
    [[nodiscard]] bool is_sound(const FlowState& state, std::uint32_t source_count) const noexcept;
    void turn_wheel() noexcept;
    void fetch_due(std::uint32_t slot) noexcept;
    [[nodiscard]] bool is_ready(const EndedFlow& flow) const noexcept {
        return finished_ || all_ready_ || flow.closed < safe_;
    }
    void release_ready(Waiting& list) noexcept;

    Options options_;
    base::HashKey tunnel_key_;
    flow::KeyOptions key_options_;  // its secret is the table's alone
    base::HashKey spare_key_;       // that the table takes when somebody knows the one it has
    std::uint64_t placed_anew_ = 0;
    capture::CaptureReader reader_;
    decode::Decoder decoder_;
    Table table_;
    flow::TimerWheel wheel_;
    head::HeadPool heads_;
    EvidenceStore evidence_;
    HelloStore hellos_;
    HeadStore saved_heads_;
    LinkTable links_;
    std::uint32_t turn_ = FlowState::kFirstTurn;  // of the wheel
    base::Pool<EncapStack> encaps_;
    FeatureStore features_;
    base::VirtualArray<HeadFacts> head_facts_;  // by open head, where early verdicts are wanted
    Counters counters_;
    bool counts_order_;  // one shard counts what all of them see
    EvidenceStore::Keep keep_;
    CarriedPackets carried_;  // of a piece: it grows with what lies near its borders

    base::TimeNs clock_ = 0;  // greatest packet time so far: it never goes back
    base::TimeNs time_first_ = INT64_MAX;
    bool started_ = false;
    std::uint64_t behind_ = 0;
    std::uint32_t eviction_hand_ = 0;  // goes round over the table's slots
    std::uint32_t head_hand_ = 0;      // the same over the heads
    std::uint32_t source_ = 0;

    base::Bytes ahead_;  // of the chunk, what comes after this burst
    std::array<packet::PacketView, packet::kBurst> views_;
    packet::LayerBuffer layers_;
    std::array<FrameFacts, packet::kBurst> frames_;
    std::array<flow::KeyedLayer, packet::LayerBuffer::kLayers> keys_;
    std::array<std::uint32_t, packet::LayerBuffer::kLayers> slots_;
    std::array<std::uint32_t, packet::LayerBuffer::kLayers>
        complete_;  // slots whose head is complete
    std::size_t complete_count_ = 0;
    fingerprint::Match match_;
    fingerprint::UserFaults user_faults_;

    SlotCopies copies_;
    Waiting ended_;
    // What a state of the engine that is kept holds of early verdicts: these, as it holds ended_,
    // and head_facts_ of the heads that are open.
    Waiting early_;
    base::TimeNs safe_ = 0;   // flows that closed before it are ready
    bool all_ready_ = false;  // of this round: the clock begins anew
    bool finished_ = false;
};

}  // namespace flowclass::engine
