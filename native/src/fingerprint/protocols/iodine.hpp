// iodine: IPv4 in DNS (doc/proto_00000502.txt of its source): its handshake, or, in the middle of a
// session, questions that count on (fingerprint/iodine_run.hpp).
//
//  v + base32(version 4, counter 2)      answer: VACK, VNAK or VFUL | value 4 | user 1
//  l + base32(user 1, MD5 16, counter 2) answer: server-client-mtu-netmask as text
//  z + 3 + a known text                  answer: the same; which characters pass on the way up
//  y + codec, variant, counter           answer: 48 known octets; which pass on the way down
//  r + user and size                     answer: size 2, 0x6b, then each octet 107 more
//
// Answers are raw in NULL and PRIVATE records; in TXT they are text behind "t" for base32, in
// CNAME, MX and SRV a name behind "h". The DNS around them is proven by DNS's own rules, which
// stand behind these. Over raw UDP: iodine_raw; a handshake that goes on so is read here.
//
// Sources: iodine's doc/proto_00000502.txt, encoding.h, client.c.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/dns_tunnel.hpp"
#include "fingerprint/iodine_run.hpp"
#include "fingerprint/protocols/iodine_raw.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::iodine {

inline constexpr Rule kVersion{"iodine.version",
                               "a first label of v and ten base32 letters, of which six say a "
                               "version from 500 to 503; proto_00000502"};
inline constexpr Rule kNullType{"iodine.type",
                                "the question asks for a NULL or a PRIVATE record; "
                                "proto_00000502"};
inline constexpr Rule kVersionAnswer{"iodine.version_answer",
                                     "VACK, VNAK or VFUL, raw or in base32; proto_00000502"};
inline constexpr Rule kLogin{"iodine.login",
                             "a first label of l and 31 base32 letters; proto_00000502"};
inline constexpr Rule kLoginAnswer{"iodine.login_answer",
                                   "two IPv4 addresses, a size and a netmask with hyphens between; "
                                   "proto_00000502"};
inline constexpr Rule kUpCodec{"iodine.upstream_codec",
                               "a known text behind z and three characters; client.c"};
inline constexpr Rule kDownCodec{"iodine.downstream_codec",
                                 "the answer's data begin with known octets; encoding.h"};
inline constexpr Rule kSizeProbe{"iodine.size_probe",
                                 "the answer's data say their length, then 0x6b, then octets that "
                                 "rise by 107; proto_00000502"};

inline constexpr std::array<std::uint16_t, 1> kPorts{53};
inline constexpr std::array<std::string_view, 1> kVariants{"dns"};
inline constexpr std::array<const Rule*, 11> kRules{&kVersion,
                                                    &kNullType,
                                                    &kVersionAnswer,
                                                    &kLogin,
                                                    &kLoginAnswer,
                                                    &kUpCodec,
                                                    &kDownCodec,
                                                    &kSizeProbe,
                                                    &kPing,
                                                    &kPingRun,
                                                    &kDataRun};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "iodine",
                                      .protocol_class = ProtocolClass::covert,
                                      .title = "iodine, IP over DNS",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources =
                                          "iodine: doc/proto_00000502.txt, encoding.h, "
                                          "client.c; RFC 1035"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 24, .octets = {{{5, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!dns_tunnel::may_be(head)) {
            return {};
        }
        Evidence evidence;
        bool raw = false;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (is_command(payload.bytes)) {
                read_one(evidence, head, payload);
            } else if (!evidence.empty()) {
                raw = iodine_raw::add_message(evidence, head, payload) || raw;
            }
        }
        if (evidence.bits() < dns_tunnel::kLeastOwn) {
            evidence = judge_questions(head);
        }
        if (evidence.empty()) {
            return {};
        }
        if (raw && evidence.bits() >= dns_tunnel::kLeastOwn) {
            // The handshake went on in raw packets from the same port: the flow is no DNS any more.
            evidence.set_variant(iodine_raw::kVariants[0]);
            return evidence;
        }
        evidence.set_variant(kVariants[0]);
        return dns_tunnel::with_dns(evidence, head);
    }

  private:
    // The cheap test before a message is read: a command of the handshake.
    static bool is_command(Bytes payload) noexcept {
        ByteReader reader = at(payload, kDnsHeader);
        const std::uint8_t length = reader.u8();
        switch (reader.u8() | 0x20U) {
            case 'v':
                return length == kVersionLabel;
            case 'l':
                return length == kLoginLabel;
            case 'y':
                return length >= 6;
            case 'z':
            case 'r':
                return length >= 20;
            default:
                return false;
        }
    }
    static constexpr std::size_t kVersionLabel = 11;
    static constexpr std::size_t kLoginLabel = 32;

    static void read_one(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload) noexcept {
        const dns_tunnel::Message message = dns_tunnel::read_message(payload);
        const dns_tunnel::Label label = dns_tunnel::first_label(payload.bytes);
        // A message that was cut behind its first label still has that.
        const bool cut = payload.bytes.size() < payload.length;
        if (!label.there() ||
            (!message.valid && !(cut && dns_tunnel::has_question(payload.bytes)))) {
            return;
        }
        if (message.response) {
            add_answer(evidence, head, payload, message, label.octets[0] | 0x20U);
        }
        // Answers repeat the question, which the capture may lack.
        switch (label.octets[0] | 0x20U) {
            case 'v':
                add_version(evidence, head, payload, message, label);
                break;
            case 'l':
                if (is_base32(label.octets)) {
                    // One letter and one length among names 5 and 5; letters and six digits 4.
                    add(evidence, kLogin, head, payload, label.offset, label.octets.size(), 14);
                }
                break;
            case 'z':
                add_text(evidence, head, payload, label);
                break;
            default:
                break;
        }
    }

    // A rule that held before is hardly news.
    static void add(Evidence& evidence,
                    const Rule& rule,
                    const FlowHead& head,
                    const Payload& payload,
                    std::size_t offset,
                    std::size_t length,
                    double bits) noexcept {
        for (const Check& check : evidence.checks()) {
            if (check.rule == &rule) {
                return;
            }
        }
        evidence.add(rule, head, payload.entry, offset, length, bits);
    }

    static bool is_base32(Bytes octets) noexcept {
        for (const std::uint8_t octet : octets) {
            const bool letter = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
            if (!letter && (octet < '0' || octet > '5')) {
                return false;
            }
        }
        return true;
    }

    static void add_version(Evidence& evidence,
                            const FlowHead& head,
                            const Payload& payload,
                            const dns_tunnel::Message& message,
                            const dns_tunnel::Label& label) noexcept {
        // base32 of 00 00 05 and an octet below 4.
        const bool known = has_text(label.octets, "aaaaka", 1) && is_base32(label.octets);
        if (!known) {
            return;
        }
        // Seven letters of a name's 38 characters; no word has them.
        add(evidence, kVersion, head, payload, label.offset, 7, 31);
        if (message.type == dns_tunnel::kTypeNull || message.type == dns_tunnel::kTypePrivate) {
            // Hardly anything else asks for them.
            add(evidence, kNullType, head, payload, message.type_at, 2, 10);
        }
    }

    static void add_text(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         const dns_tunnel::Label& label) noexcept {
        constexpr std::array<std::string_view, 3> kTexts{"aA-Aaahhh-Drink-mal-ein-J",
                                                         "aA-La-fl\xfbte-na\xefve-fran",
                                                         "aAbBcCdDeEfFgGhHiIjJkKlLm"};
        for (const std::string_view text : kTexts) {
            if (has_text(label.octets, text, 4)) {
                // Twenty and more characters of text, three bits each at least.
                add(evidence, kUpCodec, head, payload, label.offset + 4, text.size(), 66);
            }
        }
    }

    static void add_answer(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           const dns_tunnel::Message& message,
                           unsigned command) noexcept {
        const bool raw = message.answer_type == dns_tunnel::kTypeNull ||
                         message.answer_type == dns_tunnel::kTypePrivate;
        const Bytes data = raw ? at(payload.bytes, message.answer_at)
                                     .bytes(std::min(message.answer_length,
                                                     payload.bytes.size() - message.answer_at))
                               : Bytes{};
        if (command == 'v') {
            add_version_answer(evidence, head, payload, message, data);
        } else if (command == 'l' && is_login_answer(data)) {
            // 17 octets at least, each of twelve in 256; the order of points and hyphens.
            add(evidence, kLoginAnswer, head, payload, message.answer_at, data.size(), 64);
        } else if (command == 'y' && is_known(data)) {
            // Thirty-two octets; the first sixteen, of four values, at half.
            add(evidence, kDownCodec, head, payload, message.answer_at, 24, 128);
        } else if (command == 'r' && rising(data) >= 8) {
            // A length that fits 12, one octet 8, then eight each that follow from the last.
            const std::size_t octets = std::min<std::size_t>(rising(data), 12);
            const double bits = 20 + 8.0 * static_cast<double>(octets);
            if (data[0] * 256U + data[1] == message.answer_length) {
                add(evidence, kSizeProbe, head, payload, message.answer_at, 4 + octets, bits);
            }
        }
    }

    static void add_version_answer(Evidence& evidence,
                                   const FlowHead& head,
                                   const Payload& payload,
                                   const dns_tunnel::Message& message,
                                   Bytes data) noexcept {
        constexpr std::array<std::string_view, 3> kWords{"VACK", "VNAK", "VFUL"};
        constexpr std::array<std::string_view, 3> kCoded{"kzaugs", "kzhecs", "kzdfkt"};
        const dns_tunnel::Label label = dns_tunnel::answer_label(payload.bytes, message);
        for (std::size_t word = 0; word < kWords.size(); ++word) {
            if (data.size() == 9 && has_text(data, kWords[word])) {
                // One of three words of four octets.
                add(evidence, kVersionAnswer, head, payload, message.answer_at, 4, 30);
            }
            const std::uint8_t prefix = message.answer_type == dns_tunnel::kTypeTxt ? 't' : 'h';
            if (has_text(label.octets, kCoded[word], 1) && (label.octets[0] | 0x20U) == prefix) {
                // The same in base32: six characters of 32, and the letter before them.
                add(evidence, kVersionAnswer, head, payload, label.offset, 7, 30);
            }
        }
    }

    // a.b.c.d-a.b.c.d-mtu-bits
    static bool is_login_answer(Bytes data) noexcept {
        std::array<std::size_t, 4> points{};
        std::size_t part = 0;
        bool digit = false;
        for (const std::uint8_t octet : data) {
            if (is_digit(octet)) {
                digit = true;
                continue;
            }
            if (!digit || (octet != '.' && octet != '-')) {
                return false;
            }
            digit = false;
            if (octet == '.') {
                ++points[part];
            } else if (++part == points.size()) {
                return false;
            }
        }
        return digit && part == 3 && points == std::array<std::size_t, 4>{3, 3, 0, 0};
    }

    static bool is_known(Bytes data) noexcept {
        constexpr std::array<std::uint8_t, 24> kOctets{
            0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0x55, 0x55, 0x55, 0x55,
            0xaa, 0xaa, 0xaa, 0xaa, 0x81, 0x63, 0xc8, 0xd2, 0xc7, 0x7c, 0xb2, 0x17};
        return data.size() >= kOctets.size() &&
               std::equal(kOctets.begin(), kOctets.end(), data.begin());
    }

    // How many octets follow the rule behind the first four.
    static std::size_t rising(Bytes data) noexcept {
        std::size_t count = 0;
        if (data.size() < 5 || data[2] != 107) {
            return 0;
        }
        while (5 + count <= data.size() - 1 &&
               static_cast<std::uint8_t>(data[3 + count] + 107U) == data[4 + count]) {
            ++count;
        }
        return count;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::iodine
