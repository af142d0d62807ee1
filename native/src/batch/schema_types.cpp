// What a column's type is called, and how Arrow's C data interface writes it.
#include <array>
#include <utility>

#include "batch/schema.hpp"

namespace flowclass::batch {

namespace {

using enum ColumnType;

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
