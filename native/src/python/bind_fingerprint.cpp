// Fingerprints seen from Python: the list of matchers, and the match of a head built from given
// payloads (vectors).
#include <nanobind/nanobind.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "crypto/libcrypto.hpp"
#include "fingerprint/match.hpp"
#include "head/head_block.hpp"
#include "python/user_faults.hpp"

namespace nb = nanobind;
using namespace flowclass;

namespace {

// direction, time in ns, length on the wire, captured octets, TCP sequence offset
using Given = std::tuple<int, std::int64_t, std::uint32_t, nb::bytes, std::uint32_t>;

nb::object text_or_none(std::string_view text) {
    return text.empty() ? nb::object(nb::none()) : nb::object(nb::str(std::string(text).c_str()));
}

nb::object link_or_none(fingerprint::LinkKind kind) {
    return text_or_none(kind == fingerprint::LinkKind::none ? "" : fingerprint::to_string(kind));
}

void describe_evidence(std::uint16_t matcher,
                       const fingerprint::Evidence& evidence,
                       const fingerprint::UserMatchers* user,
                       nb::dict& out) {
    out["protocol"] = std::string(fingerprint::info_of(matcher, user).protocol);
    out["variant"] = text_or_none(evidence.variant());
    out["bits"] = evidence.bits();
    out["initiator"] = static_cast<int>(evidence.initiator());
    nb::list checks;
    for (const fingerprint::Check& check : evidence.checks()) {
        nb::dict row;
        row["rule"] = std::string(check.rule->id);
        row["packet"] = check.packet;
        row["time"] = check.time;
        row["offset"] = check.offset;
        row["length"] = check.length;
        row["direction"] = static_cast<int>(check.direction);
        row["bits"] = check.bits;
        checks.append(row);
    }
    out["checks"] = checks;
}

fingerprint::Evidence evidence_of(std::uint16_t matcher,
                                  const head::FlowHead& head,
                                  const fingerprint::UserMatchers* user) {
    const std::size_t built = fingerprint::matchers().size();
    fingerprint::UserFaults faults;
    return matcher < built ? fingerprint::matchers()[matcher].match(head)
                           : user->evidence(matcher - built, head, faults);
}

// A match says of the losers only who they are: what they found is asked again.
nb::dict describe(const head::FlowHead& head,
                  const fingerprint::Match& found,
                  const fingerprint::UserMatchers* user) {
    nb::dict out;
    out["checks"] = nb::list();
    if (found.matcher != fingerprint::kNoMatcher) {
        describe_evidence(found.matcher, found.evidence, user, out);
    }
    out["tier"] = fingerprint::to_string(found.tier);
    nb::list alternatives;
    for (std::size_t index = 0; index < found.alternative_count; ++index) {
        const std::uint16_t matcher = found.alternatives[index].matcher;
        const fingerprint::Evidence evidence = evidence_of(matcher, head, user);
        nb::dict row;
        describe_evidence(matcher, evidence, user, row);
        row["tier"] = fingerprint::to_string(fingerprint::tier_of(evidence));
        alternatives.append(row);
    }
    out["alternatives"] = alternatives;
    out["server_name"] = text_or_none(found.has_hello ? found.hello.server_name() : "");
    out["alpn"] = text_or_none(found.has_hello ? found.hello.alpn() : "");
    out["ja4"] = text_or_none(found.has_hello ? found.hello.ja4() : "");
    return out;
}

nb::dict match_payloads(std::uint8_t ip_proto,
                        std::uint16_t src_port,
                        std::uint16_t dst_port,
                        bool from_start,
                        const std::vector<Given>& payloads,
                        std::shared_ptr<fingerprint::UserMatchers> user) {
    head::HeadPool pool(1);
    std::uint32_t index = head::HeadPool::kNone;
    std::uint32_t number = 0;
    head::StreamStart start;
    start.known = {from_start, from_start};
    for (const Given& given : payloads) {
        const auto& [direction, time, length, captured, seq] = given;
        packet::FlowLayer layer;
        layer.ip_proto = ip_proto;
        layer.has_ports = true;
        layer.src_port = src_port;
        layer.dst_port = dst_port;
        layer.tcp_seq = seq;
        layer.payload_length = length;
        layer.datagram_length = length;
        layer.payload =
            base::Bytes(static_cast<const std::uint8_t*>(captured.data()), captured.size());
        if (index == head::HeadPool::kNone) {
            index = pool.open(layer, time, start);
        }
        if (pool.add(index,
                     layer,
                     direction == 0 ? head::Direction::forward : head::Direction::reverse,
                     time,
                     ++number)) {
            break;
        }
    }
    head::FlowHead none;
    head::FlowHead& head = index == head::HeadPool::kNone ? none : pool.seal(index);
    fingerprint::Match found;
    fingerprint::match(head, found);
    fingerprint::UserFaults faults;
    if (user) {
        user->match(head, found, faults);
    }
    nb::dict out = describe(head, found, user.get());
    out["faults"] = faults_dict(user.get(), faults);
    return out;
}

nb::list list_matchers() {
    nb::list out;
    for (const fingerprint::MatcherEntry& entry : fingerprint::matchers()) {
        nb::dict row;
        row["name"] = std::string(entry.name);
        row["protocol"] = std::string(entry.info->protocol);
        row["protocol_class"] = fingerprint::to_string(entry.info->protocol_class);
        row["title"] = std::string(entry.info->title);
        row["sources"] = std::string(entry.info->sources);
        nb::list ports;
        for (const std::uint16_t port : entry.info->ports) {
            ports.append(port);
        }
        row["ports"] = ports;
        nb::list variants;
        for (const std::string_view variant : entry.info->variants) {
            variants.append(std::string(variant));
        }
        row["variants"] = variants;
        nb::list rules;
        for (const fingerprint::Rule* rule : entry.info->rules) {
            rules.append(nb::make_tuple(std::string(rule->id), std::string(rule->meaning)));
        }
        row["rules"] = rules;
        nb::list ip_protos;
        for (const std::uint8_t ip_proto : entry.prefilter->ip_protos) {
            if (ip_proto != 0) {
                ip_protos.append(ip_proto);
            }
        }
        row["ip_protos"] = ip_protos;
        row["leads"] = link_or_none(entry.info->leads);
        nb::list follows;
        for (const fingerprint::LinkKind kind : entry.info->follows) {
            if (kind != fingerprint::LinkKind::none) {
                follows.append(fingerprint::to_string(kind));
            }
        }
        row["follows"] = follows;
        out.append(row);
    }
    return out;
}

}  // namespace

void bind_fingerprint(nb::module_& module) {
    module.def(
        "matchers",
        &list_matchers,
        "Every matcher of this build: protocol, class, ports, variants, rules, and the kinds of "
        "linked flows that it leads and follows.");
    module.def(
        "crypto_library",
        [] { return std::string(crypto::crypto_library()); },
        "The library that opens QUIC Initials and hashes JA4, with its version; empty: none.");
    module.def("match_payloads",
               &match_payloads,
               nb::arg("ip_proto"),
               nb::arg("src_port"),
               nb::arg("dst_port"),
               nb::arg("from_start"),
               nb::arg("payloads"),
               nb::arg("user") = nb::none(),
               "Match one head built from (direction, time_ns, wire length, octets, tcp sequence "
               "offset) tuples.");
}
