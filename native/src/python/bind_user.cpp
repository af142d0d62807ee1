// Fingerprints made in Python: what they publish, and the address of a function that another
// compiler made.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fingerprint/user_matchers.hpp"
#include "python/user_faults.hpp"

namespace nb = nanobind;

void bind_user(nb::module_& module);

namespace {

using namespace flowclass;
using fingerprint::ByteSet;
using fingerprint::ProtocolClass;
using fingerprint::UserMatcher;

ProtocolClass class_of(const std::string& name) {
    for (std::uint8_t value = 0; value < static_cast<std::uint8_t>(ProtocolClass::count_);
         ++value) {
        const auto found = static_cast<ProtocolClass>(value);
        if (name == fingerprint::to_string(found)) {
            return found;
        }
    }
    throw nb::value_error(("no class of protocols is called " + name).c_str());
}

ByteSet set_of(const std::vector<int>& octets) {
    ByteSet set = ByteSet::of({});
    for (const int octet : octets) {
        set = set | ByteSet::of({octet & 0xff});
    }
    return octets.empty() ? ByteSet::all() : set;
}

// The function lives as long as whoever gave the address takes care that it does.
fingerprint::UserFunction function_at(std::uintptr_t address) {
    if (address == 0) {
        throw nb::value_error("a function has no address 0");
    }
    fingerprint::UserFunction function = nullptr;
    static_assert(sizeof(function) == sizeof(address));
    std::memcpy(&function, &address, sizeof(function));
    return function;
}

UserMatcher matcher_of(const nb::dict& given) {
    UserMatcher out;
    out.protocol = nb::cast<std::string>(given["protocol"]);
    out.protocol_class = class_of(nb::cast<std::string>(given["protocol_class"]));
    out.variants = nb::cast<std::vector<std::string>>(given["variants"]);
    for (const nb::handle rule : given["rules"]) {
        const auto pair = nb::cast<nb::tuple>(rule);
        out.rules.emplace_back(nb::cast<std::string>(pair[0]), nb::cast<std::string>(pair[1]));
    }
    const auto protos = nb::cast<std::vector<std::uint8_t>>(given["ip_protos"]);
    if (protos.size() > out.prefilter.ip_protos.size()) {
        throw nb::value_error("a fingerprint has at most 8 IP protocols");
    }
    std::copy(protos.begin(), protos.end(), out.prefilter.ip_protos.begin());
    out.prefilter.first_bytes = set_of(nb::cast<std::vector<int>>(given["first_octets"]));
    out.prefilter.least_length = nb::cast<std::uint32_t>(given["least_length"]);
    out.prefilter.most_length = nb::cast<std::uint32_t>(given["most_length"]);
    out.function = function_at(nb::cast<std::uintptr_t>(given["address"]));
    return out;
}

void construct(fingerprint::UserMatchers* self, const std::vector<nb::dict>& given) {
    if (given.size() > fingerprint::kMaxUserMatchers) {
        throw nb::value_error("too many fingerprints");
    }
    std::vector<UserMatcher> made;
    made.reserve(given.size());
    for (const nb::dict& one : given) {
        made.push_back(matcher_of(one));
    }
    new (self) fingerprint::UserMatchers(std::move(made));
}

nb::dict layouts() {
    nb::dict out;
    for (const fingerprint::UserLayout& layout : fingerprint::user_layouts()) {
        nb::dict fields;
        for (const fingerprint::UserField& field : layout.fields) {
            fields[std::string(field.name).c_str()] = nb::make_tuple(field.offset, field.size);
        }
        out[std::string(layout.name).c_str()] = nb::make_tuple(layout.size, fields);
    }
    return out;
}

}  // namespace

nb::dict faults_dict(const fingerprint::UserMatchers* user, const fingerprint::UserFaults& faults) {
    nb::dict out;
    for (std::size_t number = 0; user != nullptr && number < user->size(); ++number) {
        const std::string name(user->info(number).protocol);
        out[name.c_str()] = nb::make_tuple(faults.failed[number], faults.refused[number]);
    }
    return out;
}

void bind_user(nb::module_& module) {
    module.attr("MAX_USER_FINGERPRINTS") = fingerprint::kMaxUserMatchers;
    nb::class_<fingerprint::UserMatchers>(
        module, "UserMatchers", "Fingerprints of the caller, in the order they were given.")
        .def("__init__", &construct, nb::arg("given"))
        .def("__len__", &fingerprint::UserMatchers::size);
    module.def("user_layouts",
               &layouts,
               "Size, and offset and size of each field, of what a user's function is given.");
}
