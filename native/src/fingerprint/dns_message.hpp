// The message format of RFC 1035 §4, which DNS, mDNS, LLMNR and the NetBIOS name service share.
//
//  0        2        4        6        8        10       12
// | id     | flags  | qdcount| ancount| nscount| arcount| questions, records
//   question: name, type be16, class be16;  record: name, type, class, ttl be32, length be16, data
//   name: labels (length 1..63, octets) to a zero octet, or to a pointer 0xC000 + earlier offset
//
// Takes: the kept octets and the length on the wire. Gives: header, first question, how far the
// sections could be walked. Guarantees: bounded steps (names of at most 255 octets, at most 16
// questions and records).
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint {

inline constexpr std::size_t kDnsHeader = 12;
inline constexpr std::uint16_t kDnsResponse = 0x8000;

struct DnsName {
    Bytes first_label;
    Bytes last_label;
    std::size_t octets = 0;  // of its labels
    std::size_t plain = 0;   // of them letters, digits, hyphens, underscores
    bool pointer = false;
    bool valid = false;
};

struct DnsMessage {
    Reading reading = Reading::contradicts;
    std::uint16_t id = 0, flags = 0;
    std::uint16_t questions = 0, answers = 0, authorities = 0, additionals = 0;
    DnsName name;            // of the first question, or else of the first record
    std::uint16_t type = 0;  // of the first question, or else of the first record
    std::uint16_t record_class = 0;
    std::size_t first_end = 0;     // behind that type and class; 0 when they were not kept
    Bytes question;                // octets of the first question, if whole
    bool exact = false;            // every section read, and they end with the message
    DnsName cut_name;              // of a first name behind which no type was kept
    std::size_t cut_name_end = 0;  // behind what was kept of it

    void note_cut(const DnsName& found, bool first, std::size_t end) noexcept {
        if (first) {
            cut_name = found;
            cut_name_end = end;
        }
    }
    [[nodiscard]] bool response() const noexcept { return (flags & kDnsResponse) != 0; }
    [[nodiscard]] unsigned opcode() const noexcept { return flags >> 11U & 15U; }
    [[nodiscard]] std::size_t records() const noexcept {
        return std::size_t{answers} + authorities + additionals;
    }
};

inline constexpr ByteSet kPlainNameOctets = ByteSet::range('a', 'z') | ByteSet::range('A', 'Z') |
                                            ByteSet::range('0', '9') | ByteSet::of({'-', '_'});

// An invalid name on an unfailed reader is malformed; on a failed one the octets ended first, and
// what there is of the name's labels is in it.
inline DnsName read_dns_name(ByteReader& reader) noexcept {
    DnsName name;
    for (std::size_t label = 0; label < 128; ++label) {
        const std::size_t here = reader.position();
        const std::uint8_t length = reader.u8();
        if (!reader.ok()) {
            return name;
        }
        if (length == 0) {
            name.valid = true;
            return name;
        }
        if (length >= 0xc0) {
            const std::size_t target = (length & 0x3fU) << 8U | reader.u8();
            name.pointer = true;
            name.valid = reader.ok() && target >= kDnsHeader && target < here;
            return name;
        }
        if (length > 63 || name.octets + label + length > 254) {
            return name;
        }
        const Bytes octets = reader.bytes(std::min<std::size_t>(length, reader.remaining()));
        if (octets.size() < length) {
            reader.skip(length);  // fails: the rest of the label was not kept
        }
        for (const std::uint8_t octet : octets) {
            name.plain += kPlainNameOctets.contains(octet) ? 1U : 0U;
        }
        name.octets += octets.size();
        name.last_label = octets;
        if (label == 0) {
            name.first_label = octets;
        }
    }
    return name;
}

// IANA "DNS Resource Record TYPEs": assigned ranges, and those for private use.
constexpr bool is_dns_type(std::uint16_t type) noexcept {
    return (type >= 1 && type <= 70) || (type >= 99 && type <= 109) || type == 128 ||
           (type >= 249 && type <= 262) || type == 32768 || type == 32769 ||
           (type >= 65280 && type <= 65534);
}
// IN, CH, HS, NONE, ANY; mDNS uses the top bit for itself (RFC 6762 §18.12).
constexpr bool is_dns_class(std::uint16_t record_class) noexcept {
    const unsigned value = record_class & 0x7fffU;
    return value == 1 || value == 3 || value == 4 || value == 254 || value == 255;
}

namespace dns_detail {

inline constexpr std::uint16_t kOpt = 41;  // RFC 6891 §6.1.2: its class is a size

enum class Step : std::uint8_t { read, malformed, ended, overrun };

inline Step read_item(ByteReader& reader,
                      DnsMessage& message,
                      std::size_t wire_length,
                      bool question,
                      bool first) noexcept {
    const DnsName name = read_dns_name(reader);
    if (!reader.ok()) {
        message.note_cut(name, first, reader.position() + reader.remaining());
        return Step::ended;
    }
    const bool pointer_too_early = question && first && name.pointer;
    if (!name.valid || pointer_too_early) {
        return Step::malformed;
    }
    const std::size_t name_end = reader.position();
    const std::uint16_t type = reader.be16();
    const std::uint16_t record_class = reader.be16();
    if (!reader.ok()) {
        message.note_cut(name, first, name_end);
        return Step::ended;
    }
    if (!is_dns_type(type) || (type != kOpt && !is_dns_class(record_class))) {
        return Step::malformed;
    }
    if (first) {
        message.name = name;
        message.type = type;
        message.record_class = record_class;
        message.first_end = reader.position();
    }
    if (question) {
        return Step::read;
    }
    reader.skip(4);
    const std::size_t data = reader.be16();
    if (reader.ok() && reader.position() + data > wire_length) {
        return Step::overrun;
    }
    reader.skip(data);
    return reader.ok() ? Step::read : Step::ended;
}

}  // namespace dns_detail

// `length` is the message's on the wire; `bytes` its kept prefix. Header counts are checked against
// what the length has room for; a header that `accept` does not take is contradicted at once.
template <typename Accept>
DnsMessage read_dns_message(Bytes bytes, std::size_t length, Accept accept) noexcept {
    constexpr std::size_t kMostItems = 16;
    constexpr std::size_t kLeastQuestion = 5, kLeastRecord = 11;
    constexpr unsigned kTruncated = 0x0200;
    DnsMessage message;
    ByteReader reader(bytes);
    message.id = reader.be16();
    message.flags = reader.be16();
    message.questions = reader.be16();
    message.answers = reader.be16();
    message.authorities = reader.be16();
    message.additionals = reader.be16();
    const bool cut = bytes.size() < length;
    if (!accept(message)) {
        return message;
    }
    // Counts that were not kept are none so far.
    const std::size_t room =
        kDnsHeader + message.questions * kLeastQuestion +
        ((message.flags & kTruncated) != 0 ? 0 : message.records() * kLeastRecord);
    if (room > length) {
        return message;
    }
    if (!reader.ok()) {
        message.reading = cut ? Reading::cut : Reading::contradicts;
        return message;
    }
    const std::size_t items = message.questions + message.records();
    std::size_t item = 0;
    for (; item < items && item < kMostItems; ++item) {
        const bool question = item < message.questions;
        const dns_detail::Step step =
            dns_detail::read_item(reader, message, length, question, item == 0);
        if (step == dns_detail::Step::malformed) {
            return message;
        }
        if (step != dns_detail::Step::read) {
            // A record's data may run past what was kept, never past the message; a truncated
            // answer may end anywhere behind its question.
            const bool excused = (cut && step == dns_detail::Step::ended) ||
                                 ((message.flags & kTruncated) != 0 && !question);
            message.reading = !excused                 ? Reading::contradicts
                              : message.first_end != 0 ? Reading::fits
                                                       : Reading::cut;
            return message;
        }
        if (question && item == 0) {
            message.question = bytes.first(reader.position()).subspan(kDnsHeader);
        }
    }
    message.reading = Reading::fits;
    message.exact = item == items && reader.position() == length;
    return message;
}

inline DnsMessage read_dns_message(Bytes bytes, std::size_t length) noexcept {
    return read_dns_message(bytes, length, [](const DnsMessage& /*header*/) { return true; });
}

// Bits of a name: a quarter of all octets are letters, digits, hyphens or underscores, two bits
// each, of which one is counted; a name with other octets proves only its chain of lengths.
inline double dns_name_bits(const DnsName& name) noexcept {
    constexpr std::size_t kMost = 16;
    if (name.octets == 0) {
        return 1;
    }
    return name.plain == name.octets ? static_cast<double>(std::min(name.octets, kMost)) : 4;
}

// Octets of the first name that a check on it claims: a name with other octets than a host's proves
// no more than its lengths, and the first is shown.
inline std::size_t dns_name_claim(const DnsMessage& message) noexcept {
    return message.name.plain == message.name.octets ? message.first_end - 4 - kDnsHeader : 1;
}

}  // namespace flowclass::fingerprint
