// dnscat2: a session in DNS names and in the answers to them, both in hexadecimal.
//
//  name: ["dnscat."] hex "." domain, long hex spread over labels
//  0 packet id 2 | 2 type 1: 0 SYN, 1 MSG, 2 FIN, 3 encrypted | 3 session 2 | 5 body
//  SYN: sequence 2 | options 2 | with option 1: a name, zero     MSG: sequence 2 | acknowledged 2
//
// Every message of a session repeats its id; an answer's sequence is what the question
// acknowledged, and the other way round. The packet id differs, so that no cache answers. The DNS
// around it is proven by DNS's own rules.
//
// Sources: dnscat2's doc/protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/dns_tunnel.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::dnscat {

inline constexpr Rule kTag{"dns-tunnel.dnscat_tag", "the first label is dnscat; protocol.md"};
inline constexpr Rule kType{"dns-tunnel.dnscat_type",
                            "hexadecimal of a message of type 0 to 3; protocol.md"};
inline constexpr Rule kOptions{"dns-tunnel.dnscat_options",
                               "a SYN whose options are among those there are; protocol.md"};
inline constexpr Rule kName{"dns-tunnel.dnscat_name",
                            "a SYN with a session's name as text up to a zero; protocol.md"};
inline constexpr Rule kSession{"dns-tunnel.dnscat_session",
                               "another question of the session, with another packet id; "
                               "protocol.md"};
inline constexpr Rule kAnswer{"dns-tunnel.dnscat_answer",
                              "an answer of the question's session; protocol.md"};
inline constexpr Rule kCrossed{"dns-tunnel.dnscat_crossed",
                               "question and answer acknowledge each other's sequence; "
                               "protocol.md"};

inline constexpr std::array<std::uint16_t, 1> kPorts{53};
inline constexpr std::array<std::string_view, 1> kVariants{"dnscat"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kTag, &kType, &kOptions, &kName, &kSession, &kAnswer, &kCrossed};

// The octets that a label of hexadecimal digits says; `digits` is where they begin in the payload.
struct Hex {
    std::array<std::uint8_t, 31> octets{};
    std::size_t count = 0;
    std::size_t digits = 0;

    [[nodiscard]] std::uint32_t be16(std::size_t offset) const noexcept {
        return octets[offset] * 256U + octets[offset + 1];
    }
};

inline constexpr std::uint8_t kSyn = 0, kMsg = 1, kEncrypted = 3;
inline constexpr std::size_t kHeader = 5, kSequences = 9;

// At least a header, of a known type; a count of zero otherwise.
inline Hex read_hex(const dns_tunnel::Label& label) noexcept {
    const auto value = [](std::uint8_t digit) -> unsigned {
        const unsigned letter = digit | 0x20U;
        return is_digit(digit)                  ? digit - unsigned{'0'}
               : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10U
                                                : 16U;
    };
    Hex found;
    if (label.octets.size() % 2 != 0 || label.octets.size() < kHeader * 2) {
        return found;
    }
    for (std::size_t at = 0; at + 1 < label.octets.size() && at / 2 < found.octets.size();
         at += 2) {
        const unsigned high = value(label.octets[at]);
        const unsigned low = value(label.octets[at + 1]);
        if (high > 15 || low > 15) {
            return {};
        }
        found.octets[at / 2] = static_cast<std::uint8_t>(high << 4U | low);
        found.count = at / 2 + 1;
    }
    found.digits = label.offset;
    const std::uint8_t type = found.octets[2];
    const bool sequences = type == kSyn || type == kMsg;
    return type > kEncrypted || (sequences && found.count < kSequences) ? Hex{} : found;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dns-tunnel",
                                      .protocol_class = ProtocolClass::covert,
                                      .title = "dnscat2, sessions over DNS",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "dnscat2: doc/protocol.md; RFC 1035"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 32, .octets = {{{5, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!dns_tunnel::may_be(head)) {
            return {};
        }
        Evidence evidence;
        Session session;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            read_one(evidence, head, head.payload(entry), session);
        }
        if (!session.there) {
            return {};
        }
        evidence.set_variant(kVariants[0]);
        return dns_tunnel::with_dns(evidence, head);
    }

  private:
    struct Session {
        bool there = false;
        bool stays = false;
        bool answered = false;
        bool crossed = false;
        std::uint32_t id = 0;
        std::uint32_t packet = 0;  // the latest packet id
    };

    static bool has_tag(const dns_tunnel::Label& label) noexcept {
        return label.octets.size() == 6 && has_text(label.octets, "dnscat");
    }

    static void read_one(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         Session& session) noexcept {
        const dns_tunnel::Label first = dns_tunnel::first_label(payload.bytes);
        const bool tagged = has_tag(first);
        const Hex hex = read_hex(tagged ? dns_tunnel::next_label(payload.bytes, first) : first);
        if (hex.count == 0) {
            return;
        }
        const dns_tunnel::Message message = dns_tunnel::read_message(payload);
        if (!message.valid || (session.there && hex.be16(3) != session.id)) {
            return;
        }
        if (!session.there) {
            begin(evidence, head, payload, hex, tagged ? first.offset : 0);
            session.there = true;
            session.id = hex.be16(3);
        } else if (!message.response && hex.be16(0) != session.packet) {
            // Four digits of an id that was random once; that it stays is hardly news.
            evidence.add(kSession, head, payload.entry, hex.digits + 6, 4, session.stays ? 2 : 12);
            session.stays = true;
        }
        session.packet = hex.be16(0);
        if (message.response) {
            add_answer(evidence, head, payload, message, hex, session);
        }
    }

    // `tag` is where the label dnscat stands; 0 when it does not.
    static void begin(Evidence& evidence,
                      const FlowHead& head,
                      const Payload& payload,
                      const Hex& hex,
                      std::size_t tag) noexcept {
        if (tag != 0) {
            // Six letters, of names' own 38 characters.
            evidence.add(kTag, head, payload.entry, tag, 6, 28);
        }
        // Two digits of four values in 256: 6.
        evidence.add(kType, head, payload.entry, hex.digits + 4, 2, 6);
        if (hex.octets[2] != kSyn) {
            return;
        }
        const std::uint32_t options = hex.be16(7);
        if ((options & ~0x39U) == 0) {
            // Names, downloads in one or in pieces, commands: 16 values of 65536, small ones.
            evidence.add(kOptions, head, payload.entry, hex.digits + 14, 4, 9);
        }
        std::size_t end = kSequences;
        while (end < hex.count && is_printable(hex.octets[end])) {
            ++end;
        }
        if ((options & 1U) != 0 && end > kSequences + 3 && end < hex.count &&
            hex.octets[end] == 0) {
            // 95 of 256 values each, 1.4 bits, of which one is counted; a zero 6.
            const std::size_t letters = end - kSequences;
            evidence.add(kName,
                         head,
                         payload.entry,
                         hex.digits + kSequences * 2,
                         letters * 2 + 2,
                         6 + static_cast<double>(std::min<std::size_t>(letters, 16)));
        }
    }

    static void add_answer(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           const dns_tunnel::Message& message,
                           const Hex& asked,
                           Session& session) noexcept {
        dns_tunnel::Label label = dns_tunnel::answer_label(payload.bytes, message);
        if (has_tag(label)) {
            label = dns_tunnel::next_label(payload.bytes, label);
        }
        const Hex said = read_hex(label);
        if (said.count == 0 || said.be16(3) != asked.be16(3)) {
            return;
        }
        // A type of four 6, and the id: 16, as digits at least 14; once more 4.
        evidence.add(kAnswer, head, payload.entry, said.digits + 4, 6, session.answered ? 4 : 20);
        session.answered = true;
        const bool both = asked.octets[2] == kMsg && said.octets[2] == kMsg;
        if (both && !session.crossed && said.be16(5) == asked.be16(7)) {
            session.crossed = true;
            // The sequence the other side waits for.
            evidence.add(kCrossed, head, payload.entry, said.digits + 10, 4, 14);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dnscat
