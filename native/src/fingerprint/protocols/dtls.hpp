// DTLS 1.0, 1.2 and 1.3 (RFC 4347, RFC 6347 §4, RFC 9147 §4).
//
// Record, to DTLS 1.2 and for the handshake's beginning in 1.3:
//  0       1          3        5               11        13
// | type  | version  | epoch  | sequence      | length  | fragment ... next record ...
//   20-24   FEFF FEFD  u16      u48             u16
// type 25 (RFC 9146) has a connection id between sequence and length.
// Handshake fragment, at 13: u8 type, u24 length, u16 message, u24 offset, u24 fragment length.
// ClientHello and ServerHello, at 25: version, 32 random octets, u8 session id length.
// DTLS 1.3 cipher text: |001CSLEE| ...: told only on a flow whose handshake was seen.
//
// Record version 0x0100 is AnyConnect's (anyconnect.hpp): no evidence here, whatever else holds.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::dtls {

inline constexpr Rule kRecord{"dtls.record",
                              "content type 20 to 25 and version FEFF or FEFD; RFC 6347 §4.1"};
inline constexpr Rule kChain{"dtls.chain",
                             "the records' lengths end where the datagram ends; RFC 6347 §4.1.1"};
inline constexpr Rule kFirstEpoch{"dtls.first_epoch",
                                  "a clear record has epoch 0 and a small sequence number; RFC "
                                  "6347 §4.1"};
inline constexpr Rule kSequence{"dtls.sequence",
                                "the 48-bit sequence number rises by 1 to 64 within the epoch; "
                                "RFC 6347 §4.1"};
inline constexpr Rule kHandshake{"dtls.handshake",
                                 "a known handshake type whose fragment lies within the message "
                                 "and fills the record; RFC 6347 §4.2.2"};
inline constexpr Rule kHello{"dtls.hello",
                             "a hello's version is FEFF or FEFD and its session id at most 32 "
                             "octets; RFC 6347 §4.2.1"};
inline constexpr Rule kUnified{"dtls.unified_header",
                               "after a clear handshake, a unified header whose length ends the "
                               "datagram; RFC 9147 §4"};

inline constexpr std::array<std::uint16_t, 3> kPorts{443, 4433, 5684};
inline constexpr std::array<const Rule*, 7> kRules{
    &kRecord, &kChain, &kFirstEpoch, &kSequence, &kHandshake, &kHello, &kUnified};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dtls",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Datagram TLS",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6347, RFC 9146, RFC 9147",
                                      .follows = {LinkKind::tls}};
    // 0 and 1: STUN shares the flow in WebRTC and comes first (RFC 7983).
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0x14, 0x19) | ByteSet::of({0x00, 0x01}),
        .least_length = 13};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Last, 2> last{};
        bool clear_handshake = false;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const std::uint8_t first = at(payload.bytes, 0).u8();
            if (first >= 0x20 && first <= 0x3f) {
                add_unified(evidence, head, payload, clear_handshake);
                continue;
            }
            if (first < 0x14 || first > 0x3f) {
                continue;  // STUN, TURN channels or SRTP on the same flow, RFC 7983
            }
            if (!add_datagram(evidence, head, payload, last, clear_handshake)) {
                return {};
            }
        }
        return evidence;
    }

  private:
    struct Record {
        std::uint8_t type = 0;
        std::uint16_t epoch = 0;
        std::uint64_t sequence = 0;
        std::uint64_t end = 0;  // in the datagram
        std::size_t body = 0;
    };
    struct Last {
        bool there = false;
        std::uint16_t epoch = 0;
        std::uint64_t sequence = 0;
    };

    static constexpr std::uint32_t kMostFragment =
        16384 + 2048;  // RFC 6347 §4.1.1, RFC 5246 §6.2.3

    // The record at `offset`; false when these octets are none. `whole` is false when the prefix
    // ended before the header did.
    static bool read(const Payload& payload,
                     std::size_t offset,
                     Record& out,
                     bool& whole) noexcept {
        ByteReader reader = at(payload.bytes, offset);
        out.type = reader.u8();
        const std::uint16_t version = reader.be16();
        out.epoch = reader.be16();
        out.sequence = static_cast<std::uint64_t>(reader.be16()) << 32U;
        out.sequence |= reader.be32();
        whole = reader.ok();
        if (!whole) {
            return false;
        }
        if (out.type < 20 || out.type > 25 || (version != 0xfeff && version != 0xfefd)) {
            return false;
        }
        out.body = offset + 13;
        if (out.type == 25) {
            out.end = payload.length;  // the id's length is not said; to the end at most
            return true;
        }
        const std::uint16_t length = reader.be16();
        whole = reader.ok();
        out.end = out.body + length;
        return whole && length > 0 && length <= kMostFragment && out.end <= payload.length;
    }

    // False when this cannot be DTLS.
    static bool add_datagram(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload,
                             std::array<Last, 2>& last,
                             bool& clear_handshake) noexcept {
        Record record;
        bool whole = true;
        if (!read(payload, 0, record, whole)) {
            return !whole && payload.length > payload.bytes.size();
        }
        // Six types, two versions.
        evidence.add(kRecord, head, payload.entry, 0, 3, 20);
        add_sequence(evidence, head, payload, record, last[index_of(payload.direction)]);
        if (record.type == 22 && record.epoch == 0) {
            if (!add_handshake(evidence, head, payload, record)) {
                return false;
            }
            clear_handshake = true;
        }
        return add_chain(evidence, head, payload, record);
    }

    static bool add_chain(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload,
                          const Record& first) noexcept {
        if (first.type == 25) {
            return true;
        }
        Record record = first;
        while (record.end < payload.length) {
            const auto offset = static_cast<std::size_t>(record.end);
            bool whole = true;
            if (!read(payload, offset, record, whole)) {
                // Behind the kept prefix nothing is known; in DTLS 1.3 other records may follow.
                const std::uint8_t type = at(payload.bytes, offset).u8();
                return !whole || (type >= 0x20 && type <= 0x3f);
            }
        }
        evidence.add(kChain, head, payload.entry, first.body - 2, 2, 16);
        return true;
    }

    static void add_sequence(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload,
                             const Record& record,
                             Last& last) noexcept {
        if (!last.there) {
            if (record.epoch == 0 && record.sequence < 256) {
                // Zeros are common in headers: half of what random octets would give.
                evidence.add(kFirstEpoch, head, payload.entry, 3, 7, 28);
            }
        } else if (record.epoch == last.epoch && record.sequence > last.sequence &&
                   record.sequence - last.sequence <= 64) {
            // 16 bits of epoch, 42 of sequence; a counter is not random, so half of it.
            evidence.add(kSequence, head, payload.entry, 3, 8, 28);
        }
        last = {true, record.epoch, record.sequence};
    }

    static bool known_type(std::uint8_t type) noexcept {
        switch (type) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
            case 8:
            case 11:
            case 12:
            case 13:
            case 14:
            case 15:
            case 16:
            case 20:
            case 21:
            case 22:
            case 23:
                return true;
            default:
                return false;
        }
    }

    // The type 4; a length that is the fragment's too 6; offset and length of a fragment that lies
    // within the message and the record, more where it fills the record.
    static void add_fragment(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload,
                             const Record& record,
                             bool whole,
                             bool fills) noexcept {
        evidence.add(kHandshake, head, payload.entry, record.body, whole ? 4 : 1, whole ? 10 : 4);
        evidence.add(kHandshake, head, payload.entry, record.body + 6, 6, fills ? 18 : 6);
    }

    // False when an unencrypted handshake record does not hold a handshake message.
    static bool add_handshake(Evidence& evidence,
                              const FlowHead& head,
                              const Payload& payload,
                              const Record& record) noexcept {
        ByteReader reader = at(payload.bytes, record.body);
        const std::uint8_t type = reader.u8();
        const std::uint32_t length = reader.be24();
        reader.skip(2);
        const std::uint32_t offset = reader.be24();
        const std::uint32_t fragment = reader.be24();
        if (!reader.ok()) {
            return payload.length > payload.bytes.size();
        }
        if (!known_type(type) || offset + fragment > length ||
            record.body + 12 + fragment > record.end) {
            return false;
        }
        add_fragment(evidence,
                     head,
                     payload,
                     record,
                     offset == 0 && fragment == length,
                     record.body + 12 + fragment == record.end);
        if ((type != 1 && type != 2) || offset != 0) {
            return true;
        }
        const std::uint16_t version = reader.be16();
        reader.skip(32);
        const std::uint8_t session = reader.u8();
        if (!reader.ok()) {
            return true;
        }
        if ((version != 0xfeff && version != 0xfefd) || session > 32) {
            return false;
        }
        evidence.add(kHello, head, payload.entry, record.body + 12, 2, 14);
        evidence.add(kHello, head, payload.entry, record.body + 12 + 34, 1, 3);
        if (type == 1) {
            evidence.set_initiator(payload.direction);
        }
        return true;
    }

    // |001CSLEE|: without a connection id and with the length field, 4 or 5 octets.
    static void add_unified(Evidence& evidence,
                            const FlowHead& head,
                            const Payload& payload,
                            bool clear_handshake) noexcept {
        const std::uint8_t first = payload.bytes[0];
        if (!clear_handshake || (first & 0x10U) != 0 || (first & 0x04U) == 0) {
            return;
        }
        const std::size_t at_length = (first & 0x08U) != 0 ? 3 : 2;
        ByteReader reader = at(payload.bytes, at_length);
        const std::uint16_t length = reader.be16();
        if (reader.ok() && length >= 17 && at_length + 2 + length == payload.length) {
            evidence.add(kUnified, head, payload.entry, at_length, 2, 16);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dtls
