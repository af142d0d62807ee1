// ONC RPC version 2 (RFC 5531 §9), over UDP and, with record marks (§11), over TCP.
//
// Call:   0      4      8            12       16       20         24           28        32
//        | xid  | 0    | rpcvers 2  | program| version| procedure| cred flavor| length  | octets,
//        verifier
// Reply: 0      4      8            12              16       20
//        | xid  | 1    | accepted 0 | verf flavor   | length | octets, then accept status 0..5
//        | xid  | 1    | denied 1   | mismatch 0, low, high; or auth error 1, why
// TCP: be32 record mark before it: top bit = last fragment, 31 bits of length.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/few.hpp"
#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::sunrpc {

inline constexpr Rule kCall{"sunrpc.call", "message type 0 and RPC version 2; RFC 5531 §9"};
inline constexpr Rule kProgram{
    "sunrpc.program", "program of an assigned range, small version and procedure; RFC 5531 §8.4"};
inline constexpr Rule kCredential{"sunrpc.credential",
                                  "known flavor, length up to 400 that fits; RFC 5531 §8.2"};
inline constexpr Rule kReply{"sunrpc.reply", "message type 1, accepted or denied; RFC 5531 §9"};
inline constexpr Rule kVerifier{"sunrpc.verifier",
                                "known flavor, length that fits, known accept status; RFC 5531 §9"};
inline constexpr Rule kRecord{"sunrpc.record_mark",
                              "a record mark that leads to a segment's end; RFC 5531 §11"};
inline constexpr Rule kXid{"sunrpc.xid_echo", "the reply has the call's xid; RFC 5531 §9"};
inline constexpr Rule kPort{"sunrpc.port", "port 111 or 2049 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{111, 2049};
inline constexpr std::array<std::string_view, 3> kVariants{"rpc", "portmap", "nfs"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kCall, &kProgram, &kCredential, &kReply, &kVerifier, &kRecord, &kXid, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "sunrpc",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "ONC Remote Procedure Call",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 5531, RFC 1833, RFC 7530"};
    // A TCP segment may hold the record mark alone.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp, kTcp},
                                         .least_length = 4,
                                         // A call or a reply.
                                         .octets = {{{4, ByteSet::of({0}), kUdp},
                                                     {5, ByteSet::of({0}), kUdp},
                                                     {6, ByteSet::of({0}), kUdp},
                                                     {7, ByteSet::of({0, 1}), kUdp},
                                                     {8, ByteSet::of({0}), kTcp},
                                                     {11, ByteSet::of({0, 1}), kTcp}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!is_worth_reading(head)) {
            return {};
        }
        Conversation seen;
        Tally tally;
        if (head.ip_proto == kTcp) {
            read_stream(head, Direction::forward, seen, tally);
            read_stream(head, Direction::reverse, seen, tally);
        } else {
            for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
                const Payload payload = head.payload(entry);
                if (payload.length > 0) {
                    const Place place{payload.direction, entry, 0};
                    keep(read(place, payload.bytes, payload.length), seen, tally);
                }
            }
        }
        return tally.holds() && !seen.empty() ? judge(head, seen) : Evidence{};
    }

  private:
    static constexpr std::size_t kLeastMessage = 20;  // a denied reply
    static constexpr std::uint32_t kPortmap = 100'000;
    static constexpr std::uint32_t kNfs = 100'003;

    struct Seen {
        Reading reading = Reading::contradicts;
        Place place;
        std::uint32_t xid = 0;
        std::uint32_t program = 0;
        std::uint32_t version = 0;
        bool reply = false;
        bool accepted = false;
        std::size_t length = 0;
    };
    using Conversation = Few<Seen, kMaxEntries>;

    // Most flows end here: neither side's first message is of type 0 or 1.
    static bool is_worth_reading(const FlowHead& head) noexcept {
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t entry = head.next(direction);
            if (entry < kMaxEntries) {
                const bool tcp = head.ip_proto == kTcp;
                ByteReader reader =
                    at(tcp ? head.stream(direction) : head.payload(entry).bytes, tcp ? 8 : 4);
                if (reader.be32() <= 1 && reader.ok()) {
                    return true;
                }
            }
        }
        return false;
    }

    static void keep(const Seen& one, Conversation& seen, Tally& tally) noexcept {
        tally.add(one.reading);
        if (one.reading == Reading::fits) {
            seen.add(one);
        }
    }

    static void read_stream(const FlowHead& head,
                            Direction direction,
                            Conversation& seen,
                            Tally& tally) noexcept {
        constexpr std::size_t kMostRecords = 6;
        constexpr std::uint32_t kLast = 0x80000000;
        constexpr std::uint32_t kMostLength = 1U << 22U;
        const Bytes stream = head.stream(direction);
        std::size_t offset = 0;
        bool begins = true;
        for (std::size_t record = 0; record < kMostRecords; ++record) {
            ByteReader reader = at(stream, offset);
            const std::uint32_t mark = reader.be32();
            const std::size_t length = mark & ~kLast;
            if (!reader.ok() || reader.remaining() == 0) {
                return;
            }
            if (length > kMostLength || (begins && length < kLeastMessage)) {
                tally.add(Reading::contradicts);
                return;
            }
            reader.limit(length);
            if (begins) {
                keep(read({direction, 0, offset + 4}, reader.rest(), length), seen, tally);
            }
            begins = (mark & kLast) != 0;
            offset += 4 + length;
        }
    }

    static Seen read(const Place& place, Bytes bytes, std::size_t length) noexcept {
        Seen one;
        one.place = place;
        one.length = length;
        ByteReader reader(bytes);
        one.xid = reader.be32();
        const std::uint32_t type = reader.be32();
        one.reply = type == 1;
        const bool fits =
            type <= 1 && (one.reply ? read_reply(reader, one) : read_call(reader, one));
        if (!reader.ok()) {
            one.reading = bytes.size() < length ? Reading::cut : Reading::contradicts;
        } else if (fits) {
            one.reading = Reading::fits;
        }
        return one;
    }

    static bool read_call(ByteReader& reader, Seen& one) noexcept {
        const std::uint32_t rpc_version = reader.be32();
        one.program = reader.be32();
        one.version = reader.be32();
        const std::uint32_t procedure = reader.be32();
        const std::uint32_t flavor = reader.be32();
        const std::uint32_t credential = reader.be32();
        return rpc_version == 2 && program_bits(one.program) > 0 && one.version < 256 &&
               procedure < 1024 && is_flavor(flavor) && credential <= 400 &&
               40 + credential <= one.length;
    }

    static bool read_reply(ByteReader& reader, Seen& one) noexcept {
        const std::uint32_t status = reader.be32();
        const std::uint32_t flavor_or_reason = reader.be32();
        const std::uint32_t verifier = reader.be32();
        one.accepted = status == 0;
        if (status == 1) {
            // Versions from low to high, or why the credential was refused.
            const bool mismatch = flavor_or_reason == 0 && verifier <= 4 && one.length == 24;
            return mismatch || (flavor_or_reason == 1 && verifier <= 20 && one.length == 20);
        }
        if (status != 0 || !is_flavor(flavor_or_reason) || verifier > 400 ||
            24 + verifier > one.length) {
            return false;
        }
        reader.skip(verifier);
        return reader.be32() <= 5;
    }

    // IANA "RPC Authentication Flavor Numbers": 0 to 6, and the pseudo flavors from 390000.
    static bool is_flavor(std::uint32_t flavor) noexcept {
        return flavor <= 6 || (flavor >= 390'000 && flavor <= 390'020) || flavor == 300'001;
    }

    // IANA "RPC Program Numbers": the first thousand that everybody uses; the rest that was given
    // out; the ranges for users, at random a half of all numbers.
    static double program_bits(std::uint32_t program) noexcept {
        if (program >= 100'000 && program < 101'000) {
            return 20;
        }
        if ((program >= 150'000 && program < 152'000) ||
            (program >= 200'000 && program < 201'000) ||
            (program >= 300'000 && program < 400'200) ||
            (program >= 536'000'000 && program < 537'000'000)) {
            return 11;
        }
        return program >= 0x20000000 && program < 0x60000000 ? 1.5 : 0;
    }

    static Evidence judge(const FlowHead& head, const Conversation& seen) noexcept {
        Evidence evidence;
        std::array<std::size_t, 2> said{};
        bool echoed = false;
        bool proven = false;
        std::string_view variant = "rpc";
        for (std::size_t index = 0; index < seen.size(); ++index) {
            const Seen& one = seen[index];
            // Denied replies alone are too few small words to be a proof.
            proven = proven || !one.reply || one.accepted;
            std::size_t& by_this_side = said[index_of(one.place.direction)];
            if (by_this_side++ < (one.reply ? 2 : 1)) {
                add_form(evidence, head, one, by_this_side > 1);
            }
            if (!echoed && one.reply && called(seen, index)) {
                echoed = true;
                add_at(evidence, kXid, head, one.place, 0, 4, 32);
            }
            if (!one.reply && one.program == kPortmap) {
                variant = "portmap";
            } else if (!one.reply && one.program == kNfs) {
                variant = "nfs";
            }
            evidence.set_initiator(one.reply ? opposite(one.place.direction) : one.place.direction);
        }
        if (!proven) {
            return {};
        }
        if (head.has_port(111) || head.has_port(2049)) {
            add_port(evidence, kPort, head);
        }
        evidence.set_variant(variant);
        return evidence;
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         const Seen& one,
                         bool again) noexcept {
        if (one.reply) {
            // Two words of 1 and 0 or 1: 64 bits, but small words are common; less again the
            // second time.
            add_at(evidence, kReply, head, one.place, 4, 8, again ? 8 : 18);
            if (one.accepted) {
                add_at(evidence, kVerifier, head, one.place, 12, 8, again ? 4 : 12);
            }
        } else {
            // Words of 0 and 2.
            add_at(evidence, kCall, head, one.place, 4, 8, 40);
            // And a small version and procedure: 12. As many octets of the program as its range
            // fixes.
            const double bits = program_bits(one.program);
            const std::size_t fixed = bits >= 20 ? 3 : bits >= 11 ? 2 : 1;
            add_at(evidence, kProgram, head, one.place, 12, fixed, bits);
            add_at(evidence, kProgram, head, one.place, 16, 3, 6);
            add_at(evidence, kProgram, head, one.place, 20, 3, 6);
            // A small flavor, and the high octets of a length that fits.
            add_at(evidence, kCredential, head, one.place, 24, 7, 20);
        }
        if (head.ip_proto == kTcp &&
            is_segment_end(head, one.place.direction, one.place.offset + one.length)) {
            const Place mark{one.place.direction, 0, one.place.offset - 4};
            add_at(evidence, kRecord, head, mark, 0, 4, 20);
        }
    }

    static bool called(const Conversation& seen, std::size_t reply) noexcept {
        const Seen& said = seen[reply];
        for (std::size_t index = 0; index < seen.size(); ++index) {
            const Seen& one = seen[index];
            if (!one.reply && one.place.direction != said.place.direction && one.xid == said.xid) {
                return true;
            }
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::sunrpc
