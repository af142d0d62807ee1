// Link-Local Multicast Name Resolution (RFC 4795) on port 5355.
//
//  0        2                            4        6        8        10       12
// | id     | QR opcode C TC T Z(4) rcode | qdcount | ancount | nscount | arcount | question
// One question; a query has nothing else (§2.1.1); the answer, from the responder's own address,
// is mostly another flow. There is no RD or RA: their places are T and a reserved zero.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/dns_message.hpp"

namespace flowclass::fingerprint::llmnr {

inline constexpr Rule kHeader{
    "llmnr.header",
    "opcode and reserved bits zero, one question, a query without records; RFC 4795 §2.1.1"};
inline constexpr Rule kName{"llmnr.name", "labels chain to a root; RFC 1035 §3.1"};
inline constexpr Rule kType{"llmnr.type", "assigned type, class IN; RFC 4795 §2.1"};
inline constexpr Rule kEnd{"llmnr.end", "the message ends behind its question; RFC 4795 §2.1.1"};
inline constexpr Rule kEcho{"llmnr.echo",
                            "the answer has the query's id and question; RFC 4795 §2.1.1"};
inline constexpr Rule kPort{"llmnr.port", "UDP port 5355 on either side; RFC 4795 §2"};

inline constexpr std::uint16_t kLlmnrPort = 5355;
inline constexpr std::array<std::uint16_t, 1> kPorts{kLlmnrPort};
inline constexpr std::array<const Rule*, 6> kRules{&kHeader, &kName, &kType, &kEnd, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "llmnr",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Link-Local Multicast Name Resolution",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4795"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = kDnsHeader, .octets = {{{5, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!head.has_port(kLlmnrPort) || head.has_port(53)) {
            return {};
        }
        Evidence evidence;
        Tally tally;
        std::array<bool, 2> said{};
        DnsMessage asked;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const DnsMessage message = read_dns_message(payload.bytes, payload.length);
            const bool ours = is_llmnr(message);
            tally.add(ours ? message.reading : Reading::contradicts);
            if (!ours || message.reading != Reading::fits) {
                continue;
            }
            bool& by_this_side = said[index_of(payload.direction)];
            if (!by_this_side) {
                by_this_side = true;
                add_form(evidence, head, entry, message);
                if (message.response() && is_answer_to(message, asked)) {
                    // Id: 16; the question's octets beyond their form.
                    evidence.add(kEcho, head, entry, 0, 2, 40);
                }
            }
            if (!message.response()) {
                asked = message;
            }
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        add_port(evidence, kPort, head);
        return evidence;
    }

  private:
    static bool is_llmnr(const DnsMessage& message) noexcept {
        constexpr unsigned kMayBeSet = 0x870f;  // QR, C, TC, T, rcode
        if (message.reading == Reading::contradicts || (message.flags & ~kMayBeSet) != 0 ||
            message.questions != 1 || (message.first_end != 0 && message.record_class != 1)) {
            return false;
        }
        return message.response() || (message.records() == 0 && (message.flags & 15U) == 0);
    }

    static bool is_answer_to(const DnsMessage& answer, const DnsMessage& asked) noexcept {
        return !asked.question.empty() && answer.id == asked.id &&
               std::equal(answer.question.begin(),
                          answer.question.end(),
                          asked.question.begin(),
                          asked.question.end());
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         std::size_t entry,
                         const DnsMessage& message) noexcept {
        // Nearly fixed flags and, in a query, four fixed counts: as in DNS.
        evidence.add(kHeader, head, entry, 2, 10, message.response() ? 24 : 30);
        evidence.add(
            kName, head, entry, kDnsHeader, dns_name_claim(message), dns_name_bits(message.name));
        evidence.add(kType, head, entry, message.first_end - 4, 4, 14);
        if (message.exact && !message.response()) {
            evidence.add(kEnd, head, entry, head.entries[entry].length - 1U, 1, 6);
        }
        evidence.set_initiator(message.response() ? opposite(head.entries[entry].direction)
                                                  : head.entries[entry].direction);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::llmnr
