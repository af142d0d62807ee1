// SSH (RFC 4253 §4.2, §6, §7.1): both sides begin with a line of text, then binary packets.
//
//  "SSH-" version "-" software [SP comments] CR LF     at most 255 octets; version 2.0, 1.99 or 1.x
//  u32 packet length | u8 padding length | u8 20 (KEXINIT) | 16 octets cookie | name lists
//  u32 packet length | u8 padding length | u8 31 or 33 (the server's reply) | string host key ...
//
// Behind that all is encrypted: what begins later has no form to tell it by. Each side is judged
// by itself, so that one direction alone is enough.
// The names of what was forwarded through it are encrypted: it is an application here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::ssh {

inline constexpr Rule kBanner{"ssh.banner",
                              "the stream begins with SSH-2.0-, SSH-1.99- or SSH-1.5-; RFC 4253 "
                              "§4.2, §5.1"};
inline constexpr Rule kLine{
    "ssh.line", "the first line is printable and ends within 255 octets; RFC 4253 §4.2"};
inline constexpr Rule kKeyExchange{"ssh.kexinit",
                                   "a binary packet of whole blocks with message 20 behind the "
                                   "banner; RFC 4253 §6, §7.1"};

inline constexpr Rule kNameList{"ssh.name_list",
                                "the key exchange's first name list fits the packet and begins "
                                "with letters, digits and hyphens; RFC 4253 §7.1"};

inline constexpr Rule kKeyExchangeAlone{"ssh.kexinit_alone",
                                        "mid-flow: the kept stream begins with a packet of whole "
                                        "blocks with message 20, the banner before the capture; "
                                        "RFC 4253 §6, §7.1"};
inline constexpr Rule kKeyReply{"ssh.key_reply",
                                "mid-flow: the kept stream begins with a packet of message 31 or "
                                "33; RFC 4253 §8, RFC 5656 §4, RFC 4419 §3"};
inline constexpr Rule kHostKey{"ssh.host_key",
                               "the reply's host key fits the packet and begins with its "
                               "algorithm's name; RFC 4253 §6.6, RFC 5656 §3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{22};
inline constexpr std::array<const Rule*, 7> kRules{
    &kBanner, &kLine, &kKeyExchange, &kNameList, &kKeyExchangeAlone, &kKeyReply, &kHostKey};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ssh",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Secure Shell",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4253"};
    // 0: a key exchange whose banner came before the capture.
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'S', 0x00}), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        add(evidence, head, Direction::forward);
        add(evidence, head, Direction::reverse);
        return evidence;
    }

  private:
    static std::size_t banner_length(Bytes stream) noexcept {
        for (const std::string_view banner : {"SSH-2.0-", "SSH-1.99-", "SSH-1.5-"}) {
            std::size_t index = 0;
            while (index < banner.size() && index < stream.size() &&
                   stream[index] == static_cast<std::uint8_t>(banner[index])) {
                ++index;
            }
            if (index == banner.size()) {
                return banner.size();
            }
        }
        return 0;
    }

    static void add(Evidence& evidence, const FlowHead& head, Direction direction) noexcept {
        const Bytes stream = head.stream(direction);
        const std::size_t banner = banner_length(stream);
        if (banner == 0) {
            add_key_exchange(evidence, head, direction, 0);
            add_key_reply(evidence, head, direction);
            return;
        }
        std::size_t end = banner;
        while (end < stream.size() && end < 255 && stream[end] >= 0x20 && stream[end] <= 0x7e) {
            ++end;
        }
        if (end < stream.size() && stream[end] == '\r') {
            ++end;
        }
        const bool ended = end < stream.size() && stream[end] == '\n';
        if (!ended && end < stream.size()) {
            return;
        }
        // Three banners.
        evidence.add_stream(kBanner, head, direction, 0, banner, 62);
        if (!ended) {
            return;
        }
        evidence.add_stream(kLine, head, direction, end, 1, 8);
        add_key_exchange(evidence, head, direction, end + 1);
    }

    // The packet's length where it begins with one of these messages; 0 where it does not.
    static std::uint32_t read_packet(ByteReader& reader,
                                     std::initializer_list<std::uint8_t> messages) noexcept {
        const std::uint32_t length = reader.be32();
        const std::uint8_t padding = reader.u8();
        const std::uint8_t message = reader.u8();
        // RFC 4253 §6: at most 35000 octets, whole blocks of 8, at least 4 octets of padding.
        const bool fits = reader.ok() && length <= 35000 && length % 8 == 4 && padding >= 4 &&
                          padding < length &&
                          std::find(messages.begin(), messages.end(), message) != messages.end();
        return fits ? length : 0;
    }

    static void add_key_exchange(Evidence& evidence,
                                 const FlowHead& head,
                                 Direction direction,
                                 std::size_t offset) noexcept {
        ByteReader reader = at(head.stream(direction), offset);
        const std::uint32_t length = read_packet(reader, {20});
        if (length == 0) {
            return;
        }
        reader.skip(16);
        const std::uint32_t names = reader.be32();
        const Bytes name = reader.bytes(16);
        const bool fits = reader.ok() && names >= 16 && names + 22 < length && is_name(name);
        // Without the banner before it the names have to be seen.
        if (offset == 0 && !fits) {
            return;
        }
        evidence.add_stream(
            offset == 0 ? kKeyExchangeAlone : kKeyExchange, head, direction, offset, 6, 27);
        if (fits) {
            // A list's length that fits: its high octets; 16 octets out of 64 each.
            evidence.add_stream(kNameList, head, direction, offset + 22, 3, 14);
            evidence.add_stream(kNameList, head, direction, offset + 26, 16, 32);
        }
    }

    static void add_key_reply(Evidence& evidence,
                              const FlowHead& head,
                              Direction direction) noexcept {
        constexpr std::array<std::string_view, 5> kNames{
            "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "ssh-dss", "rsa-sha2-"};
        const Bytes stream = head.stream(direction);
        ByteReader reader(stream);
        const std::uint32_t length = read_packet(reader, {31, 33});
        const std::uint32_t key = reader.be32();
        const std::uint32_t name = reader.be32();
        if (length == 0 || !reader.ok() || key + 10 > length || name + 4 > key) {
            return;
        }
        for (const std::string_view known : kNames) {
            if (name >= known.size() && has_text(stream, known, reader.position())) {
                // Two messages of 256, a length of whole blocks below 2^16: 26.
                evidence.add_stream(kKeyReply, head, direction, 0, 6, 26);
                // Two lengths that fit 16, the first by its high octets; seven octets of text at
                // least 48.
                evidence.add_stream(kHostKey, head, direction, 6, 3, 8);
                evidence.add_stream(kHostKey, head, direction, 10, 4 + known.size(), 56);
                return;
            }
        }
    }

    static bool is_name(Bytes name) noexcept {
        for (const std::uint8_t octet : name) {
            const bool letter = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
            const bool digit = octet >= '0' && octet <= '9';
            if (!letter && !digit && octet != '-' && octet != '@' && octet != '.') {
                return false;
            }
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ssh
