// _core.CryptoPan: what an anonymised run has in its rows, for records that are there already.
// Checks types, calls, wraps; keeps the GIL, as an anonymizer is for one thread at a time.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "batch/anonymizer.hpp"
#include "python/crypto_pan_key.hpp"

namespace nb = nanobind;

void bind_anonymize(nb::module_& module);

namespace {

using namespace flowclass;
using batch::Anonymizer;
using Text = std::optional<std::string>;
using Port = std::optional<std::uint16_t>;

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;

void construct(Anonymizer* self, const nb::bytes& key) {
    new (self) Anonymizer(key_of(key));
    if (!self->ok()) {
        self->~Anonymizer();
        throw nb::value_error("there is no libcrypto");
    }
}

base::IpAddress address_or_raise(const std::string& text) {
    const std::optional<base::IpAddress> address = base::parse_ip_address(text);
    if (!address) {
        throw nb::value_error("a record has an address that is none");
    }
    return *address;
}

std::vector<Text> addresses(Anonymizer& self, const std::vector<Text>& texts) {
    std::vector<Text> out(texts.size());
    for (std::size_t row = 0; row < texts.size(); ++row) {
        if (texts[row]) {
            const base::IpAddress found = self.address(address_or_raise(*texts[row]));
            out[row] = found.version == 0 ? Text() : base::to_string(found);
        }
    }
    return out;
}

std::vector<Text> flow_ids(const Anonymizer& self, const std::vector<Text>& texts) {
    std::vector<Text> out(texts.size());
    for (std::size_t row = 0; row < texts.size(); ++row) {
        if (texts[row]) {
            const std::optional<flow::FlowId> given = flow::parse_flow_id(*texts[row]);
            if (!given) {
                throw nb::value_error("a record has a flow id that is none");
            }
            const auto text = flow::to_text(self.id(*given));
            out[row].emplace(text.data(), text.size());
        }
    }
    return out;
}

// Records do not keep ICMP's types, which stand in its ids for ports: null.
std::vector<Text> community_ids(Anonymizer& self,
                                const std::vector<std::string>& src,
                                const std::vector<std::string>& dst,
                                const std::vector<std::uint8_t>& ip_proto,
                                const std::vector<Port>& src_port,
                                const std::vector<Port>& dst_port) {
    const std::size_t count = src.size();
    if (dst.size() != count || ip_proto.size() != count || src_port.size() != count ||
        dst_port.size() != count) {
        throw nb::value_error("columns of different lengths");
    }
    std::vector<Text> out(count);
    for (std::size_t row = 0; row < count; ++row) {
        if (ip_proto[row] == kIcmp || ip_proto[row] == kIcmp6) {
            continue;
        }
        flow::CommunityIdTuple tuple;
        tuple.src = address_or_raise(src[row]);
        tuple.dst = address_or_raise(dst[row]);
        tuple.ip_proto = ip_proto[row];
        tuple.src_port = src_port[row].value_or(0);
        tuple.dst_port = dst_port[row].value_or(0);
        if (const auto text = self.community_id(tuple)) {
            out[row].emplace(text->data(), text->size());
        }
    }
    return out;
}

}  // namespace

void bind_anonymize(nb::module_& module) {
    nb::class_<Anonymizer>(
        module, "CryptoPan", "Crypto-PAn under one key; see flowclass.anonymize.")
        .def("__init__", &construct, nb::arg("key"))
        .def("addresses", &addresses, nb::arg("texts"), "Anonymised addresses.")
        .def(
            "flow_ids", &flow_ids, nb::arg("texts"), "Other names for flows, the same for one key.")
        .def("community_ids",
             &community_ids,
             nb::kw_only(),
             nb::arg("src"),
             nb::arg("dst"),
             nb::arg("ip_proto"),
             nb::arg("src_port"),
             nb::arg("dst_port"),
             "Community IDs over the anonymised addresses of these.");
}
