// The table of columns, in the order of the record.
#include "batch/schema.hpp"

#include <array>
#include <utility>

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

FieldType plain(std::string_view name, const char* format, bool nullable = false) {
    return {.name = std::string(name),
            .format = format,
            .nullable = nullable,
            .children = {},
            .dictionary_format = {}};
}

FieldType named(std::string_view name) {
    FieldType field = plain(name, "s");
    field.dictionary_format = "u";
    return field;
}

FieldType list_of(std::string_view name, FieldType item) {
    return {.name = std::string(name),
            .format = "+l",
            .nullable = false,
            .children = {std::move(item)},
            .dictionary_format = {}};
}

FieldType list_of(std::string_view name, std::vector<FieldType> fields) {
    return list_of(name,
                   FieldType{.name = "item",
                             .format = "+s",
                             .nullable = false,
                             .children = std::move(fields),
                             .dictionary_format = {}});
}

// Formats: Arrow C data interface, "Data type description".
FieldType field_of(const Column& column) {
    FieldType field = plain(column.name, "u", column.nullable);
    switch (column.type) {
        case text:
            break;
        case time:
            field.format = "tsn:UTC";
            break;
        case int64:
            field.format = "l";
            break;
        case uint64:
            field.format = "L";
            break;
        case uint32:
            field.format = "I";
            break;
        case uint16:
            field.format = "S";
            break;
        case uint8:
            field.format = "C";
            break;
        case float32:
            field.format = "f";
            break;
        case float64:
            field.format = "g";
            break;
        case name:
            field.format = "s";
            field.dictionary_format = "u";
            break;
        case growing_name:
            field.format = "i";
            field.dictionary_format = "u";
            break;
        case encap_list:
            return list_of(column.name, {plain("type", "u"), plain("id", "I")});
        case evidence_list:
            return list_of(column.name,
                           {named("rule"),
                            plain("packet", "I"),
                            plain("time", "tsn:UTC"),
                            plain("offset", "I"),
                            plain("length", "I"),
                            named("direction"),
                            plain("bits", "f")});
        case alternative_list:
            return list_of(column.name, {plain("protocol", "u"), plain("bits", "f")});
        case head_list:
            return list_of(column.name,
                           {named("direction"),
                            plain("by_first_sender", "C"),
                            plain("from_start", "C"),
                            plain("offset_ns", "l"),
                            plain("sender_port", "S"),
                            plain("receiver_port", "S"),
                            plain("packet", "I"),
                            plain("length", "I"),
                            plain("start", "I"),
                            plain("repeated", "I"),
                            plain("prefix", "z")});
        case uint32_list:
            return list_of(column.name, plain("item", "I"));
        case int8_list:
            return list_of(column.name, plain("item", "c"));
        case int64_list:
            return list_of(column.name, plain("item", "l"));
    }
    return field;
}

}  // namespace

std::span<const Column> columns(Extras extras) noexcept {
    const std::span<const Column> all = extras.features ? std::span<const Column>(kWithFeatures)
                                                        : std::span<const Column>(kColumns);
    return all.first(all.size() - (extras.heads ? 0 : 1));
}

std::string_view type_name(ColumnType type) noexcept {
    constexpr std::array<std::string_view, 18> kNames{
        "string",
        "timestamp[ns, UTC]",
        "int64",
        "uint64",
        "uint32",
        "uint16",
        "uint8",
        "float32",
        "float64",
        "dictionary<string>",
        "dictionary<string>",
        "list<struct{type, id}>",
        "list<struct{rule, packet, time, offset, length, direction, bits}>",
        "list<struct{protocol, bits}>",
        "list<struct{direction, by_first_sender, from_start, offset_ns, sender_port, "
        "receiver_port, "
        "packet, length, start, repeated, prefix}>",
        "list<uint32>",
        "list<int8>",
        "list<int64>"};
    return kNames[static_cast<std::size_t>(type)];
}

FieldType flow_type(Extras extras) {
    FieldType type{
        .name = "", .format = "+s", .nullable = false, .children = {}, .dictionary_format = {}};
    for (const Column& column : columns(extras)) {
        type.children.push_back(field_of(column));
    }
    return type;
}

}  // namespace flowclass::batch
