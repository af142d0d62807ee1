// _core.FlowBatch and the schema: Arrow capsules. A capsule that nobody consumes frees what it
// holds.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <memory>
#include <string>

#include "batch/arrow_export.hpp"
#include "capture/capture_reader.hpp"
#include "feature/feature_table.hpp"
#include "flow/community_id.hpp"
#include "flow/flow_key.hpp"
#include "python/arrow_capsule.hpp"
#include "python/borrowed.hpp"

namespace nb = nanobind;

void bind_batch(nb::module_& module);

namespace {

using namespace flowclass;

template <typename Struct>
nb::capsule capsule_of(std::unique_ptr<Struct> exported, const char* name) {
    const auto release = [](PyObject* object) noexcept {
        auto* held = static_cast<Struct*>(PyCapsule_GetPointer(object, PyCapsule_GetName(object)));
        const std::unique_ptr<Struct> owner(held);
        if (held != nullptr && held->release != nullptr) {
            held->release(held);
        }
    };
    PyObject* capsule = PyCapsule_New(exported.get(), name, release);
    if (capsule == nullptr) {
        exported->release(exported.get());
        throw nb::python_error();
    }
    exported.release();
    return nb::steal<nb::capsule>(capsule);
}

nb::capsule schema_capsule(batch::Extras extras) {
    auto exported = std::make_unique<ArrowSchema>();
    batch::export_schema(batch::flow_type(extras), exported.get());
    return capsule_of(std::move(exported), "arrow_schema");
}

nb::object array_capsules(const PyFlowBatch& self,
                          nb::handle /*requested_schema: the one schema there is*/) {
    auto exported = std::make_unique<ArrowArray>();
    batch::ColumnData shared = self.batch().columns;
    batch::export_array(std::move(shared), exported.get());
    return nb::make_tuple(schema_capsule(self.batch().extras),
                          capsule_of(std::move(exported), "arrow_array"));
}

struct Schema {
    batch::Extras extras;
};

nb::list schema_fields(bool heads, bool features, bool early) {
    nb::list out;
    for (const batch::Column& column : batch::columns({heads, features, early})) {
        nb::dict row;
        row["name"] = std::string(column.name);
        row["type"] = std::string(batch::type_name(column.type));
        row["nullable"] = column.nullable;
        row["unit"] = std::string(column.unit);
        row["meaning"] = std::string(column.meaning);
        row["zeek"] = std::string(column.zeek);
        row["eve"] = std::string(column.eve);
        row["ipfix"] = std::string(column.ipfix);
        out.append(row);
    }
    return out;
}

nb::list feature_fields() {
    nb::list out;
    const auto columns = batch::columns({.heads = false, .features = true});
    const auto last = columns.last(feature::kFeatureCount);
    for (std::size_t row = 0; row < feature::kFeatureCount; ++row) {
        nb::dict fact;
        fact["name"] = std::string(last[row].name);
        fact["type"] = std::string(batch::type_name(last[row].type));
        fact["unit"] = std::string(last[row].unit);
        fact["meaning"] = std::string(last[row].meaning);
        fact["formula"] = std::string(feature::kFeatures[row].formula);
        fact["source"] = std::string(feature::kFeatures[row].source);
        out.append(fact);
    }
    return out;
}

std::string community_id(const std::string& src,
                         const std::string& dst,
                         std::uint8_t ip_proto,
                         std::optional<std::uint16_t> src_port,
                         std::optional<std::uint16_t> dst_port,
                         std::uint16_t seed) {
    const auto source = base::parse_ip_address(src);
    const auto destination = base::parse_ip_address(dst);
    if (!source || !destination || source->version != destination->version) {
        throw nb::value_error("community_id takes two IPv4 or two IPv6 addresses");
    }
    flow::CommunityIdTuple tuple{
        *source, *destination, ip_proto, src_port.value_or(0), dst_port.value_or(0), seed};
    // Callers give ICMP type and code; a type that is answered has the answering type in the code's
    // place.
    const int answer = flow::icmp_counterpart(ip_proto, static_cast<std::uint8_t>(tuple.src_port));
    if (answer >= 0) {
        tuple.dst_port = static_cast<std::uint16_t>(answer);
    }
    const auto text = flow::community_id(tuple);
    return {text.data(), text.size()};
}

std::optional<std::int64_t> first_packet_time(nb::handle prefix) {
    return capture::first_packet_time(Borrowed(prefix).bytes());
}

}  // namespace

void bind_batch(nb::module_& module) {
    nb::class_<PyFlowBatch>(
        module, "FlowBatch", "A batch of flow rows; a struct array of the Arrow C data interface.")
        .def_prop_ro("num_rows", &PyFlowBatch::rows)
        .def("__arrow_c_schema__",
             [](const PyFlowBatch& self) { return schema_capsule(self.batch().extras); })
        .def("__arrow_c_array__", &array_capsules, nb::arg("requested_schema") = nb::none());
    nb::class_<Schema>(module, "Schema", "The flow record's Arrow schema.")
        .def("__arrow_c_schema__", [](const Schema& self) { return schema_capsule(self.extras); });
    module.def(
        "schema",
        [](bool heads, bool features, bool early) { return Schema{{heads, features, early}}; },
        nb::arg("heads") = false,
        nb::arg("features") = false,
        nb::arg("early") = false,
        "The flow record's schema, or an early verdict's; speaks the Arrow PyCapsule interface.");
    module.def("schema_fields",
               &schema_fields,
               nb::arg("heads") = false,
               nb::arg("features") = false,
               nb::arg("early") = false,
               "Every column: name, type, nullable, unit, meaning, and its name elsewhere.");
    module.def("feature_fields",
               &feature_fields,
               "Every feature column: name, type, unit, meaning, formula and source.");
    module.attr("VERSION_DIGITS") = 2 * batch::kVersionOctets;
    module.attr("SCHEMA_VERSION") = std::string(batch::kSchemaVersion);
    module.def("community_id",
               &community_id,
               nb::arg("src"),
               nb::arg("dst"),
               nb::arg("ip_proto"),
               nb::arg("src_port").none(),
               nb::arg("dst_port").none(),
               nb::arg("seed") = 0,
               "Community ID v1 of a tuple; for ICMP the ports are type and code.");
    module.def("first_packet_time",
               &first_packet_time,
               nb::arg("prefix"),
               "Time of the first packet in ns, from a capture's first octets.");
}
