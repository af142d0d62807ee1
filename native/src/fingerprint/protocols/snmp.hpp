// SNMP versions 1, 2c and 3 over UDP (RFC 1157 §4, RFC 3416 §3, RFC 3412 §6), in BER.
//
// v1, v2c: 30 len | 02 01 version | 04 len community | A0..A8 len PDU
//   PDU:   02 len request-id | 02 len error-status | 02 len error-index | 30 len bindings
//   v1 trap (A4): 06 len enterprise ...
// v3:      30 len | 02 01 03 | 30 len { 02 len id, 02 len max size, 04 01 flags, 02 01 model } | 04
// len ... Every length leads to the same end: that of the datagram.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/ber.hpp"
#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::snmp {

inline constexpr Rule kMessage{"snmp.message",
                               "a SEQUENCE that ends with the datagram; RFC 1157 §4"};
inline constexpr Rule kVersion{"snmp.version",
                               "INTEGER of one octet: 0, 1 or 3; RFC 1157 §4, RFC 3412 §6"};
inline constexpr Rule kPdu{
    "snmp.pdu", "community, then a PDU of known tag that ends with the message; RFC 3416 §3"};
inline constexpr Rule kHeaderData{"snmp.header_data",
                                  "v3 header data whose four items chain; RFC 3412 §6"};
inline constexpr Rule kRequest{"snmp.request_id",
                               "the PDU begins with a request id and an error status; RFC 3416 §3"};
inline constexpr Rule kTrap{
    "snmp.trap", "a trap's PDU begins with an object id and an address; RFC 1157 §4.1.6"};
inline constexpr Rule kEcho{"snmp.id_echo",
                            "the answer has the request's id; RFC 3416 §4.2, RFC 3412 §6.2"};
inline constexpr Rule kPort{"snmp.port", "UDP port 161 or 162 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{161, 162};
inline constexpr std::array<std::string_view, 3> kVariants{"v1", "v2c", "v3"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kMessage, &kVersion, &kPdu, &kHeaderData, &kRequest, &kTrap, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "snmp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Simple Network Management Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 1157, RFC 3412, RFC 3416"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x30}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        std::array<bool, 2> said{};
        std::array<Message, 2> last{};
        bool echoed = false;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const Message message = read(payload);
            tally.add(message.reading);
            if (message.reading != Reading::fits) {
                continue;
            }
            const std::size_t side = index_of(payload.direction);
            if (!said[side]) {
                said[side] = true;
                add_form(evidence, head, payload, message);
            }
            const Message& asked = last[index_of(opposite(payload.direction))];
            const bool same = asked.id.valid && message.id.valid &&
                              asked.version == message.version &&
                              asked.id.value == message.id.value;
            if (same && !echoed) {
                echoed = true;
                // Small ids are guessed more easily.
                evidence.add(
                    kEcho,
                    head,
                    entry,
                    message.id.begin,
                    message.id.length,
                    8.0 * static_cast<double>(std::min<std::size_t>(message.id.length, 4)));
            }
            last[side] = message;
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        if (head.has_port(161) || head.has_port(162)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    struct Message {
        Reading reading = Reading::contradicts;
        std::uint8_t version = 0;
        std::size_t version_at = 0;
        std::uint8_t pdu = 0;
        std::size_t pdu_at = 0;  // v3: the header data
        // Heads (tag and length) of the items in the PDU or header data; none when not kept.
        std::array<std::size_t, 4> item_at{};
        std::size_t items = 0;
        BerInteger id;
    };

    static Message read(const Payload& payload) noexcept {
        Message message;
        ByteReader reader(payload.bytes);
        const BerItem whole = read_ber(reader);
        if (!reader.ok() || whole.tag != 0x30 || whole.end() != payload.length) {
            message.reading = reader.ok() ? Reading::contradicts : ran_out(payload);
            return message;
        }
        message.version_at = reader.position();
        const BerInteger version = read_ber_integer(reader);
        if (!reader.ok()) {
            message.reading = ran_out(payload);
            return message;
        }
        if (!version.valid || version.length != 1 || version.value > 3 || version.value == 2) {
            return message;
        }
        message.version = static_cast<std::uint8_t>(version.value);
        const bool fits = version.value == 3 ? read_v3(reader, message)
                                             : read_pdu(reader, message, payload.length);
        if (fits) {
            message.reading = Reading::fits;
        } else if (!reader.ok()) {
            message.reading = ran_out(payload);
        }
        return message;
    }

    static bool read_pdu(ByteReader& reader, Message& message, std::size_t end) noexcept {
        const BerItem community = read_ber(reader);
        if (community.tag != 0x04 || community.length > 255) {
            return false;
        }
        reader.skip(community.length);
        message.pdu_at = reader.position();
        const BerItem pdu = read_ber(reader);
        if (!reader.ok() || pdu.tag < 0xa0 || pdu.tag > 0xa8 || pdu.end() != end) {
            return false;
        }
        message.pdu = pdu.tag;
        message.item_at[0] = reader.position();
        if (pdu.tag == 0xa4) {
            const BerItem enterprise = read_ber(reader);
            const bool object = enterprise.tag == 0x06 && enterprise.length < 128;
            reader.skip(enterprise.length);
            message.item_at[1] = reader.position();
            const BerItem address = read_ber(reader);
            if (reader.ok() && (!object || address.tag != 0x40 || address.length != 4)) {
                return false;
            }
        } else {
            message.id = read_ber_integer(reader);
            message.item_at[1] = reader.position();
            const BerInteger status = read_ber_integer(reader);
            if (reader.ok() && (!message.id.valid || !status.valid)) {
                return false;
            }
        }
        // What the prefix cut off says nothing; the envelope is whole.
        message.items = reader.ok() ? 2 : 0;
        return true;
    }

    static bool read_v3(ByteReader& reader, Message& message) noexcept {
        message.pdu_at = reader.position();
        const BerItem header = read_ber(reader);
        const std::size_t begin = reader.position();
        message.item_at[0] = begin;
        message.id = read_ber_integer(reader);
        message.item_at[1] = reader.position();
        const BerInteger most = read_ber_integer(reader);
        message.item_at[2] = reader.position();
        const BerInteger flags = read_ber_integer(reader, 0x04);
        message.item_at[3] = reader.position();
        const BerInteger model = read_ber_integer(reader);
        const bool fits = reader.ok() && header.tag == 0x30 && message.id.valid && most.valid &&
                          flags.valid && flags.length == 1 && model.valid &&
                          reader.position() == begin + header.length;
        message.items = message.item_at.size();
        return fits && read_ber(reader).tag == 0x04;
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         const Message& message) noexcept {
        // The tag 8, the length to the octet 8 to 12.
        evidence.add(kMessage, head, payload.entry, 0, message.version_at, 18);
        evidence.add(kVersion, head, payload.entry, message.version_at, 3, 22);
        if (message.version == 3) {
            evidence.set_variant("v3");
            // Five tags, of 8 bits each, and two fixed lengths, half counted: BER looks like BER.
            evidence.add(kHeaderData, head, payload.entry, message.pdu_at, 1, 8);
            for (const std::size_t item : message.item_at) {
                evidence.add(kHeaderData, head, payload.entry, item, 2, 6);
            }
            return;
        }
        evidence.set_variant(message.version == 0 ? "v1" : "v2c");
        // The community's tag 8, the PDU's 5, its length to the octet 8.
        evidence.add(kPdu, head, payload.entry, message.pdu_at, 2, 21);
        for (std::size_t item = 0; item < message.items; ++item) {
            // Two tags and their lengths.
            const Rule& rule = message.pdu == 0xa4 ? kTrap : kRequest;
            evidence.add(rule, head, payload.entry, message.item_at[item], 2, 10);
        }
        const bool answers = message.pdu == 0xa2 || message.pdu == 0xa8;
        evidence.set_initiator(answers ? opposite(payload.direction) : payload.direction);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::snmp
