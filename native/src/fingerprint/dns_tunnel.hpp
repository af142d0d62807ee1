// DNS messages as tunnels use them: the labels of the question, the data of the first answer.
// Takes: a payload, or a head whose own proof of a tunnel is already there. Gives: where labels and
// answer stand; that proof with DNS's own checks behind it, since a tunnel in DNS is DNS too.
// Guarantees: bounded steps; a tunnel without enough proof of its own gives nothing, however well
// the DNS around it is proven.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/dns_message.hpp"
#include "fingerprint/protocols/dns.hpp"

namespace flowclass::fingerprint::dns_tunnel {

// A tunnel's own bits must reach this; DNS's are not counted.
inline constexpr double kLeastOwn = 40;

inline constexpr std::uint16_t kTypeA = 1, kTypeCname = 5, kTypeNull = 10, kTypeMx = 15,
                               kTypeTxt = 16, kTypeKey = 25, kTypeSrv = 33, kTypePrivate = 65399;

struct Label {
    Bytes octets;
    std::size_t offset = 0;  // of the first octet behind the length, in the payload
    [[nodiscard]] bool there() const noexcept { return !octets.empty(); }
};

// A label whose length stands at `offset`; empty for a pointer, the root, or one that was cut.
inline Label label_at(Bytes payload, std::size_t offset) noexcept {
    ByteReader reader = at(payload, offset);
    const std::uint8_t length = reader.u8();
    return length > 63 ? Label{} : Label{reader.bytes(length), offset + 1};
}
inline Label next_label(Bytes payload, const Label& label) noexcept {
    return label_at(payload, label.offset + label.octets.size());
}
inline Label first_label(Bytes payload) noexcept {
    return label_at(payload, kDnsHeader);
}

// A query or an answer to one question: opcode 0 and one question.
inline bool has_question(Bytes payload) noexcept {
    ByteReader reader = at(payload, 2);
    const std::uint16_t flags = reader.be16();
    return (flags & 0x7840U) == 0 && reader.be16() == 1 && reader.ok();
}
// The cheap first look at a flow: either side begins so.
inline bool may_be(const FlowHead& head) noexcept {
    const std::size_t forward = head.next(Direction::forward);
    const std::size_t reverse = head.next(Direction::reverse);
    return (forward < kMaxEntries && has_question(head.payload(forward).bytes)) ||
           (reverse < kMaxEntries && has_question(head.payload(reverse).bytes));
}

struct Message {
    bool valid = false;
    bool response = false;
    std::uint16_t type = 0;  // of the question
    std::size_t type_at = 0;
    std::uint16_t answer_type = 0;
    std::size_t answer_at = 0;      // of the first answer's data; 0 when there is none
    std::size_t answer_length = 0;  // as the record says
};

inline Message read_message(const Payload& payload) noexcept {
    Message found;
    const DnsMessage message = read_dns_message(payload.bytes, payload.length);
    if (message.reading != Reading::fits || message.questions != 1 || message.first_end == 0) {
        return found;
    }
    found.valid = true;
    found.response = message.response();
    found.type = message.type;
    found.type_at = message.first_end - 4;
    if (!found.response || message.answers == 0) {
        return found;
    }
    ByteReader reader = at(payload.bytes, message.first_end);
    const DnsName name = read_dns_name(reader);
    const std::uint16_t type = reader.be16();
    reader.skip(6);
    const std::size_t length = reader.be16();
    if (reader.ok() && name.valid) {
        found.answer_type = type;
        found.answer_at = reader.position();
        found.answer_length = length;
    }
    return found;
}

// Where the text or name of an answer begins: TXT's length octet, a label's, behind MX's and SRV's
// numbers.
inline Label answer_label(Bytes payload, const Message& message) noexcept {
    if (message.answer_at == 0) {
        return {};
    }
    switch (message.answer_type) {
        case kTypeTxt: {
            ByteReader reader = at(payload, message.answer_at);
            const std::uint8_t length = reader.u8();
            return {reader.bytes(length), message.answer_at + 1};
        }
        case kTypeCname:
            return label_at(payload, message.answer_at);
        case kTypeMx:
            return label_at(payload, message.answer_at + 2);
        case kTypeSrv:
            return label_at(payload, message.answer_at + 6);
        default:
            return {};
    }
}

// `evidence` with DNS's checks behind it, or nothing.
inline Evidence with_dns(Evidence evidence, const FlowHead& head) noexcept {
    if (evidence.bits() < kLeastOwn) {
        return {};
    }
    const Evidence dns = dns::Matcher::match(head);
    if (dns.empty()) {
        return {};
    }
    for (const Check& check : dns.checks()) {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            if (head.entries[entry].packet == check.packet) {
                evidence.add(*check.rule, head, entry, check.offset, check.length, check.bits);
                break;
            }
        }
    }
    if (dns.initiator() != Initiator::not_known) {
        evidence.set_initiator(dns.initiator() == Initiator::forward ? Direction::forward
                                                                     : Direction::reverse);
    }
    return evidence;
}

}  // namespace flowclass::fingerprint::dns_tunnel
