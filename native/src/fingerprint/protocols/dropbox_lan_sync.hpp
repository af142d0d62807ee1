// Dropbox LAN sync: JSON announcements, broadcast.
//
// {"host_int": number, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [...]},
// keys in any order
//
// Sources: announcements of Dropbox clients in public captures; Dropbox, Inside LAN Sync (2015).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::dropbox_lan_sync {

inline constexpr Rule kObject{"dropbox-lan-sync.object",
                              "a JSON object whose first key is one of the announcement"};
inline constexpr Rule kKey{"dropbox-lan-sync.key", "another key of the announcement behind it"};
inline constexpr Rule kPort{"dropbox-lan-sync.port", "UDP port 17500 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{17500};
inline constexpr std::array<const Rule*, 3> kRules{&kObject, &kKey, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "dropbox-lan-sync",
        .protocol_class = ProtocolClass::app,
        .title = "Dropbox LAN sync discovery",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources =
            "announcements of Dropbox clients in public captures; Dropbox, Inside LAN Sync (2015)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'{'}), .least_length = 40};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::array<std::string_view, 5> kFirst{"{\"host_int\": ",
                                                         "{\"version\": [",
                                                         "{\"displayname\": ",
                                                         "{\"port\": ",
                                                         "{\"namespaces\": ["};
        constexpr std::array<std::string_view, 5> kNext{", \"host_int\": ",
                                                        "], \"port\": ",
                                                        ", \"version\": [",
                                                        ", \"displayname\": ",
                                                        ", \"namespaces\": ["};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::string_view object = word_at(payload.bytes, kFirst);
                if (object.empty() || payload.bytes.size() < 40) {
                    return payload.bytes.size() < 40 ? ran_out(payload) : Reading::contradicts;
                }
                std::size_t offset = payload.bytes.size();
                std::string_view key;
                for (const std::string_view word : kNext) {
                    const std::size_t found = find_text(payload.bytes, word, object.size());
                    if (found < offset) {
                        offset = found;
                        key = word;
                    }
                }
                if (key.empty()) {
                    return Reading::contradicts;
                }
                // JSON keys are English words: half of the letters' bits.
                evidence.add(kObject,
                             head,
                             payload.entry,
                             0,
                             object.size(),
                             first ? word_bits(object) / 2 : 2);
                evidence.add(
                    kKey, head, payload.entry, offset, key.size(), first ? word_bits(key) / 2 : 2);
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dropbox_lan_sync
