// AnyConnect (OpenConnect, ocserv) over DTLS 1.2: the client resumes a session that was made over
// TLS, so its first hello already has a session id of 32 octets and offers one cipher suite.
//
// Nothing in it is this VPN's own, any program may resume a session: at most `possible`, and DTLS
// itself is said. WebRTC's hellos have no session id and an extension use_srtp.
// Sources: openconnect dtls.c, gnutls-dtls.c; RFC 6347 §4.2; RFC 5764 §4.1.1.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "hello/client_hello.hpp"

namespace flowclass::fingerprint::anyconnect_dtls12 {

inline constexpr Rule kSessionId{"anyconnect.resumption",
                                 "a DTLS 1.2 client hello asks for a session of 32 octets, and has "
                                 "no use_srtp; openconnect dtls.c"};
inline constexpr Rule kSuite{"anyconnect.one_suite",
                             "that hello offers one cipher suite: what the session over TLS named; "
                             "openconnect dtls.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<std::string_view, 1> kVariants{"dtls"};
inline constexpr std::array<const Rule*, 2> kRules{&kSessionId, &kSuite};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "anyconnect",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Cisco AnyConnect over DTLS 1.2",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "openconnect dtls.c, gnutls-dtls.c; RFC 6347",
                                      .follows = {LinkKind::tls}};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({22}), .least_length = 93};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kSessionLength = 32;
        constexpr std::uint16_t kDtls12 = 0xfefd;
        const hello::ClientHello* hello = head.hello;
        if (hello == nullptr || hello->carrier != hello::Carrier::dtls ||
            hello->legacy_version != kDtls12 || hello->session_id.size() != kSessionLength ||
            !is_one_suite(hello->cipher_suites) || has_use_srtp(hello->extensions)) {
            return {};
        }
        const hello::ClientHello::Place session = hello->place_of(hello->session_id);
        const hello::ClientHello::Place suite = hello->place_of(hello->cipher_suites);
        if (!session.there || !suite.there || session.offset == 0 || suite.offset < 2) {
            return {};
        }
        Evidence evidence;
        // The lengths before either: 32 of all there may be, and one suite. What a resumption is
        // worth among DTLS hellos is a matter of habit, not of chance.
        evidence.add(kSessionId, head, session.entry, session.offset - 1, 1, 8);
        evidence.add(kSuite, head, suite.entry, suite.offset - 2, 2, 10);
        evidence.set_initiator(hello->direction);
        evidence.set_variant(kVariants[0]);
        return evidence;
    }

  private:
    // One suite, or one and the signal of RFC 5746 §3.3.
    static bool is_one_suite(Bytes suites) noexcept {
        constexpr std::uint16_t kRenegotiation = 0x00ff;
        ByteReader reader = at(suites, 2);
        return suites.size() == 2 || (suites.size() == 4 && reader.be16() == kRenegotiation);
    }

    static bool has_use_srtp(Bytes extensions) noexcept {
        constexpr std::uint16_t kUseSrtp = 14;
        ByteReader reader(extensions);
        while (reader.remaining() >= 4) {
            const std::uint16_t type = reader.be16();
            if (type == kUseSrtp) {
                return true;
            }
            reader.skip(reader.be16());
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::anyconnect_dtls12
