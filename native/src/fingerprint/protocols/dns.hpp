// DNS over UDP and TCP (RFC 1035 §4; RFC 6891 for EDNS, RFC 1996 NOTIFY, RFC 2136 UPDATE).
//
// UDP: one message a datagram. TCP: be16 length before each message (RFC 1035 §4.2.2, RFC 7766).
//  0        2                     4        6        8        10       12
// | id     | QR opcode AA TC RD RA Z AD CD rcode | qdcount | ancount | nscount | arcount | question
// question: name as labels, type be16, class be16; then records up to the end of the message.
//
// An answer repeats the question's id and, octet for octet, the question. mDNS and LLMNR have the
// same form; on their ports a message is left to them unless it has RD or RA, which they forbid.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/dns_message.hpp"
#include "fingerprint/few.hpp"
#include "head/head_policy.hpp"

namespace flowclass::fingerprint::dns {

inline constexpr Rule kQuery{"dns.query_header",
                             "a query's flags, one question, no answers; RFC 1035 §4.1.1"};
inline constexpr Rule kAnswer{"dns.answer_header",
                              "an answer's flags, at most one question, counts that its length has "
                              "room for; RFC 1035 §4.1.1"};
inline constexpr Rule kName{"dns.question_name",
                            "labels of at most 63 octets chain to a root; RFC 1035 §3.1"};
inline constexpr Rule kType{"dns.question_type",
                            "assigned type and class behind the name; RFC 1035 §3.2"};
inline constexpr Rule kEnd{"dns.end", "the sections end where the message ends; RFC 1035 §4.1"};
inline constexpr Rule kLength{"dns.tcp_length",
                              "the length prefix leads to the end of a segment; RFC 1035 §4.2.2"};
inline constexpr Rule kIdEcho{"dns.id_echo", "the answer has the question's id; RFC 1035 §4.1.1"};
inline constexpr Rule kQuestionEcho{"dns.question_echo",
                                    "the answer repeats the question; RFC 1035 §4.1.2"};
inline constexpr Rule kPort{"dns.port", "port 53 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{53};
inline constexpr std::array<const Rule*, 9> kRules{
    &kQuery, &kAnswer, &kName, &kType, &kEnd, &kLength, &kIdEcho, &kQuestionEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dns",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Domain Name System",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 1035, RFC 7766, RFC 6891, RFC 2136"};
    // A TCP segment may hold the length prefix alone.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp, kTcp},
                                         .least_length = 2,
                                         // One question or none.
                                         .octets = {{{4, ByteSet::of({0}), kUdp},
                                                     {5, ByteSet::of({0, 1}), kUdp},
                                                     {6, ByteSet::of({0}), kTcp},
                                                     {7, ByteSet::of({0, 1}), kTcp}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!is_worth_reading(head)) {
            return {};
        }
        Conversation seen;
        Tally tally;
        if (head.ip_proto == kTcp) {
            for (const Direction direction : {Direction::forward, Direction::reverse}) {
                read_stream(head, direction, seen, tally);
            }
        } else {
            for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
                const Payload payload = head.payload(entry);
                if (payload.length > 0) {
                    read_one(head,
                             {payload.direction, entry, 0},
                             payload.bytes,
                             payload.length,
                             seen,
                             tally);
                }
            }
        }
        return tally.holds() || is_cut_off(tally, seen) ? judge(head, seen) : Evidence{};
    }

  private:
    struct Seen {
        DnsMessage message;
        Place place;
        std::size_t length = 0;
        std::size_t kept = 0;  // less than the length where the question was cut

        [[nodiscard]] bool is_cut() const noexcept { return kept < length; }
    };
    // A snap length may leave no more than id, flags and the counts of questions and answers: TCP
    // over IPv6 in 96 octets does.
    static constexpr std::size_t kLeastCut = 8;
    using Conversation = Few<Seen, kMaxEntries>;

    // What the capture has left of a message is its header's beginning, or that and a host's name.
    static bool is_begun(const DnsMessage& message, Bytes bytes) noexcept {
        const DnsName& name = message.cut_name;
        return bytes.size() >= kLeastCut &&
               (bytes.size() <= kDnsHeader || (name.octets > 0 && name.plain == name.octets));
    }

    // Cut by the capture and not by what is kept of a payload: less is there than is always kept.
    static bool is_cut_by_capture(const FlowHead& head, Bytes bytes, Direction direction) noexcept {
        return head.truncated &&
               (head.ip_proto == kTcp ? head.kept[index_of(direction)].size() < head::kSmallBytes
                                      : bytes.size() < head::kPrefix);
    }

    // Nothing was seen whole, and nothing contradicts.
    static bool is_cut_off(const Tally& tally, const Conversation& seen) noexcept {
        return !tally.fits_any() && !tally.contradicts_any() && seen.size() > 0;
    }

    // Most flows end here: neither side's first message has one question, or none, and a zero Z.
    static bool is_worth_reading(const FlowHead& head) noexcept {
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t entry = head.next(direction);
            if (entry < kMaxEntries) {
                const bool tcp = head.ip_proto == kTcp;
                ByteReader reader =
                    at(tcp ? head.stream(direction) : head.payload(entry).bytes, tcp ? 4 : 2);
                const std::uint16_t flags = reader.be16();
                if (reader.be16() <= 1 && reader.ok() && (flags & 0x0040U) == 0) {
                    return true;
                }
            }
        }
        return false;
    }

    static void read_one(const FlowHead& head,
                         const Place& place,
                         Bytes bytes,
                         std::size_t length,
                         Conversation& seen,
                         Tally& tally) noexcept {
        const DnsMessage message = read_dns_message(
            bytes, length, [&](const DnsMessage& header) { return is_dns(head, header); });
        tally.add(message.reading);
        if (message.reading == Reading::fits) {
            seen.add({message, place, length, length});
        } else if (message.reading == Reading::cut && is_begun(message, bytes) &&
                   is_cut_by_capture(head, bytes, place.direction)) {
            seen.add({message, place, length, bytes.size()});
        }
    }

    // Messages one after another; what lies beyond the kept octets says nothing.
    static void read_stream(const FlowHead& head,
                            Direction direction,
                            Conversation& seen,
                            Tally& tally) noexcept {
        constexpr std::size_t kMostMessages = 4;
        const Bytes stream = head.stream(direction);
        const std::size_t known = stream_length(head, direction);
        std::size_t offset = 0;
        for (std::size_t message = 0; message < kMostMessages; ++message) {
            ByteReader reader = at(stream, offset);
            const std::size_t length = reader.be16();
            if (!reader.ok() || reader.remaining() == 0) {
                // Two octets of a first message, or a boundary: nothing to read yet.
                return;
            }
            if (length < kDnsHeader) {
                tally.add(Reading::contradicts);
                return;
            }
            reader.limit(length);
            read_one(head, {direction, 0, offset + 2}, reader.rest(), length, seen, tally);
            offset += 2 + length;
            if (offset >= known || offset >= stream.size()) {
                return;
            }
        }
    }

    static bool is_dns(const FlowHead& head, const DnsMessage& message) noexcept {
        constexpr unsigned kRecursion = 0x0180;  // RD, RA
        constexpr unsigned kReservedZ = 0x0040;
        const bool own_port = head.has_port(53);
        const bool others_port = head.has_port(5353) || head.has_port(5355);
        if (!own_port && others_port && (message.flags & kRecursion) == 0) {
            return false;
        }
        // The NetBIOS name service (RFC 1002) has the form too, and may set both.
        if (!own_port && head.has_port(137)) {
            return false;
        }
        // QUERY, IQUERY, STATUS, NOTIFY, UPDATE (IANA "DNS OpCodes").
        const unsigned opcode = message.opcode();
        const unsigned rcode = message.flags & 15U;
        if (opcode > 5 || opcode == 3 || (message.flags & kReservedZ) != 0 || rcode > 11) {
            return false;
        }
        if (message.response()) {
            // Errors may leave the question out.
            return message.questions == 1 || (message.questions == 0 && rcode != 0);
        }
        const bool plain = opcode != 0 || (message.answers == 0 && message.authorities <= 1);
        return message.questions == 1 && rcode == 0 && plain && message.additionals <= 4;
    }

    static Evidence judge(const FlowHead& head, const Conversation& seen) noexcept {
        Evidence evidence;
        std::array<bool, 2> said{};
        bool echoed = false;
        bool proven = false;
        for (std::size_t index = 0; index < seen.size(); ++index) {
            const Seen& one = seen[index];
            bool& by_this_side = said[index_of(one.place.direction)];
            if (!by_this_side && one.message.questions == 1) {
                by_this_side = true;
                proven = true;
                one.is_cut() ? add_cut_form(evidence, head, one) : add_form(evidence, head, one);
            }
            if (!echoed && one.message.response()) {
                echoed = add_echo(evidence, head, seen, index);
            }
        }
        if (!proven) {
            return {};
        }
        if (head.has_port(53)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

    static void add_form(Evidence& evidence, const FlowHead& head, const Seen& one) noexcept {
        const DnsMessage& message = one.message;
        if (message.response()) {
            evidence.set_initiator(opposite(one.place.direction));
            // Opcode, Z and rcode: 4; qdcount: 14 of 16, ones and zeros being common; the other
            // counts bounded by the length: 6.
            add_at(evidence, kAnswer, head, one.place, 2, 10, 24);
        } else {
            evidence.set_initiator(one.place.direction);
            // QR, opcode, Z, rcode and mostly AA, TC, RA: 6 to 10; four counts of nearly fixed
            // value, zeros being common elsewhere: 20 of 64.
            const bool usual = (message.flags & ~0x0130U) == 0;
            add_at(evidence, kQuery, head, one.place, 2, 10, usual ? 30 : 26);
        }
        add_at(evidence,
               kName,
               head,
               one.place,
               kDnsHeader,
               dns_name_claim(message),
               dns_name_bits(message.name));
        // About 450 types and 5 classes of 65536: 20; types and classes are small numbers: 14.
        add_at(evidence, kType, head, one.place, message.first_end - 4, 4, 14);
        if (message.exact) {
            add_at(evidence, kEnd, head, one.place, one.length - 1, 0, 6);
        }
        add_length(evidence, head, one);
    }

    // What a snap length has left of a question: its header, or the first eight octets of it, and
    // the beginning of a name.
    static void add_cut_form(Evidence& evidence, const FlowHead& head, const Seen& one) noexcept {
        const DnsMessage& message = one.message;
        const std::size_t header = std::min(one.kept, kDnsHeader);
        const bool whole_header = header == kDnsHeader;
        if (message.response()) {
            evidence.set_initiator(opposite(one.place.direction));
            // As of a whole message, and without the last two counts.
            add_at(evidence, kAnswer, head, one.place, 2, header - 2, whole_header ? 24 : 18);
        } else {
            evidence.set_initiator(one.place.direction);
            const bool usual = (message.flags & ~0x0130U) == 0;
            const double bits = usual ? 30 : 26;
            add_at(
                evidence, kQuery, head, one.place, 2, header - 2, whole_header ? bits : bits - 10);
        }
        const DnsName& name = message.cut_name;
        if (name.octets > 0) {
            add_at(evidence,
                   kName,
                   head,
                   one.place,
                   kDnsHeader,
                   message.cut_name_end - kDnsHeader,
                   dns_name_bits(name));
        }
        add_length(evidence, head, one);
    }

    static void add_length(Evidence& evidence, const FlowHead& head, const Seen& one) noexcept {
        if (head.ip_proto == kTcp &&
            is_segment_end(head, one.place.direction, one.place.offset + one.length)) {
            const Place prefix{one.place.direction, 0, one.place.offset - 2};
            add_at(evidence, kLength, head, prefix, 0, 2, 10);
        }
    }

    static bool add_echo(Evidence& evidence,
                         const FlowHead& head,
                         const Conversation& seen,
                         std::size_t answer) noexcept {
        const Seen& said = seen[answer];
        for (std::size_t index = 0; index < seen.size(); ++index) {
            const Seen& asked = seen[index];
            if (asked.message.response() || asked.place.direction == said.place.direction ||
                asked.message.id != said.message.id) {
                continue;
            }
            const Bytes question = said.message.question;
            const bool same = !question.empty() && std::equal(question.begin(),
                                                              question.end(),
                                                              asked.message.question.begin(),
                                                              asked.message.question.end());
            const bool cut = said.is_cut() || asked.is_cut();
            if (!same && said.message.questions != 0 && !cut) {
                continue;
            }
            add_at(evidence, kIdEcho, head, said.place, 0, 2, 16);
            if (same) {
                // Its form is counted already: 4 of 8 bits an octet.
                const double bits =
                    4.0 * static_cast<double>(std::min<std::size_t>(question.size(), 12));
                add_at(
                    evidence, kQuestionEcho, head, said.place, kDnsHeader, question.size(), bits);
            }
            return true;
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dns
