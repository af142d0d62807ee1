// NetBIOS name service (RFC 1002 §4.2), mostly on UDP port 137.
//
//  0        2                                  4        6        8        10       12
// | id     | R opcode(4) AA TC RD RA 0 0 B rcode | qdcount | ancount | nscount | arcount
// 12: 0x20, then 32 octets 'A'..'P' (half an octet of the name each, §4.1), the scope's labels, 0,
//     type be16: NB 0x0020 or NBSTAT 0x0021, class be16: IN
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/dns_message.hpp"

namespace flowclass::fingerprint::nbns {

inline constexpr Rule kHeader{"nbns.header",
                              "known opcode, reserved bits zero, one question or one record first; "
                              "RFC 1002 §4.2.1"};
inline constexpr Rule kName{"nbns.name", "a first label of 32 octets from A to P; RFC 1002 §4.1"};
inline constexpr Rule kType{"nbns.type", "type NB or NBSTAT, class IN; RFC 1002 §4.2.2"};
inline constexpr Rule kIdEcho{"nbns.id_echo", "the answer has the query's id; RFC 1002 §4.2.1.1"};
inline constexpr Rule kPort{"nbns.port", "UDP port 137 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{137};
inline constexpr std::array<const Rule*, 5> kRules{&kHeader, &kName, &kType, &kIdEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nbns",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "NetBIOS name service",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 1002"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 50, .octets = {{{kDnsHeader, ByteSet::of({32})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        std::array<bool, 2> said{};
        std::array<std::uint16_t, 2> last_id{};
        bool echoed = false;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            // The encoded name is always as long: what has another length is another kind of
            // message.
            if (payload.bytes.size() > kDnsHeader && payload.bytes[kDnsHeader] != 32) {
                tally.add(Reading::contradicts);
                continue;
            }
            const DnsMessage message = read_dns_message(payload.bytes, payload.length);
            const bool ours = is_nbns(message);
            tally.add(ours ? message.reading : Reading::contradicts);
            if (!ours || message.reading != Reading::fits) {
                continue;
            }
            const std::size_t side = index_of(payload.direction);
            const std::size_t other = index_of(opposite(payload.direction));
            if (!said[side]) {
                said[side] = true;
                add_form(evidence, head, entry, message);
            }
            if (message.response() && said[other] && last_id[other] == message.id && !echoed) {
                echoed = true;
                evidence.add(kIdEcho, head, entry, 0, 2, 16);
            }
            last_id[side] = message.id;
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        if (head.has_port(137)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static bool is_nbns(const DnsMessage& message) noexcept {
        // Query, registration, release, WACK, refresh (two values), multihomed registration.
        constexpr std::array<unsigned, 7> kOpcodes{0, 5, 6, 7, 8, 9, 15};
        constexpr unsigned kReserved = 0x0060;
        if (message.reading != Reading::fits || (message.flags & kReserved) != 0 ||
            std::find(kOpcodes.begin(), kOpcodes.end(), message.opcode()) == kOpcodes.end() ||
            message.questions > 1 || message.questions + message.answers > 2) {
            return message.reading == Reading::cut;
        }
        const Bytes label = message.name.first_label;
        return label.size() == 32 && (message.type == 0x20 || message.type == 0x21) &&
               message.record_class == 1 &&
               std::all_of(label.begin(), label.end(), [](std::uint8_t octet) {
                   return octet >= 'A' && octet <= 'P';
               });
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         std::size_t entry,
                         const DnsMessage& message) noexcept {
        // Reserved bits and opcode: 3; four small counts: 17.
        evidence.add(kHeader, head, entry, 2, 10, 20);
        // The length 8, and 4 bits for each of 32 octets of sixteen values; letters alone are
        // common, so 1 an octet is counted.
        evidence.add(kName, head, entry, kDnsHeader, 33, 40);
        evidence.add(kType, head, entry, message.first_end - 4, 4, 24);
        evidence.set_initiator(message.response() ? opposite(head.entries[entry].direction)
                                                  : head.entries[entry].direction);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nbns
