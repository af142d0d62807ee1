// The flow record's columns: one table from which the Arrow schema, the published schema and the
// documents are made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "batch/arrow_export.hpp"

namespace flowclass::batch {

inline constexpr std::string_view kSchemaVersion = "1.3.0";

// Of a registry's or a policy's SHA-256, on rows in hexadecimal.
inline constexpr std::size_t kVersionOctets = 6;

enum class ColumnType : std::uint8_t {
    text,
    time,  // timestamp[ns, UTC]
    int64,
    uint64,
    uint32,
    uint16,
    uint8,
    float32,
    float64,
    name,          // dictionary of a closed list
    growing_name,  // dictionary that grows with the run
    encap_list,
    evidence_list,
    alternative_list,
    head_list,
    uint32_list,
    int8_list,
    int64_list,
};

struct Column {
    std::string_view name;
    ColumnType type;
    bool nullable;
    std::string_view unit;
    std::string_view meaning;
    std::string_view zeek;   // conn.log
    std::string_view eve;    // Suricata EVE
    std::string_view ipfix;  // IANA information element
};
// Columns that are made on demand.
struct Extras {
    bool heads = false;     // the saved heads: the last column
    bool features = false;  // the rows of the feature table, before it
    bool early = false;     // neither of these, but an early verdict
};
std::span<const Column> columns(Extras extras = {}) noexcept;

// Of an early verdict: some of the record's columns, with the same types, and two of its own.
inline constexpr std::string_view kTimeVerdict = "time_verdict";
inline constexpr std::string_view kHeadState = "head_state";

// "string", "timestamp[ns, UTC]", "dictionary<string>", "list<struct{type,id}>", ...
std::string_view type_name(ColumnType type) noexcept;

// The struct of all columns, as a batch's Arrow type.
FieldType flow_type(Extras extras = {});

}  // namespace flowclass::batch
