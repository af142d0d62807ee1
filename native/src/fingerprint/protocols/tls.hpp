// TLS and SSL 3.0 over TCP, and the hello of SSL 2.0 (RFC 8446 §5.1, §4.1; RFC 5246 §6.2, §7.4;
// RFC 6101; RFC 5246 appendix E.2).
//
// Record, at the stream's start and one after another:
//  0       1           3         5
// | type  | 03 00-04  | length  | fragment ...      type 20 cipher spec, 21 alert, 22 handshake,
//                                                   23 data, 24 heartbeat; length up to 2^14 + 2048
// Hello, at 5: u8 type 1 or 2 | u24 length | 03 00-03 | 32 random | u8 n, session id |
//   client: u16 n, cipher suites | u8 n, compression methods | u16 n, extensions
//   server: u16 cipher suite | u8 compression | u16 n, extensions
// SSL 2.0: u16 0x8000 + length | u8 1 | version | u16 suites | u16 session | u16 challenge | ...
//
// A stream whose start was not seen may still begin with a record; its lengths then have to meet.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::tls {

inline constexpr Rule kRecord{"tls.record",
                              "a record of type 20 to 24, version 3.0 to 3.4 and a permitted "
                              "length; RFC 8446 §5.1"};
inline constexpr Rule kHello{"tls.hello",
                             "a client or server hello whose length and the record's agree; RFC "
                             "8446 §4"};
inline constexpr Rule kClientBody{"tls.client_hello",
                                  "suites, null compression and extensions fill the client hello; "
                                  "RFC 8446 §4.1.2"};
inline constexpr Rule kServerBody{
    "tls.server_hello",
    "one suite, one compression and extensions fill the server hello; "
    "RFC 8446 §4.1.3"};
inline constexpr Rule kSessionEcho{"tls.session_echo",
                                   "the server repeats the client's session id; RFC 8446 §4.1.3, "
                                   "RFC 5246 §7.4.1.3"};
inline constexpr Rule kAlert{"tls.alert",
                             "a clear alert: two octets, level 1 or 2, a known description; RFC "
                             "8446 §6"};
inline constexpr Rule kChain{"tls.chain",
                             "a further record begins where the record before ends; RFC 8446 §5.1"};
inline constexpr Rule kSegmentEnd{"tls.segment_end",
                                  "the last record that was looked at ends where a segment ends; "
                                  "RFC 8446 §5.1"};
inline constexpr Rule kOldHello{"tls.ssl2_hello",
                                "an SSL 2.0 hello whose three lengths fill it; RFC 5246 appendix "
                                "E.2"};

inline constexpr std::array<std::uint16_t, 5> kPorts{443, 8443, 993, 995, 465};
inline constexpr std::array<const Rule*, 9> kRules{&kRecord,
                                                   &kHello,
                                                   &kClientBody,
                                                   &kServerBody,
                                                   &kSessionEcho,
                                                   &kAlert,
                                                   &kChain,
                                                   &kSegmentEnd,
                                                   &kOldHello};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "tls",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Transport Layer Security",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 8446, RFC 5246, RFC 6101",
                                      .leads = LinkKind::tls};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::range(0x14, 0x18) | ByteSet::range(0x80, 0xff)};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Bytes, 2> session{};
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Bytes stream = head.stream(direction);
            if (stream.size() < 5) {
                continue;
            }
            if ((stream[0] & 0x80U) != 0) {
                add_old_hello(evidence, head, direction);
                continue;
            }
            if (!add_records(evidence, head, direction, session[index_of(direction)])) {
                return {};
            }
        }
        add_session_echo(evidence, head, session);
        return evidence;
    }

  private:
    struct Record {
        std::uint8_t type = 0;
        std::uint16_t length = 0;
        std::size_t end = 0;
        bool whole = false;  // its header is within the kept stream
        bool ok = false;
    };

    static Record read(Bytes stream, std::size_t offset) noexcept {
        ByteReader reader = at(stream, offset);
        Record record;
        record.type = reader.u8();
        const std::uint8_t major = reader.u8();
        const std::uint8_t minor = reader.u8();
        record.length = reader.be16();
        record.whole = reader.ok();
        record.end = offset + 5 + record.length;
        record.ok = record.whole && record.type >= 20 && record.type <= 24 && major == 3 &&
                    minor <= 4 && record.length > 0 && record.length <= 16384 + 2048 &&
                    (record.type != 20 || record.length == 1);
        return record;
    }

    // False when this direction cannot be TLS.
    static bool add_records(Evidence& evidence,
                            const FlowHead& head,
                            Direction direction,
                            Bytes& session) noexcept {
        const Bytes stream = head.stream(direction);
        Record record = read(stream, 0);
        if (!record.ok) {
            // A stream that was caught in the middle says nothing; one seen from its start does.
            return !head.from_stream_start[index_of(direction)];
        }
        if (record.type == 21 && record.length == 2 && stream.size() >= 7) {
            if (stream[5] < 1 || stream[5] > 2 || stream[6] > 121) {
                return false;
            }
            evidence.add_stream(kAlert, head, direction, 5, 2, 24);
        }
        // 5 types, the major version, 5 minor ones, 18432 lengths: their high octet says that.
        evidence.add_stream(kRecord, head, direction, 0, 4, 21);
        if (record.type == 22) {
            add_hello(evidence, head, direction, record, session);
        }
        for (std::size_t count = 1; count < 8; ++count) {
            const Record next = read(stream, record.end);
            if (!next.whole) {
                break;
            }
            if (!next.ok) {
                return false;
            }
            evidence.add_stream(kChain, head, direction, record.end, 4, count < 4 ? 21 : 2);
            record = next;
        }
        add_segment_end(evidence, head, direction, record);
        return true;
    }

    static void add_segment_end(Evidence& evidence,
                                const FlowHead& head,
                                Direction direction,
                                const Record& record) noexcept {
        if (is_segment_end(head, direction, record.end)) {
            // At most 8 ends among 18432 lengths, but short messages fill segments anyway.
            const std::size_t at_length = record.end - record.length - 2;
            add_at(evidence, kSegmentEnd, head, {direction, 0, at_length}, 0, 2, 8);
        }
    }

    static void add_hello(Evidence& evidence,
                          const FlowHead& head,
                          Direction direction,
                          const Record& record,
                          Bytes& session) noexcept {
        ByteReader reader(head.stream(direction));
        reader.skip(5);
        const std::uint8_t type = reader.u8();
        const std::uint32_t length = reader.be24();
        const std::uint8_t major = reader.u8();
        const std::uint8_t minor = reader.u8();
        reader.skip(32);
        const std::uint8_t session_length = reader.u8();
        const std::size_t begin = reader.position();
        const Bytes id = reader.bytes(session_length);
        // A client's hello may go on in the next record, a server's be followed in its own.
        const bool agrees = type == 1 ? length + 4 >= record.length : length + 4 <= record.length;
        if (!reader.ok() || (type != 1 && type != 2) || !agrees || length > 0xffff || major != 3 ||
            minor > 4 || session_length > 32 || length < begin - 9 + session_length) {
            return;
        }
        // Type, an octet of zero, lengths that agree, the version, the id's length.
        evidence.add_stream(kHello, head, direction, 5, 6, length + 4 == record.length ? 43 : 33);
        session = id;
        add_body(evidence, head, direction, length + 9, reader);
        const Direction client = type == 1 ? direction : opposite(direction);
        evidence.set_initiator(client);
    }

    // What is behind the session id; `end` is where the hello ends in the stream.
    static void add_body(Evidence& evidence,
                         const FlowHead& head,
                         Direction direction,
                         std::size_t end,
                         ByteReader reader) noexcept {
        const bool client = at(head.stream(direction), 5).u8() == 1;
        const std::size_t begin = reader.position();
        if (client) {
            const std::uint16_t suites = reader.be16();
            if (suites == 0 || suites % 2 != 0) {
                return;
            }
            reader.skip(suites);
            const std::uint8_t methods = reader.u8();
            reader.skip(methods);
            if (methods == 0) {
                return;
            }
        } else {
            reader.skip(2);
            if (reader.u8() > 1) {
                return;
            }
        }
        if (!reader.ok()) {
            return;
        }
        const std::size_t at_extensions = reader.position();
        if (at_extensions == end && client) {
            evidence.add_stream(kClientBody, head, direction, begin, 2, 16);
            return;
        }
        if (at_extensions == end) {
            // The session id's length leads to the end; one compression method of two.
            evidence.add_stream(kServerBody, head, direction, 43, 1, 8);
            evidence.add_stream(kServerBody, head, direction, begin + 2, 1, 7);
            return;
        }
        const std::uint16_t extensions = reader.be16();
        if (reader.ok() && reader.position() + extensions == end) {
            evidence.add_stream(client ? kClientBody : kServerBody,
                                head,
                                direction,
                                at_extensions,
                                2,
                                client ? 24 : 20);
        }
    }

    static void add_session_echo(Evidence& evidence,
                                 const FlowHead& head,
                                 const std::array<Bytes, 2>& session) noexcept {
        if (session[0].size() >= 8 && session[0].size() == session[1].size() &&
            std::equal(session[0].begin(), session[0].end(), session[1].begin())) {
            const bool forward_answers = at(head.stream(Direction::forward), 5).u8() == 2;
            evidence.add_stream(kSessionEcho,
                                head,
                                forward_answers ? Direction::forward : Direction::reverse,
                                44,
                                session[0].size(),
                                64);
        }
    }

    static void add_old_hello(Evidence& evidence,
                              const FlowHead& head,
                              Direction direction) noexcept {
        ByteReader reader(head.stream(direction));
        const std::uint16_t length = reader.be16() & 0x7fffU;
        const std::uint8_t type = reader.u8();
        const std::uint16_t version = reader.be16();
        const std::uint16_t suites = reader.be16();
        const std::uint16_t session = reader.be16();
        const std::uint16_t challenge = reader.be16();
        const bool known = version == 2 || (version >= 0x0300 && version <= 0x0303);
        if (reader.ok() && type == 1 && known && suites > 0 && suites % 3 == 0 &&
            (session == 0 || session == 16) && challenge >= 16 && challenge <= 32 &&
            length == 9U + suites + session + challenge) {
            // Type 8, version 13, lengths 1.6 + 15 + 12 + 16.
            evidence.add_stream(kOldHello, head, direction, 0, 11, 64);
            evidence.set_initiator(direction);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tls
