// Cisco AnyConnect (OpenConnect, ocserv) over DTLS of the legacy version, UDP 443 or any: records
// as in DTLS 1.0, but their version is 01 00, OpenSSL's DTLS1_BAD_VER. No other protocol has it.
//
// Record: 0 type 20-23 | 1 01 00 | 3 epoch 2 | 5 sequence 6 | 11 length 2 | 13 fragment
//  ClientHello:        13 type 1 | 14 length 3 | 17 message 2 | 19 offset 3 | 22 length 3 | 25 01
//  00
//                      27 random 32 | 59 32 | 60 session id, given over TLS before | 92 cookie ...
//  HelloVerifyRequest: 13 type 3 | ... | 25 01 00 | 27 length 1, cookie
//  ServerHello:        13 type 2 | ... | 25 01 00 | 27 random 32 | 59 32 | 60 the same session id
// The session is resumed: cipher spec and finished follow at once, no certificate. Data has
// epoch 1.
//
// Sources: openconnect dtls.c, openssl-dtls.c (DTLS1_BAD_VER); RFC 4347 §4; RFC 6347 §4.2.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::anyconnect {

inline constexpr Rule kRecord{"anyconnect.record",
                              "content type 20 to 23 and record version 01 00; openconnect "
                              "DTLS1_BAD_VER"};
inline constexpr Rule kChain{"anyconnect.chain",
                             "the records' lengths end where the datagram ends; RFC 4347 §4.1"};
inline constexpr Rule kEpoch{"anyconnect.epoch",
                             "epoch 0 with a small sequence number, or epoch 1 with one below "
                             "2^32; RFC 4347 §4.1"};
inline constexpr Rule kSequence{"anyconnect.sequence",
                                "the sequence number rises by 1 to 64 within the epoch; RFC 4347 "
                                "§4.1"};
inline constexpr Rule kHello{"anyconnect.hello",
                             "a hello of version 01 00 whose lengths agree; RFC 4347 §4.3.2"};
inline constexpr Rule kSessionId{"anyconnect.session_id",
                                 "the hello asks for a session of 32 octets; openconnect dtls.c"};
inline constexpr Rule kSessionEcho{"anyconnect.session_echo",
                                   "the server's hello has the client's session id; RFC 5246 "
                                   "§7.4.1.3"};
inline constexpr Rule kCookieEcho{"anyconnect.cookie_echo",
                                  "the client's hello has the server's cookie; RFC 6347 §4.2.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<std::string_view, 1> kVariants{"dtls-legacy"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kRecord, &kChain, &kEpoch, &kSequence, &kHello, &kSessionId, &kSessionEcho, &kCookieEcho};

inline constexpr std::uint16_t kVersion = 0x0100;
inline constexpr std::uint8_t kHandshake = 22;
inline constexpr std::uint8_t kData = 23;
inline constexpr std::size_t kRecordHeader = 13;
// An explicit nonce and a tag (RFC 5288 §3), the shortest of the ciphers: enough to judge.
inline constexpr std::size_t kLeastData = 24;
inline constexpr std::size_t kHelloVersion = 25;
inline constexpr std::size_t kSessionAt = 59;

struct Record {
    std::uint8_t type = 0;
    std::uint16_t epoch = 0;
    std::uint64_t sequence = 0;
    std::size_t end = 0;  // in the datagram
};

inline Reading read_record(const Payload& payload, std::size_t offset, Record& out) noexcept {
    ByteReader reader = at(payload.bytes, offset);
    out.type = reader.u8();
    const std::uint16_t version = reader.be16();
    out.epoch = reader.be16();
    out.sequence = std::uint64_t{reader.be16()} << 32U;
    out.sequence |= reader.be32();
    const std::uint16_t length = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    out.end = offset + kRecordHeader + length;
    constexpr std::uint16_t kMostFragment = 16384 + 2048;
    const bool fits = out.type >= 20 && out.type <= 23 && version == kVersion && length > 0 &&
                      length <= kMostFragment && out.end <= payload.length && out.epoch <= 1;
    return fits ? Reading::fits : Reading::contradicts;
}

class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept : head_(head) {}

    Evidence run() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            if (payload.length > 0 && !add_datagram(payload)) {
                return {};
            }
        }
        evidence_.set_variant(kVariants[0]);
        return evidence_;
    }

  private:
    struct Side {
        bool there = false;
        std::uint16_t epoch = 0;
        std::uint64_t sequence = 0;
        bool rose = false;
    };

    // False when this cannot be the protocol.
    bool add_datagram(const Payload& payload) noexcept {
        Record first;
        const Reading reading = read_record(payload, 0, first);
        if (reading != Reading::fits) {
            return reading == Reading::cut;
        }
        const Reading body = judge(payload, first);
        if (body != Reading::fits) {
            return body == Reading::cut;
        }
        Record record = first;
        Reading next = Reading::fits;
        while (record.end < payload.length && next == Reading::fits) {
            next = read_record(payload, record.end, record);
        }
        if (next == Reading::contradicts) {
            return false;
        }
        // Four types 6, the version 10: both octets are common ones.
        evidence_.add(kRecord, head_, payload.entry, 0, 3, records_ == 0 ? 16 : 4);
        if (next == Reading::fits) {
            evidence_.add(kChain, head_, payload.entry, 11, 2, records_ == 0 ? 16 : 6);
        }
        ++records_;
        add_sequence(payload, first);
        if (first.type == kHandshake && first.epoch == 0) {
            add_handshake(payload);
        }
        return true;
    }

    // What is in the record has to be seen: sealed octets, or a handshake message that lies in it.
    static Reading judge(const Payload& payload, const Record& record) noexcept {
        if (record.type == kData) {
            const Bytes body = part(payload.bytes, kRecordHeader, record.end);
            return body.size() < kLeastData ? ran_out(payload)
                   : is_plain(body)         ? Reading::contradicts
                                            : Reading::fits;
        }
        if (record.type != kHandshake || record.epoch != 0) {
            return Reading::fits;
        }
        ByteReader reader = at(payload.bytes, kRecordHeader);
        const std::uint8_t type = reader.u8();
        const std::uint32_t length = reader.be24();
        reader.skip(2);
        const std::uint32_t offset = reader.be24();
        const std::uint32_t fragment = reader.be24();
        const std::uint16_t version = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool lies = offset + fragment <= length && kHelloVersion + fragment <= record.end;
        const bool is_hello = type >= 1 && type <= 3 && offset == 0;
        return lies && (!is_hello || version == kVersion) ? Reading::fits : Reading::contradicts;
    }

    void add_sequence(const Payload& payload, const Record& record) noexcept {
        Side& side = sides_[index_of(payload.direction)];
        if (!side.there) {
            if (record.epoch == 0 && record.sequence < 256) {
                // Seven octets of zeros, two bits each and a little.
                evidence_.add(kEpoch, head_, payload.entry, 3, 7, 16);
            } else if (record.epoch == 1 && record.sequence < 1ULL << 32U) {
                evidence_.add(kEpoch, head_, payload.entry, 3, 4, 12);
            }
        } else if (record.epoch == side.epoch && record.sequence > side.sequence &&
                   record.sequence - side.sequence <= 64) {
            // A counter is not random: half of its 42 bits, once.
            evidence_.add(kSequence, head_, payload.entry, 3, 8, side.rose ? 6 : 20);
            side.rose = true;
        }
        side.there = true;
        side.epoch = record.epoch;
        side.sequence = record.sequence;
    }

    void add_handshake(const Payload& payload) noexcept {
        ByteReader reader = at(payload.bytes, kRecordHeader);
        const std::uint8_t type = reader.u8();
        const std::uint32_t length = reader.be24();
        const std::uint16_t message = reader.be16();
        const std::uint32_t offset = reader.be24();
        const std::uint32_t fragment = reader.be24();
        if (type < 1 || type > 3 || message > 8 || offset != 0 || fragment != length) {
            return;
        }
        // Three types 6, two lengths that agree 16, zeros 6, the version 8.
        evidence_.add(kHello, head_, payload.entry, kRecordHeader, 14, hellos_ == 0 ? 36 : 8);
        ++hellos_;
        const bool from_client = type == 1;
        evidence_.set_initiator(from_client ? payload.direction : opposite(payload.direction));
        if (type == 3) {
            cookie_ = at(payload.bytes, kHelloVersion + 2);
        } else {
            add_session(payload, from_client);
        }
    }

    void add_session(const Payload& payload, bool from_client) noexcept {
        constexpr std::size_t kSessionLength = 32;
        ByteReader reader = at(payload.bytes, kSessionAt);
        if (reader.u8() != kSessionLength) {
            return;
        }
        evidence_.add(kSessionId, head_, payload.entry, kSessionAt, 1, 6);
        const Bytes id = reader.bytes(kSessionLength);
        if (!from_client && id.size() == kSessionLength && is_same(id, session_)) {
            // 32 octets; no more than any echo of a random id counts.
            evidence_.add(kSessionEcho, head_, payload.entry, kSessionAt + 1, kSessionLength, 64);
        }
        if (from_client) {
            session_ = id;
            add_cookie(payload, reader);
        }
    }

    void add_cookie(const Payload& payload, ByteReader reader) noexcept {
        constexpr std::size_t kLeastCookie = 8;
        ByteReader asked = cookie_;
        const Bytes wanted = asked.bytes(asked.u8());
        const std::size_t begin = reader.position();
        const Bytes given = reader.bytes(reader.u8());
        if (given.size() >= kLeastCookie && is_same(given, wanted)) {
            evidence_.add(kCookieEcho, head_, payload.entry, begin, 1 + given.size(), 64);
        }
    }

    static bool is_same(Bytes one, Bytes other) noexcept {
        return one.size() == other.size() && std::equal(one.begin(), one.end(), other.begin());
    }

    const FlowHead& head_;
    Evidence evidence_;
    std::array<Side, 2> sides_{};
    Bytes session_;
    ByteReader cookie_;
    std::size_t records_ = 0;
    std::size_t hellos_ = 0;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "anyconnect",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Cisco AnyConnect over DTLS, legacy version",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "openconnect dtls.c, openssl-dtls.c; RFC 4347",
                                      .follows = {LinkKind::tls}};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(20, 23), .least_length = 14};

    static Evidence match(const FlowHead& head) noexcept {
        // The version of either side's first record, before anything is set up.
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t entry = head.next(direction);
            if (entry != kMaxEntries && at(head.payload(entry).bytes, 1).be16() == kVersion) {
                return Scan(head).run();
            }
        }
        return {};
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::anyconnect
