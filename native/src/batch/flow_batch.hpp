// Takes: finished flows, row by row. Gives: a batch of all columns for the Arrow export; with an
// anonymizer no address is in it, and nothing that names one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "batch/anonymizer.hpp"
#include "batch/column.hpp"
#include "batch/dictionaries.hpp"
#include "batch/feature_columns.hpp"
#include "batch/flow_row.hpp"
#include "batch/head_columns.hpp"
#include "batch/schema.hpp"

namespace flowclass::batch {

// Who judges flows, and what rows call them; no version: null.
struct Judges {
    std::shared_ptr<const registry::Registry> registry;
    std::shared_ptr<const policy::Policy> policy;
    std::string registry_version, policy_version;
};

// A finished batch: a struct array of `rows` rows.
struct FlowBatch {
    ColumnData columns;
    std::int64_t rows = 0;
    Extras extras;  // which of the columns that are made on demand it has
};

// The columns in groups of which each may be filled by another thread.
enum class RowPart : std::uint8_t {
    flow,      // names, times, key, sums, state
    findings,  // verdict, registry and policy, origin, head
    features,  // where they are wanted
    count_
};

class FlowBatchBuilder {
  public:
    FlowBatchBuilder(Judges judges,
                     Extras extras,
                     std::unique_ptr<Anonymizer> anonymizer = nullptr,
                     std::shared_ptr<const fingerprint::UserMatchers> user = nullptr);

    // Others judge the rows to come; only between batches.
    void set_judges(Judges judges);

    void append(const FlowRow& row);
    // The same bit by bit: every part of every row once, rows in order, and then how many they
    // were. Parts may be appended at the same time, unless they share an anonymizer.
    void append_part(RowPart part, const FlowRow& row);
    // What the rows named may go afterwards.
    void appended(std::size_t rows) {
        rows_ += rows;
        features_.write();
    }
    [[nodiscard]] bool parts_are_apart() const noexcept { return anonymizer_ == nullptr; }
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    // The rows so far; the builder is empty afterwards. `sources`: names of the inputs, by the
    // index that records carry.
    FlowBatch finish(const std::vector<std::string>& sources);

  private:
    struct Dictionaries;
    struct Side {
        std::size_t fwd, rev;
    };

    void add_id(TextColumn& column, flow::FlowId id);
    void add_address(TextColumn& column, const base::IpAddress& address);
    void append_names(const FlowRow& row, const Orientation& way);
    void append_times(const FlowRow& row);
    void append_key(const FlowRow& row, const Orientation& way);
    void append_sums(const FlowRow& row, Side side);
    void append_state(const FlowRow& row, const Orientation& way, Side side);
    void append_verdict(const FlowRow& row, const Orientation& way);
    void append_checks(std::span<const fingerprint::Check> checks, const Orientation& way);
    void append_registry(const FlowRow& row);
    void append_origin(const FlowRow& row);
    [[nodiscard]] std::vector<ColumnData> chosen_for_early(std::vector<ColumnData> record);

    Judges judges_;
    std::shared_ptr<const fingerprint::UserMatchers> user_;
    std::shared_ptr<const Dictionaries> dictionaries_;
    std::unique_ptr<Anonymizer> anonymizer_;  // nullptr: rows say what is
    std::size_t rows_ = 0;
    Extras extras_;

    using Name = DictionaryColumn<std::int16_t>;
    TextColumn flow_id_, community_id_, parent_flow_id_;
    FixedColumn<std::int64_t> time_start_, time_end_, duration_ns_;
    TextColumn src_ip_, dst_ip_;
    FixedColumn<std::uint16_t> src_port_, dst_port_;
    FixedColumn<std::uint8_t> ip_proto_;
    FixedColumn<std::uint16_t> vlan_id_, inner_vlan_id_;
    ListOffsets encap_;
    TextColumn encap_type_;
    FixedColumn<std::uint32_t> encap_id_;
    FixedColumn<std::uint64_t> packets_fwd_, packets_rev_, bytes_fwd_, bytes_rev_,
        payload_bytes_fwd_, payload_bytes_rev_;
    FixedColumn<std::uint64_t> truncated_packets_;
    FixedColumn<std::uint16_t> tcp_flags_fwd_, tcp_flags_rev_;
    Name conn_state_, end_reason_;
    FixedColumn<std::uint32_t> segment_;
    Name direction_basis_;
    FixedColumn<std::uint8_t> observed_directions_;
    Name protocol_, protocol_class_;
    TextColumn variant_;
    Name tier_;
    FixedColumn<float> evidence_bits_;
    ListOffsets evidence_;
    Name evidence_rule_;
    FixedColumn<std::uint32_t> evidence_packet_;
    FixedColumn<std::int64_t> evidence_time_;
    FixedColumn<std::uint32_t> evidence_offset_, evidence_length_;
    Name evidence_direction_;
    FixedColumn<float> evidence_check_bits_;
    ListOffsets alternatives_;
    TextColumn alternative_protocol_;
    FixedColumn<float> alternative_bits_;
    TextColumn linked_flow_id_, server_name_, alpn_, ja4_;
    Name registry_match_;
    TextColumn registration_id_, matched_prefix_;
    Name matched_end_, policy_outcome_, policy_phase_, policy_reason_;
    DictionaryColumn<std::int32_t> registry_version_, policy_version_, source_file_;
    FixedColumn<std::uint64_t> packet_first_, packet_last_;
    FixedColumn<std::int64_t> time_verdict_;  // of early verdicts
    Name head_state_;
    FeatureColumns features_;
    HeadColumns head_;
};

}  // namespace flowclass::batch
