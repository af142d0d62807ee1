// dns2tcp: TCP in DNS, in TXT or KEY records. A session is opened by names of a fixed label:
//
//  name: base64(session 2 | acknowledged 2 | sequence 2 | type 1 | data) "." command "." domain
//  command: "=auth", "=resource", "=connect"; the first =auth has session 0 and acknowledges 0
//
// The equals sign is no character of a host name. Data afterwards have the base64 label alone:
// there it is the sequence that goes on (fingerprint/dns2tcp_run.hpp). The DNS around it is proven
// by DNS's own rules.
//
// Sources: dns2tcp 0.5 (common/includes/dns.h and packet.h, client/session.c, requests.c).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/dns2tcp_run.hpp"
#include "fingerprint/dns_tunnel.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::dns2tcp {

inline constexpr Rule kCommand{"dns2tcp.command",
                               "a label =auth, =resource or =connect behind the first; dns.h"};
inline constexpr Rule kHeader{"dns2tcp.header",
                              "the first label is base64 of a header of seven octets at least; "
                              "packet.h"};
inline constexpr Rule kNewSession{"dns2tcp.new_session",
                                  "an =auth of session 0 that acknowledges 0; session.c"};
inline constexpr Rule kSecond{"dns2tcp.second_command",
                              "another command in another message; client/auth.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{53};
inline constexpr std::array<std::string_view, 2> kVariants{"txt", "key"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kCommand, &kHeader, &kNewSession, &kSecond, &kSessionRun};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dns2tcp",
                                      .protocol_class = ProtocolClass::covert,
                                      .title = "dns2tcp, TCP over DNS",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources =
                                          "dns2tcp 0.5: dns.h, packet.h, session.c; RFC "
                                          "1035"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 32, .octets = {{{5, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        if (!dns_tunnel::may_be(head)) {
            return {};
        }
        Evidence evidence;
        Said said;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            read_one(evidence, head, head.payload(entry), said);
        }
        if (evidence.empty()) {
            evidence = judge_sessions(head);
        }
        return evidence.empty() ? Evidence{} : dns_tunnel::with_dns(evidence, head);
    }

  private:
    static constexpr std::array<std::string_view, 3> kCommands{"=auth", "=resource", "=connect"};
    struct Said {
        std::size_t first = 0;  // the first command's place in kCommands, from 1
        bool second = false;
    };

    // The label of a command behind at most three of data; its place in kCommands, from 1.
    static std::size_t command_at(Bytes payload, dns_tunnel::Label& label) noexcept {
        for (int more = 0; more < 3 && label.there(); ++more) {
            label = dns_tunnel::next_label(payload, label);
            if (!label.there() || label.octets[0] != '=') {
                continue;
            }
            for (std::size_t command = 0; command < kCommands.size(); ++command) {
                if (label.octets.size() == kCommands[command].size() &&
                    has_text(label.octets, kCommands[command])) {
                    return command + 1;
                }
            }
        }
        return 0;
    }

    static bool is_base64(Bytes octets) noexcept {
        for (const std::uint8_t octet : octets) {
            const bool letter = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
            if (!letter && !is_digit(octet) && octet != '+' && octet != '/' && octet != '-' &&
                octet != '_' && octet != '=') {
                return false;
            }
        }
        return octets.size() >= kHeaderLetters;
    }

    static void read_one(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         Said& said) noexcept {
        const dns_tunnel::Label first = dns_tunnel::first_label(payload.bytes);
        dns_tunnel::Label label = first;
        const std::size_t command = command_at(payload.bytes, label);
        if (command == 0 || command == said.first || said.second || !is_base64(first.octets)) {
            return;
        }
        const dns_tunnel::Message message = dns_tunnel::read_message(payload);
        if (!message.valid ||
            (message.type != dns_tunnel::kTypeTxt && message.type != dns_tunnel::kTypeKey)) {
            return;
        }
        const std::size_t length = label.octets.size();
        if (said.first != 0) {
            said.second = true;
            // Once one is known, the other is one of two.
            evidence.add(kSecond, head, payload.entry, label.offset - 1, length + 1, 12);
            return;
        }
        said.first = command;
        evidence.set_variant(message.type == dns_tunnel::kTypeTxt ? kVariants[0] : kVariants[1]);
        // An equals sign where none belongs 8, a length 4, four letters at least 5 each.
        evidence.add(kCommand, head, payload.entry, label.offset - 1, length + 1, 32);
        // A quarter of all octets may stand there; names have nothing else either: half a bit.
        evidence.add(
            kHeader, head, payload.entry, first.offset, first.octets.size(), kHeaderLetters);
        if (command == 1 && has_text(first.octets, "AAAAA")) {
            // Five of 64 characters each; a letter that repeats is worth less.
            evidence.add(kNewSession, head, payload.entry, first.offset, 5, 16);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dns2tcp
