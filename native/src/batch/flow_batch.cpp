// Row by row into the columns; one function for each group of the schema, in its order.
#include "batch/flow_batch.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "flow/community_id.hpp"

namespace flowclass::batch {

namespace {

constexpr std::uint8_t kTcp = 6;

template <typename Enum>
std::shared_ptr<const ColumnData> names_of() {
    constexpr auto kCount = static_cast<std::size_t>(Enum::count_);
    std::vector<std::string> names;
    names.reserve(kCount);
    for (std::size_t value = 0; value < kCount; ++value) {
        names.emplace_back(to_string(static_cast<Enum>(value)));
    }
    return make_dictionary(names);
}

template <std::size_t Size>
std::string_view view(const std::array<char, Size>& text) {
    return {text.data(), text.size()};
}

void add_if(FixedColumn<std::uint16_t>& column, bool there, std::uint16_t value) {
    if (there) {
        column.add(value);
    } else {
        column.add_null();
    }
}

}  // namespace

const char* to_string(HeadState state) noexcept {
    return state == HeadState::open ? "open" : "closed";
}

struct FlowBatchBuilder::Dictionaries {
    std::shared_ptr<const ColumnData> conn_state = names_of<flow::ConnState>();
    std::shared_ptr<const ColumnData> end_reason = names_of<flow::EndReason>();
    std::shared_ptr<const ColumnData> direction_basis = names_of<flow::DirectionBasis>();
    std::shared_ptr<const ColumnData> protocol;
    std::shared_ptr<const ColumnData> protocol_class = names_of<fingerprint::ProtocolClass>();
    std::shared_ptr<const ColumnData> tier = names_of<fingerprint::Tier>();
    std::shared_ptr<const ColumnData> rule;
    std::shared_ptr<const ColumnData> direction =
        make_dictionary({kDirectionNames.begin(), kDirectionNames.end()});
    std::shared_ptr<const ColumnData> registry_match = names_of<registry::RegistryMatch>();
    std::shared_ptr<const ColumnData> matched_end = names_of<registry::MatchedEnd>();
    std::shared_ptr<const ColumnData> policy_outcome = names_of<policy::Outcome>();
    std::shared_ptr<const ColumnData> policy_reason = names_of<policy::Reason>();
    std::shared_ptr<const ColumnData> head_state = names_of<HeadState>();
    std::shared_ptr<const ColumnData> policy_phase, registry_version, policy_version;

    Dictionaries(const Judges& judges, const fingerprint::UserMatchers* user)
        : protocol(make_dictionary(protocol_names(user))),
          rule(make_dictionary(rule_names(user))),
          registry_version(make_dictionary({judges.registry_version})),
          policy_version(make_dictionary({judges.policy_version})) {
        std::vector<std::string> phases;
        if (judges.policy) {
            for (const policy::Phase& phase : judges.policy->options().phases) {
                phases.push_back(phase.name);
            }
        }
        policy_phase = make_dictionary(phases);
    }
};

FlowBatchBuilder::FlowBatchBuilder(Judges judges,
                                   Extras extras,
                                   std::unique_ptr<Anonymizer> anonymizer,
                                   std::shared_ptr<const fingerprint::UserMatchers> user)
    : judges_(std::move(judges)),
      user_(std::move(user)),
      dictionaries_(std::make_shared<const Dictionaries>(judges_, user_.get())),
      anonymizer_(std::move(anonymizer)),
      extras_(extras) {}

void FlowBatchBuilder::set_judges(Judges judges) {
    judges_ = std::move(judges);
    dictionaries_ = std::make_shared<const Dictionaries>(judges_, user_.get());
}

void FlowBatchBuilder::append(const FlowRow& row) {
    for (const RowPart part : {RowPart::flow, RowPart::findings, RowPart::features}) {
        append_part(part, row);
    }
    appended(1);
}

void FlowBatchBuilder::append_part(RowPart part, const FlowRow& row) {
    const Orientation way = orientation_of(*row.record, row.initiator);
    const Side side = way.initiator_forward ? Side{0, 1} : Side{1, 0};
    if (part == RowPart::flow) {
        append_names(row, way);
        append_times(row);
        append_key(row, way);
        append_sums(row, side);
        append_state(row, way, side);
    } else if (part == RowPart::findings) {
        append_verdict(row, way);
        append_registry(row);
        append_origin(row);
        if (extras_.early) {
            time_verdict_.add(row.stood);
            head_state_.add(static_cast<std::size_t>(row.head_state));
        }
        if (extras_.heads) {
            head_.add(row.head, row.record->first, way);
        }
    } else if (extras_.features) {
        features_.add(row, way);
    }
}

void FlowBatchBuilder::add_id(TextColumn& column, flow::FlowId id) {
    const flow::FlowId shown = anonymizer_ ? anonymizer_->id(id) : id;
    if (id.none() || shown.none()) {
        column.add_null();
    } else {
        column.add(view(flow::to_text(shown)));
    }
}

void FlowBatchBuilder::add_address(TextColumn& column, const base::IpAddress& address) {
    const base::IpAddress shown = anonymizer_ ? anonymizer_->address(address) : address;
    if (anonymizer_ && shown.version == 0) {
        column.add_null();
        return;
    }
    std::array<char, base::kMaxAddressText> text{};
    const std::size_t length = base::write_text(shown, text);
    column.add(view(text).substr(0, length));
}

void FlowBatchBuilder::append_names(const FlowRow& row, const Orientation& way) {
    const flow::FlowKey& key = *row.key;
    add_id(flow_id_, row.id);
    const bool from_a = row.record->forward_is_a == way.initiator_forward;
    flow::CommunityIdTuple tuple;
    tuple.src = from_a ? key.a() : key.b();
    tuple.dst = from_a ? key.b() : key.a();
    tuple.ip_proto = key.ip_proto;
    tuple.src_port = from_a ? key.a_port : key.b_port;
    tuple.dst_port = from_a ? key.b_port : key.a_port;
    const auto community_id =
        anonymizer_ ? anonymizer_->community_id(tuple) : std::optional(flow::community_id(tuple));
    if (community_id) {
        community_id_.add(view(*community_id));
    } else {
        community_id_.add_null();
    }
    add_id(parent_flow_id_, row.record->parent);
}

void FlowBatchBuilder::append_times(const FlowRow& row) {
    time_start_.add(row.record->first);
    time_end_.add(row.record->last);
    duration_ns_.add(base::saturating_subtract(row.record->last, row.record->first));
}

void FlowBatchBuilder::append_key(const FlowRow& row, const Orientation& way) {
    const flow::FlowKey& key = *row.key;
    const bool from_a = row.record->forward_is_a == way.initiator_forward;
    add_address(src_ip_, initiator_address(key, *row.record, way));
    add_address(dst_ip_, responder_address(key, *row.record, way));
    add_if(src_port_, key.has_ports, from_a ? key.a_port : key.b_port);
    add_if(dst_port_, key.has_ports, from_a ? key.b_port : key.a_port);
    ip_proto_.add(key.ip_proto);
    add_if(vlan_id_, key.vlan != packet::kNoVlan, key.vlan);
    add_if(inner_vlan_id_, key.inner_vlan != packet::kNoVlan, key.inner_vlan);
    encap_.add(row.encaps.size());
    for (const packet::Encap& encap : row.encaps) {
        encap_type_.add(packet::to_string(encap.type));
        encap_id_.add(encap.id);
    }
}

void FlowBatchBuilder::append_sums(const FlowRow& row, Side side) {
    const feature::Accumulators& sums = *row.sums;
    packets_fwd_.add(sums.packets[side.fwd]);
    packets_rev_.add(sums.packets[side.rev]);
    bytes_fwd_.add(sums.bytes[side.fwd]);
    bytes_rev_.add(sums.bytes[side.rev]);
    payload_bytes_fwd_.add(sums.payload_bytes[side.fwd]);
    payload_bytes_rev_.add(sums.payload_bytes[side.rev]);
    truncated_packets_.add(sums.truncated_packets);
}

void FlowBatchBuilder::append_state(const FlowRow& row, const Orientation& way, Side side) {
    const flow::TcpState& tcp = row.record->tcp;
    const bool is_tcp = row.key->ip_proto == kTcp;
    add_if(tcp_flags_fwd_, is_tcp, tcp.flags[side.fwd]);
    add_if(tcp_flags_rev_, is_tcp, tcp.flags[side.rev]);
    if (is_tcp) {
        conn_state_.add(
            static_cast<std::size_t>(flow::conn_state(tcp.flags[side.fwd], tcp.flags[side.rev])));
    } else {
        conn_state_.add_null();
    }
    end_reason_.add(static_cast<std::size_t>(row.end_reason));
    segment_.add(row.record->segment);
    direction_basis_.add(static_cast<std::size_t>(way.basis));
    observed_directions_.add(row.sums->packets[0] > 0 && row.sums->packets[1] > 0 ? 2 : 1);
}

// The columns of an early verdict out of those of a record.
std::vector<ColumnData> FlowBatchBuilder::chosen_for_early(std::vector<ColumnData> record) {
    std::vector<ColumnData> chosen;
    const std::span<const Column> whole = columns();
    for (const Column& column : columns(extras_)) {
        if (column.name == kTimeVerdict) {
            chosen.push_back(time_verdict_.finish());
        } else if (column.name == kHeadState) {
            chosen.push_back(head_state_.finish(dictionaries_->head_state));
        } else {
            const auto found = std::find_if(whole.begin(), whole.end(), [&](const Column& one) {
                return one.name == column.name;
            });
            chosen.push_back(std::move(record[static_cast<std::size_t>(found - whole.begin())]));
        }
    }
    return chosen;
}

FlowBatch FlowBatchBuilder::finish(const std::vector<std::string>& sources) {
    const Dictionaries& names = *dictionaries_;
    FlowBatch batch;
    batch.rows = static_cast<std::int64_t>(std::exchange(rows_, 0));
    batch.columns.length = batch.rows;
    batch.columns.buffers.emplace_back();
    std::vector<ColumnData>& out = batch.columns.children;
    out.reserve(columns(extras_).size());
    const auto put = [&out](auto&... finished) { (out.push_back(finished.finish()), ...); };
    const auto fields = [](auto&... finished) {
        std::vector<ColumnData> made;
        (made.push_back(finished.finish()), ...);
        return made;
    };
    put(flow_id_,
        community_id_,
        parent_flow_id_,
        time_start_,
        time_end_,
        duration_ns_,
        src_ip_,
        dst_ip_,
        src_port_,
        dst_port_);
    put(ip_proto_, vlan_id_, inner_vlan_id_);
    out.push_back(encap_.finish(fields(encap_type_, encap_id_)));
    put(packets_fwd_,
        packets_rev_,
        bytes_fwd_,
        bytes_rev_,
        payload_bytes_fwd_,
        payload_bytes_rev_,
        truncated_packets_);
    put(tcp_flags_fwd_, tcp_flags_rev_);
    out.push_back(conn_state_.finish(names.conn_state));
    out.push_back(end_reason_.finish(names.end_reason));
    put(segment_);
    out.push_back(direction_basis_.finish(names.direction_basis));
    put(observed_directions_);
    out.push_back(protocol_.finish(names.protocol));
    out.push_back(protocol_class_.finish(names.protocol_class));
    put(variant_);
    out.push_back(tier_.finish(names.tier));
    put(evidence_bits_);
    std::vector<ColumnData> checks;
    checks.push_back(evidence_rule_.finish(names.rule));
    checks.push_back(evidence_packet_.finish());
    checks.push_back(evidence_time_.finish());
    checks.push_back(evidence_offset_.finish());
    checks.push_back(evidence_length_.finish());
    checks.push_back(evidence_direction_.finish(names.direction));
    checks.push_back(evidence_check_bits_.finish());
    out.push_back(evidence_.finish(std::move(checks)));
    out.push_back(alternatives_.finish(fields(alternative_protocol_, alternative_bits_)));
    put(linked_flow_id_, server_name_, alpn_, ja4_);
    out.push_back(registry_match_.finish(names.registry_match));
    put(registration_id_, matched_prefix_);
    out.push_back(matched_end_.finish(names.matched_end));
    out.push_back(policy_outcome_.finish(names.policy_outcome));
    out.push_back(policy_phase_.finish(names.policy_phase));
    out.push_back(policy_reason_.finish(names.policy_reason));
    out.push_back(registry_version_.finish(names.registry_version));
    out.push_back(policy_version_.finish(names.policy_version));
    out.push_back(source_file_.finish(make_dictionary(sources)));
    put(packet_first_, packet_last_);
    batch.extras = extras_;
    if (extras_.early) {
        out = chosen_for_early(std::move(out));
    }
    if (extras_.features) {
        features_.finish_into(out);
    }
    if (extras_.heads) {
        out.push_back(head_.finish(names.direction));
    }
    return batch;
}

}  // namespace flowclass::batch
