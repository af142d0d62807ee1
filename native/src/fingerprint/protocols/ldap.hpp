// LDAP version 2 and 3 over TCP (RFC 4511 §4) and connectionless LDAP over UDP (RFC 1798), in BER.
//
// 30 len { 02 len message id | operation: tag, len | A0 len controls, seldom }
//   bind request       60 { 02 01 version | 04 len name | 80 or A3 credentials }
//   search request     63 { 04 len base | 0A 01 scope 0..3 | 0A 01 deref 0..3 | 02 size | 02 time |
//   01 01 } results 61 65 67 69 6B 6D 6F 78 { 0A 01 code | 04 len matched | 04 len text } search
//   entry       64 { 04 len name | 30 len attributes } unbind 42 (length 0), abandon 50, extended
//   request 77 { 80 len oid }
// Messages chain; answers carry the id of the request.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/ber.hpp"
#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::ldap {

inline constexpr Rule kMessage{
    "ldap.message",
    "a SEQUENCE with a message id and a known operation that ends with it; RFC 4511 §4.1.1"};
inline constexpr Rule kLength{"ldap.length",
                              "the message ends with its datagram or segment; RFC 4511 §5.1"};
inline constexpr Rule kBind{"ldap.bind_request",
                            "version 2 or 3, a name, credentials; RFC 4511 §4.2"};
inline constexpr Rule kSearch{"ldap.search_request",
                              "base, scope and alias handling of their ranges; RFC 4511 §4.5.1"};
inline constexpr Rule kResult{"ldap.result", "result code, matched name; RFC 4511 §4.1.9"};
inline constexpr Rule kEntry{"ldap.search_entry", "a name, then attributes; RFC 4511 §4.5.2"};
inline constexpr Rule kOid{"ldap.extended", "an object id in digits; RFC 4511 §4.12"};
inline constexpr Rule kAnswer{
    "ldap.answer", "an answer of the request's kind with its message id; RFC 4511 §4.1.1"};
inline constexpr Rule kPort{"ldap.port", "port 389 or 3268 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{389, 3268};
inline constexpr std::array<std::string_view, 2> kVariants{"ldap", "cldap"};
inline constexpr std::array<const Rule*, 9> kRules{
    &kMessage, &kLength, &kBind, &kSearch, &kResult, &kEntry, &kOid, &kAnswer, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ldap",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Lightweight Directory Access Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 4511, RFC 1798"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp, kUdp}, .first_bytes = ByteSet::of({0x30}), .least_length = 2};

    static Evidence match(const FlowHead& head) noexcept {
        Conversation seen;
        Tally tally;
        if (head.ip_proto == kTcp) {
            read_stream(head, Direction::forward, seen, tally);
            read_stream(head, Direction::reverse, seen, tally);
        } else {
            for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
                const Payload payload = head.payload(entry);
                if (payload.length == 0) {
                    continue;
                }
                const Place place{payload.direction, entry, 0};
                Message one = read(place, payload.bytes, payload.length);
                // A datagram may hold the answer's entries and its end one after another.
                if (one.reading == Reading::fits && one.length > payload.length) {
                    one.reading = Reading::contradicts;
                }
                keep(one, seen, tally);
            }
        }
        return tally.holds() && seen.count > 0 ? judge(head, seen) : Evidence{};
    }

  private:
    // Octets of the operation's contents that were compared, and what they are worth.
    struct Span {
        std::size_t at = 0;
        std::size_t length = 0;
        double bits = 0;
    };
    struct Body {
        const Rule* rule = nullptr;  // which rule the contents fulfil
        std::array<Span, 2> spans{};
    };

    struct Message {
        Reading reading = Reading::contradicts;
        Place place;
        std::uint32_t id = 0;
        std::uint8_t operation = 0;
        std::size_t id_at = 0;  // contents of the id
        std::size_t operation_at = 0;
        std::size_t contents_at = 0;  // of the operation
        Body body;
        std::size_t length = 0;
        std::size_t length_octets = 0;  // that say so, behind the tag
    };
    struct Conversation {
        std::array<Message, kMaxEntries> messages;
        std::size_t count = 0;
    };

    static void keep(const Message& one, Conversation& seen, Tally& tally) noexcept {
        tally.add(one.reading);
        if (one.reading == Reading::fits && seen.count < kMaxEntries) {
            seen.messages[seen.count++] = one;
        }
    }

    // The first message must fit; behind a bind the stream may go on in SASL's or TLS's framing.
    static void read_stream(const FlowHead& head,
                            Direction direction,
                            Conversation& seen,
                            Tally& tally) noexcept {
        constexpr std::size_t kMostMessages = 6;
        const Bytes stream = head.stream(direction);
        std::size_t offset = 0;
        for (std::size_t message = 0; message < kMostMessages && offset + 2 < stream.size();
             ++message) {
            const Bytes rest = stream.subspan(offset);
            // What was kept of a stream is never known to be all of it.
            const Message one = read({direction, 0, offset}, rest, SIZE_MAX);
            if (message == 0 || one.reading == Reading::fits) {
                keep(one, seen, tally);
            }
            if (one.reading != Reading::fits) {
                return;
            }
            offset += one.length;
        }
    }

    static bool is_request(std::uint8_t operation) noexcept {
        return operation == 0x60 || operation == 0x63 || operation == 0x66 || operation == 0x68 ||
               operation == 0x4a || operation == 0x6c || operation == 0x6e || operation == 0x77 ||
               operation == 0x42 || operation == 0x50;
    }
    static bool is_result(std::uint8_t operation) noexcept {
        return operation == 0x61 || operation == 0x65 || operation == 0x67 || operation == 0x69 ||
               operation == 0x6b || operation == 0x6d || operation == 0x6f || operation == 0x78;
    }
    static bool is_operation(std::uint8_t operation) noexcept {
        return is_request(operation) || is_result(operation) || operation == 0x64 ||
               operation == 0x73 || operation == 0x79;
    }

    static Message read(const Place& place, Bytes bytes, std::size_t wire) noexcept {
        Message one;
        one.place = place;
        ByteReader reader(bytes);
        const BerItem whole = read_ber(reader);
        one.length = whole.end();
        one.length_octets = whole.begin > 1 ? whole.begin - 1 : 0;
        const BerInteger id = read_ber_integer(reader);
        one.id = id.value;
        one.id_at = id.begin;
        one.operation_at = reader.position();
        const BerItem operation = read_ber(reader);
        one.operation = operation.tag;
        one.contents_at = operation.begin;
        if (!reader.ok()) {
            const bool began = bytes.empty() || bytes[0] == 0x30;
            one.reading = began && bytes.size() < wire ? Reading::cut : Reading::contradicts;
            return one;
        }
        if (whole.tag != 0x30 || !id.valid || !is_operation(operation.tag) ||
            operation.end() > whole.end() || (operation.tag == 0x42 && operation.length != 0)) {
            return one;
        }
        if (operation.end() < whole.end() && operation.end() < bytes.size() &&
            bytes[operation.end()] != 0xa0) {
            return one;
        }
        reader.limit(operation.length);
        read_body(reader, one);
        one.reading = Reading::fits;
        return one;
    }

    // Contents that do not fit, or were cut, add nothing; the envelope stands for itself.
    static void read_body(ByteReader& reader, Message& one) noexcept {
        const std::size_t begin = reader.position();
        std::size_t middle = begin;  // where the first text's contents begin
        Body body;
        auto& [first, second] = body.spans;
        bool fits = false;
        if (one.operation == 0x60) {
            body.rule = &kBind;
            const BerInteger version = read_ber_integer(reader);
            fits = version.valid && version.value >= 2 && version.value <= 3 &&
                   skip_text(reader, middle);
            // Tag, length and value of the version, tag and length of the name.
            first = {begin, middle - begin, 15};
            second = {reader.position(), 1, 3};
            const std::uint8_t credentials = reader.u8();
            fits = fits && credentials >= 0x80 && credentials <= 0xab;
        } else if (one.operation == 0x63) {
            body.rule = &kSearch;
            fits = skip_text(reader, middle);
            first = {begin, middle - begin, 6};
            second = {reader.position(), 6, 12};
            const BerInteger scope = read_ber_integer(reader, 0x0a);
            const BerInteger aliases = read_ber_integer(reader, 0x0a);
            fits = fits && scope.valid && scope.value <= 3 && aliases.valid && aliases.value <= 3;
        } else if (is_result(one.operation)) {
            body.rule = &kResult;
            const BerInteger code = read_ber_integer(reader, 0x0a);
            const std::size_t text_at = reader.position();
            fits = code.valid && code.length <= 2 && skip_text(reader, middle);
            first = {begin, code.begin - begin, 10};
            second = {text_at, middle - text_at, 8};
        } else if (one.operation == 0x64) {
            body.rule = &kEntry;
            fits = skip_text(reader, middle);
            first = {begin, middle - begin, 10};
            second = {reader.position(), 1, 8};
            fits = fits && read_ber(reader).tag == 0x30;
        } else if (one.operation == 0x77) {
            body.rule = &kOid;
            const BerItem oid = read_ber(reader);
            const Bytes text = reader.bytes(oid.length);
            fits = oid.tag == 0x80 && text.size() > 4;
            for (const std::uint8_t octet : text) {
                fits = fits && ((octet >= '0' && octet <= '9') || octet == '.');
            }
            first = {begin, reader.position() - begin, 18};
        }
        if (fits && reader.ok()) {
            one.body = body;
        }
    }

    static bool skip_text(ByteReader& reader, std::size_t& contents_at) noexcept {
        const BerItem text = read_ber(reader);
        contents_at = text.begin;
        reader.skip(text.length);
        return text.tag == 0x04;
    }

    static Evidence judge(const FlowHead& head, const Conversation& seen) noexcept {
        Evidence evidence;
        std::array<std::size_t, 2> said{};
        bool answered = false;
        for (std::size_t index = 0; index < seen.count; ++index) {
            const Message& one = seen.messages[index];
            if (said[index_of(one.place.direction)]++ < 2) {
                add_form(evidence, head, one);
            }
            if (!answered && is_answered(seen, index)) {
                answered = true;
                // The kind: 4; the id: 8, since it counts up from 1.
                add_at(evidence,
                       kAnswer,
                       head,
                       one.place,
                       one.id_at,
                       one.operation_at + 1 - one.id_at,
                       12);
            }
            if (is_request(one.operation) || is_result(one.operation)) {
                evidence.set_initiator(is_request(one.operation) ? one.place.direction
                                                                 : opposite(one.place.direction));
            }
        }
        if (head.has_port(389) || head.has_port(3268)) {
            add_port(evidence, kPort, head);
        }
        evidence.set_variant(head.ip_proto == kTcp ? "ldap" : "cldap");
        return evidence;
    }

    static void add_form(Evidence& evidence, const FlowHead& head, const Message& one) noexcept {
        // Two tags 16, an id length of 1 to 5: 4.
        add_at(evidence, kMessage, head, one.place, 0, one.id_at, 20);
        // One operation of 20 in 256: 3, whose length ends with the message: 7.
        add_at(evidence,
               kMessage,
               head,
               one.place,
               one.operation_at,
               one.contents_at - one.operation_at,
               10);
        const bool ends =
            head.ip_proto == kTcp
                ? is_segment_end(head, one.place.direction, one.place.offset + one.length)
                : head.entries[one.place.entry].length == one.length;
        if (ends) {
            // What the message's length says beyond that the operation ends there.
            add_at(evidence, kLength, head, one.place, 1, one.length_octets, 8);
        }
        // Two or three tags with lengths that lead from one to the next.
        for (const Span& span : one.body.spans) {
            if (one.body.rule != nullptr && span.length > 0) {
                add_at(evidence, *one.body.rule, head, one.place, span.at, span.length, span.bits);
            }
        }
    }

    static bool is_answered(const Conversation& seen, std::size_t answer) noexcept {
        const Message& said = seen.messages[answer];
        for (std::size_t index = 0; index < seen.count; ++index) {
            const Message& asked = seen.messages[index];
            const bool kind =
                said.operation == asked.operation + 1 ||
                (asked.operation == 0x63 &&
                 (said.operation == 0x64 || said.operation == 0x65 || said.operation == 0x73)) ||
                (asked.operation == 0x4a && said.operation == 0x6b);
            if (kind && is_request(asked.operation) && asked.id == said.id &&
                asked.place.direction != said.place.direction) {
                return true;
            }
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ldap
