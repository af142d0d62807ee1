// The table of columns, in the order of the record.
#include "batch/schema.hpp"

#include <array>
#include <span>

#include "feature/feature_table.hpp"

namespace flowclass::batch {

namespace {

using enum ColumnType;

constexpr std::array kColumns{
    Column{"flow_id",
           text,
           false,
           "",
           "stable name: hash of the key and the first packet's time",
           "uid",
           "flow_id",
           "148"},
    Column{"community_id",
           text,
           false,
           "",
           "Community ID v1, seed 0",
           "community_id",
           "community_id",
           ""},
    Column{"parent_flow_id",
           text,
           true,
           "",
           "the flow of the tunnel that carries this one",
           "tunnel_parents",
           "tunnel",
           ""},
    Column{"time_start", time, false, "ns UTC", "first packet", "ts", "flow.start", "156"},
    Column{"time_end", time, false, "ns UTC", "last packet", "", "flow.end", "157"},
    Column{"duration_ns",
           int64,
           false,
           "ns",
           "time_end - time_start, never negative",
           "duration (s)",
           "flow.age (s)",
           "161 (ms)"},
    Column{
        "src_ip", text, false, "", "initiator's address, RFC 5952", "id.orig_h", "src_ip", "8/27"},
    Column{
        "dst_ip", text, false, "", "responder's address, RFC 5952", "id.resp_h", "dst_ip", "12/28"},
    Column{"src_port",
           uint16,
           true,
           "",
           "initiator's port; null where there are no ports",
           "id.orig_p",
           "src_port",
           "7"},
    Column{"dst_port",
           uint16,
           true,
           "",
           "responder's port; null where there are no ports",
           "id.resp_p",
           "dest_port",
           "11"},
    Column{"ip_proto", uint8, false, "", "IANA protocol number", "proto", "proto", "4"},
    Column{"vlan_id", uint16, true, "", "outer VLAN", "vlan", "vlan[0]", "243"},
    Column{"inner_vlan_id", uint16, true, "", "inner VLAN", "inner_vlan", "vlan[1]", "245"},
    Column{"encap", encap_list, false, "", "what was taken off, outermost first", "", "tunnel", ""},
    Column{"packets_fwd",
           uint64,
           false,
           "",
           "packets from src to dst",
           "orig_pkts",
           "flow.pkts_toserver",
           "86"},
    Column{"packets_rev",
           uint64,
           false,
           "",
           "packets from dst to src",
           "resp_pkts",
           "flow.pkts_toclient",
           "86 reverse (RFC 5103)"},
    Column{"bytes_fwd",
           uint64,
           false,
           "octets",
           "IP total length on the wire, src to dst",
           "orig_ip_bytes",
           "",
           "85"},
    Column{"bytes_rev",
           uint64,
           false,
           "octets",
           "IP total length on the wire, dst to src",
           "resp_ip_bytes",
           "",
           "85 reverse (RFC 5103)"},
    Column{"payload_bytes_fwd",
           uint64,
           false,
           "octets",
           "above the transport header, src to dst",
           "orig_bytes",
           "",
           "231"},
    Column{"payload_bytes_rev",
           uint64,
           false,
           "octets",
           "above the transport header, dst to src",
           "resp_bytes",
           "",
           "232"},
    Column{"truncated_packets",
           uint64,
           false,
           "",
           "snap length too short to read headers or payload",
           "missed_bytes",
           "",
           ""},
    Column{"tcp_flags_fwd",
           uint16,
           true,
           "",
           "OR of the control bits, src to dst; TCP only",
           "history",
           "tcp.tcp_flags_ts",
           "6"},
    Column{"tcp_flags_rev",
           uint16,
           true,
           "",
           "OR of the control bits, dst to src; TCP only",
           "history",
           "tcp.tcp_flags_tc",
           "6 reverse (RFC 5103)"},
    Column{"conn_state",
           name,
           true,
           "",
           "Zeek's connection state, TCP only",
           "conn_state",
           "flow.state",
           ""},
    Column{"end_reason", name, false, "", "why it was closed", "", "flow.reason", "136"},
    Column{"segment",
           uint32,
           false,
           "",
           "0, 1, ... when the active timeout cuts a long flow",
           "",
           "",
           ""},
    Column{"direction_basis", name, false, "", "why src is src", "", "", "239"},
    Column{"observed_directions", uint8, false, "", "1 or 2", "", "", ""},
    Column{"protocol", name, false, "", "protocol id, or unknown", "service", "app_proto", "96"},
    Column{"protocol_class", name, false, "", "class that the fingerprint declares", "", "", "289"},
    Column{"variant", text, true, "", "form of the protocol", "", "", ""},
    Column{"tier", name, false, "", "how strong the evidence is", "", "", ""},
    Column{"evidence_bits", float32, false, "bits", "sum of the checks", "", "", ""},
    Column{"evidence",
           evidence_list,
           false,
           "",
           "which octets of which payload packet proved it",
           "",
           "",
           ""},
    Column{"alternatives",
           alternative_list,
           false,
           "",
           "other protocols with at least 16 bits",
           "",
           "",
           ""},
    Column{"linked_flow_id",
           text,
           true,
           "",
           "the flow between the same addresses that set this one up (rule link.*)",
           "",
           "",
           ""},
    Column{"server_name",
           text,
           true,
           "",
           "name in a TLS, DTLS or QUIC ClientHello",
           "ssl.server_name",
           "tls.sni",
           ""},
    Column{"alpn",
           text,
           true,
           "",
           "protocols offered in ALPN, joined by commas",
           "ssl.next_protocol",
           "tls.client_alpns",
           ""},
    Column{"ja4", text, true, "", "JA4 of the ClientHello", "", "tls.ja4", ""},
    Column{"registry_match",
           name,
           true,
           "",
           "what the registry says of the endpoints at time_start",
           "",
           "",
           ""},
    Column{"registration_id", text, true, "", "the registration that decided", "", "", ""},
    Column{"matched_prefix", text, true, "", "its prefix", "", "", ""},
    Column{"matched_end", name, true, "", "which endpoint it covers", "", "", ""},
    Column{"policy_outcome", name, true, "", "what the policy makes of it", "", "verdict", ""},
    Column{"policy_phase", name, true, "", "the phase in force at time_start", "", "", ""},
    Column{"policy_reason", name, true, "", "why", "", "", ""},
    Column{"registry_version",
           growing_name,
           true,
           "",
           "of the registry that was asked: the first 12 digits",
           "",
           "",
           ""},
    Column{"policy_version",
           growing_name,
           true,
           "",
           "of the policy that judged: the first 12 digits of its SHA-256",
           "",
           "",
           ""},
    Column{"source_file", growing_name, false, "", "the input of the first packet", "", "", ""},
    Column{"packet_first",
           uint64,
           false,
           "",
           "frame number of the first packet in its input, from 1",
           "",
           "pcap_cnt",
           ""},
    Column{"packet_last",
           uint64,
           false,
           "",
           "frame number of the last packet in its input",
           "",
           "",
           ""},
    // Last: only where it is asked for.
    Column{"head",
           head_list,
           false,
           "",
           "with --heads: the first payloads as the fingerprints saw them; holds payload",
           "",
           "",
           ""},
};

constexpr ColumnType column_type(feature::ValueType type) {
    switch (type) {
        case feature::ValueType::uint16:
            return uint16;
        case feature::ValueType::uint32:
            return uint32;
        case feature::ValueType::uint64:
            return uint64;
        case feature::ValueType::int64:
            return int64;
        case feature::ValueType::float64:
            return float64;
        case feature::ValueType::uint32_list:
            return uint32_list;
        case feature::ValueType::int8_list:
            return int8_list;
        case feature::ValueType::int64_list:
            return int64_list;
    }
    return float64;
}

// The record with the feature columns before the head.
constexpr auto with_features() {
    std::array<Column, kColumns.size() + feature::kFeatureCount> all{};
    std::size_t at = 0;
    for (const Column& column : std::span(kColumns).first(kColumns.size() - 1)) {
        all[at++] = column;
    }
    for (const feature::Feature& row : feature::kFeatures) {
        const ColumnType type = column_type(row.type);
        const bool is_list = type == uint32_list || type == int8_list || type == int64_list;
        all[at++] = {row.name.view(),
                     type,
                     !is_list,
                     row.unit,
                     row.meaning.view(),
                     "",
                     "",
                     row.ipfix.view()};
    }
    all[at] = kColumns.back();
    return all;
}
constexpr auto kWithFeatures = with_features();

// What an early verdict has not: what is known at the flow's end alone.
constexpr std::array<std::string_view, 7> kAtTheEnd{"time_end",
                                                    "duration_ns",
                                                    "tcp_flags_fwd",
                                                    "tcp_flags_rev",
                                                    "conn_state",
                                                    "end_reason",
                                                    "linked_flow_id"};

// The record without these and without the head; the verdict's time stands behind the flow's.
constexpr auto early_columns() {
    std::array<Column, kColumns.size() - 1 - kAtTheEnd.size() + 2> all{};
    std::size_t at = 0;
    for (const Column& column : std::span(kColumns).first(kColumns.size() - 1)) {
        bool wanted = true;
        for (const std::string_view name : kAtTheEnd) {
            wanted = wanted && name != column.name;
        }
        if (wanted) {
            all[at++] = column;
        }
        if (column.name == "time_start") {
            all[at++] = {kTimeVerdict,
                         time,
                         false,
                         "ns UTC",
                         "packet time at which the verdict stood",
                         "",
                         "",
                         ""};
        }
    }
    all[at] = {kHeadState,
               name,
               false,
               "",
               "closed; or open: the head waits for more, and another verdict follows",
               "",
               "",
               ""};
    return all;
}
constexpr auto kEarly = early_columns();

}  // namespace

std::span<const Column> columns(Extras extras) noexcept {
    if (extras.early) {
        return kEarly;
    }
    const std::span<const Column> all = extras.features ? std::span<const Column>(kWithFeatures)
                                                        : std::span<const Column>(kColumns);
    return all.first(all.size() - (extras.heads ? 0 : 1));
}

}  // namespace flowclass::batch
