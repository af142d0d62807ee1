// XMPP (RFC 6120 §4), TCP: two streams of XML.
//
//  "<?xml version='1.0'?>" | "<stream:stream " attributes: to, xmlns='jabber:client' ... ">"
//  then stanzas: "<iq ", "<message ", "<presence", "<auth ", "<starttls ", "<stream:features"
//
// Behind starttls the connection goes on as TLS.
//
// Sources: RFC 6120 §4.2, §5.4, §8; RFC 3920.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::xmpp {

inline constexpr Rule kStream{"xmpp.stream", "the XML begins a stream; RFC 6120 §4.2"};
inline constexpr Rule kNamespace{"xmpp.namespace",
                                 "a namespace of Jabber or of streams; RFC 6120 §4.8"};
inline constexpr Rule kStanza{"xmpp.stanza",
                              "a stanza, or what is said before stanzas; RFC 6120 §5.4, §8"};

inline constexpr std::array<std::uint16_t, 2> kPorts{5222, 5269};
inline constexpr std::array<const Rule*, 3> kRules{&kStream, &kNamespace, &kStanza};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "xmpp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Extensible Messaging and Presence Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6120 §4.2, §5.4, §8; RFC 3920"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'<'}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        if (has_text(stream, "<?xml") || has_text(stream, "<stream:stream")) {
            const std::size_t place = find_text(stream, "<stream:stream");
            if (place == stream.size()) {
                return true;
            }
            // Fourteen letters; anywhere 6 fewer.
            side.add(evidence, kStream, place, 14, 60);
            add_namespace(evidence, side, place);
            return true;
        }
        constexpr std::array<std::string_view, 9> kStanzas{"<iq ",
                                                           "<message ",
                                                           "<presence",
                                                           "<stream:features",
                                                           "<starttls xmlns",
                                                           "<proceed xmlns",
                                                           "<auth xmlns",
                                                           "<success xmlns",
                                                           "</stream:stream>"};
        for (const std::string_view stanza : kStanzas) {
            if (has_text(stream, stanza)) {
                side.add(evidence, kStanza, 0, stanza.size(), word_bits(stanza.size(), kStanzas));
                add_namespace(evidence, side, stanza.size());
                return true;
            }
        }
        return true;
    }

    // Seven or more octets, anywhere: 7 fewer.
    static void add_namespace(Evidence& evidence,
                              const StreamSide& side,
                              std::size_t from) noexcept {
        constexpr std::array<std::string_view, 4> kNamespaces{"jabber:",
                                                              "http://etherx.jabber.org/streams",
                                                              "urn:ietf:params:xml:ns:xmpp",
                                                              "urn:xmpp:"};
        for (const std::string_view space : kNamespaces) {
            const std::size_t found = find_text(side.stream(), space, from);
            if (found < side.size()) {
                side.add(evidence, kNamespace, found, space.size(), kLetterBits * 7 - 7);
                return;
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::xmpp
