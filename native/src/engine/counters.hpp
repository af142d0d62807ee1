// The balance: every frame read is in exactly one flow or skipped by exactly one named reason, and
// so are its octets.
#pragma once

#include <array>
#include <cstdint>

#include "flow/flow_record.hpp"
#include "packet/decoded_packet.hpp"

namespace flowclass::engine {

struct Tally {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(packets, bytes);
    }
};

// Counts by reason in a fixed table; reasons beyond it go to one last row, so nothing is ever lost
// and nothing grows.
class SkipCounters {
  public:
    static constexpr std::size_t kRows = 256;
    struct Row {
        packet::SkipReason reason;
        Tally tally;
    };

    void add(packet::SkipReason reason, std::uint64_t packets, std::uint64_t bytes) noexcept {
        Row& row = find(reason);
        row.tally.packets += packets;
        row.tally.bytes += bytes;
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] const Row& operator[](std::size_t index) const noexcept { return rows_[index]; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(count_, kRows);
        for (std::size_t index = 0; archive.ok() && index < count_; ++index) {
            archive(rows_[index].reason, rows_[index].tally);
        }
    }

  private:
    Row& find(packet::SkipReason reason) noexcept {
        for (std::size_t index = 0; index < count_; ++index) {
            if (rows_[index].reason.kind == reason.kind &&
                rows_[index].reason.detail == reason.detail) {
                return rows_[index];
            }
        }
        if (count_ < kRows - 1) {
            rows_[count_].reason = reason;
            return rows_[count_++];
        }
        // Everything else, named by its kind alone.
        rows_[kRows - 1].reason = {packet::SkipKind::count_, 0};
        count_ = kRows;
        return rows_[kRows - 1];
    }
    std::array<Row, kRows> rows_{};
    std::size_t count_ = 0;
};

struct Counters {
    Tally read;      // frames, octets on the wire
    Tally in_flows;  // frames in flows, IP octets of their outermost layer
    // Signed: an IP header that claims more octets than its frame had takes them off here.
    std::int64_t link_overhead_bytes =
        0;  // frame octets around those IP packets: link headers, padding, trailers
    SkipCounters skipped;
    std::uint64_t inner_packets = 0;  // IP packets inside tunnels, counted in their own flows
    std::uint64_t flows = 0;          // ended
    std::array<std::uint64_t, static_cast<std::size_t>(flow::EndReason::count_)> ended{};  // by why
    std::uint64_t evicted = 0;
    std::uint64_t heads_cut = 0;      // heads matched early because the pool was empty
    std::uint64_t heads_refused = 0;  // flows without a head because there is no pool
    std::uint64_t heads_unsaved = 0;  // rows without their head because its store was full
    std::uint64_t leaders_forgotten =
        0;                               // flows that might have led others: too many for the table
    std::uint64_t evidence_refused = 0;  // verdicts lost because the store was full
    std::uint64_t features_refused = 0;  // rows without feature columns: their store was full
    std::uint64_t out_of_order = 0;      // frames older than one before them

    template <typename Archive>
    void keep(Archive& archive) {
        archive(read, in_flows, link_overhead_bytes, skipped, inner_packets, flows, ended, evicted);
        archive(heads_cut, heads_refused, heads_unsaved, leaders_forgotten, evidence_refused);
        archive(features_refused, out_of_order);
    }

    void add(const Counters& other) noexcept {
        read.packets += other.read.packets;
        read.bytes += other.read.bytes;
        in_flows.packets += other.in_flows.packets;
        in_flows.bytes += other.in_flows.bytes;
        link_overhead_bytes += other.link_overhead_bytes;
        for (std::size_t row = 0; row < other.skipped.size(); ++row) {
            skipped.add(other.skipped[row].reason,
                        other.skipped[row].tally.packets,
                        other.skipped[row].tally.bytes);
        }
        inner_packets += other.inner_packets;
        flows += other.flows;
        for (std::size_t reason = 0; reason < ended.size(); ++reason) {
            ended[reason] += other.ended[reason];
        }
        evicted += other.evicted;
        heads_cut += other.heads_cut;
        heads_refused += other.heads_refused;
        heads_unsaved += other.heads_unsaved;
        leaders_forgotten += other.leaders_forgotten;
        evidence_refused += other.evidence_refused;
        features_refused += other.features_refused;
        out_of_order += other.out_of_order;
    }
};

}  // namespace flowclass::engine
