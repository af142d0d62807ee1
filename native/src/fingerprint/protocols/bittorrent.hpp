// BitTorrent's peer protocol over TCP (BEP 3) and its distributed hash table over UDP (BEP 5).
//
//  peer: 0x13 "BitTorrent protocol" | 8 reserved | 20 info hash | 20 peer id | messages
//  DHT:  a bencoded dictionary, keys in order: "d1:ad2:id20:" <20 octets> ... "1:q9:find_node" ...
//        "1:y1:q" 'e' for questions, "d1:rd2:id20:" or "d2:ip6:" ... for answers, "d1:eli2" for
//        errors
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::bittorrent {

inline constexpr Rule kHandshake{"bittorrent.handshake",
                                 "the stream begins with 19 and the words BitTorrent protocol; BEP "
                                 "3"};
inline constexpr Rule kInfoHash{"bittorrent.info_hash",
                                "both sides name the same info hash; BEP 3"};
inline constexpr Rule kQuery{
    "bittorrent.dht_query",
    "a dictionary whose first key is the arguments with a 20-octet id; BEP "
    "5"};
inline constexpr Rule kAnswer{"bittorrent.dht_answer",
                              "a dictionary whose first keys are the address seen or the return "
                              "values with a 20-octet id; BEP 5, BEP 42"};
inline constexpr Rule kError{"bittorrent.dht_error",
                             "a dictionary whose first key is an error list with a code of 201 to "
                             "299; BEP 5"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6881, 51413};
inline constexpr std::array<std::string_view, 2> kVariants{"tcp", "dht"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kHandshake, &kInfoHash, &kQuery, &kAnswer, &kError};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bittorrent",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "BitTorrent",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "BEP 3, BEP 5, BEP 42"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp, kUdp}, .first_bytes = ByteSet::of({0x13, 'd'}), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        return head.ip_proto == kTcp ? match_stream(head) : match_datagrams(head);
    }

  private:
    static bool starts(Bytes bytes, std::string_view text, std::size_t offset = 0) noexcept {
        const Bytes found = at(bytes, offset).bytes(text.size());
        return found.size() == text.size() &&
               std::equal(text.begin(), text.end(), found.begin(), [](char want, std::uint8_t got) {
                   return static_cast<std::uint8_t>(want) == got;
               });
    }

    static Evidence match_stream(const FlowHead& head) noexcept {
        constexpr std::string_view kText =
            "\x13"
            "BitTorrent protocol";
        Evidence evidence;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            if (starts(head.stream(direction), kText)) {
                evidence.add_stream(kHandshake, head, direction, 0, kText.size(), 160);
                evidence.set_variant("tcp");
            }
        }
        const Bytes asked = at(head.stream(Direction::forward), 28).bytes(20);
        const Bytes answered = at(head.stream(Direction::reverse), 28).bytes(20);
        if (evidence.both_directions() && asked.size() == 20 && answered.size() == 20 &&
            std::equal(asked.begin(), asked.end(), answered.begin())) {
            evidence.add_stream(kInfoHash, head, Direction::reverse, 28, 20, 64);
        }
        return evidence;
    }

    static Evidence match_datagrams(const FlowHead& head) noexcept {
        Evidence evidence;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            add_datagram(evidence, head, head.payload(entry));
        }
        if (!evidence.empty()) {
            evidence.set_variant("dht");
        }
        return evidence;
    }

    static void add_datagram(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload) noexcept {
        const Bytes bytes = payload.bytes;
        if (starts(bytes, "d1:ad2:id20:")) {
            evidence.add(kQuery, head, payload.entry, 0, 12, 96);
        } else if (starts(bytes, "d1:rd2:id20:")) {
            evidence.add(kAnswer, head, payload.entry, 0, 12, 96);
        } else if (starts(bytes, "d2:ip6:") && starts(bytes, "1:rd2:id20:", 13)) {
            evidence.add(kAnswer, head, payload.entry, 0, 7, 56);
            evidence.add(kAnswer, head, payload.entry, 13, 11, 88);
        } else if (starts(bytes, "d2:ip18:") && starts(bytes, "1:rd2:id20:", 26)) {
            evidence.add(kAnswer, head, payload.entry, 0, 8, 64);
            evidence.add(kAnswer, head, payload.entry, 26, 11, 88);
        } else if (starts(bytes, "d1:eli2")) {
            evidence.add(kError, head, payload.entry, 0, 7, 56);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bittorrent
