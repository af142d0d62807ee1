// Multicast DNS (RFC 6762) on UDP port 5353, which the RFC demands (§5, §6).
//
//  0        2                  4        6        8        10       12
// | id     | QR 0 AA TC 0 ...  | qdcount | ancount | nscount | arcount | questions, records
// Id is zero but for legacy one-shot queries (§18.1); opcode, RD, RA, Z, AD, CD, rcode are zero
// (§18.3 to §18.11). Names end in "local", or in "arpa" for addresses (§3, §4).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/dns_message.hpp"

namespace flowclass::fingerprint::mdns {

inline constexpr Rule kHeader{
    "mdns.header", "only QR, AA and TC may be set, counts its length has room for; RFC 6762 §18"};
inline constexpr Rule kIdZero{"mdns.id_zero", "the id is zero; RFC 6762 §18.1"};
inline constexpr Rule kName{"mdns.name", "labels chain to a root; RFC 1035 §3.1"};
inline constexpr Rule kDomain{"mdns.domain", "the name ends in local or arpa; RFC 6762 §3, §4"};
inline constexpr Rule kType{
    "mdns.type", "assigned type, class IN or any with the top bit free; RFC 6762 §18.12"};
inline constexpr Rule kPort{"mdns.port", "UDP port 5353 on either side; RFC 6762 §5"};

inline constexpr std::uint16_t kMdnsPort = 5353;
inline constexpr std::array<std::uint16_t, 1> kPorts{kMdnsPort};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kIdZero, &kName, &kDomain, &kType, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "mdns",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Multicast DNS",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6762"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .least_length = kDnsHeader,
        .octets = {{{2, ByteSet::of({0x00, 0x02, 0x04, 0x06, 0x80, 0x82, 0x84, 0x86})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!head.has_port(kMdnsPort) || head.has_port(53)) {
            return {};
        }
        Evidence evidence;
        Tally tally;
        std::array<bool, 2> said{};
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const DnsMessage message = read_dns_message(payload.bytes, payload.length, is_mdns);
            tally.add(message.reading);
            bool& by_this_side = said[index_of(payload.direction)];
            if (message.reading == Reading::fits && !by_this_side) {
                by_this_side = true;
                add_form(evidence, head, entry, message);
            }
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        add_port(evidence, kPort, head);
        return evidence;
    }

  private:
    static bool is_mdns(const DnsMessage& message) noexcept {
        constexpr unsigned kMayBeSet = 0x8600;
        return (message.flags & ~kMayBeSet) == 0 && message.questions + message.records() > 0 &&
               (message.response() ? message.answers > 0 : message.questions > 0) &&
               message.questions < 256 && message.records() < 256;
    }

    static bool is(Bytes label, std::string_view word) noexcept {
        return std::equal(label.begin(), label.end(), word.begin(), word.end());
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         std::size_t entry,
                         const DnsMessage& message) noexcept {
        // 13 flag bits of zero, 10 of them counted because zeros are common; the high octets of
        // the counts and a low one that must not be zero: 14.
        evidence.add(kHeader, head, entry, 2, 10, 24);
        if (message.id == 0) {
            evidence.add(kIdZero, head, entry, 0, 2, 8);
        }
        evidence.add(
            kName, head, entry, kDnsHeader, dns_name_claim(message), dns_name_bits(message.name));
        if (is(message.name.last_label, "local")) {
            evidence.add(kDomain, head, entry, message.first_end - 4 - 7, 7, 48);
        } else if (is(message.name.last_label, "arpa")) {
            evidence.add(kDomain, head, entry, message.first_end - 4 - 6, 6, 40);
        }
        evidence.add(kType, head, entry, message.first_end - 4, 4, 14);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mdns
