// MASQUE: UDP or IP through an HTTP/3 proxy (RFC 9298, RFC 9484). The request is sealed; before it,
// in the client's Initial, stand
//
//   the server name, which some services use for this alone,
//   the protocol name h3,
//   transport parameter 0x20, max_datagram_frame_size: varint id | varint length | varint, which
//   browsers send too (RFC 9221 §3).
//
// So all three together are worth `possible`, never more, and the flow stays quic.
//
// Sources: RFC 9298, RFC 9484 §6, RFC 9221 §3, RFC 9000 §18; each name's own in
// fingerprint/provider_names.csv.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/provider_names.hpp"
#include "hello/quic_initial.hpp"

namespace flowclass::fingerprint::masque {

inline constexpr Rule kName{"masque.server_name",
                            "the server name that the client asks for is one of a service's MASQUE "
                            "proxies; provider_names.csv"};
inline constexpr Rule kProtocol{"masque.h3", "the client offers HTTP/3; RFC 9114 §3.1"};
inline constexpr Rule kDatagrams{"masque.max_datagram_frame_size",
                                 "the client takes DATAGRAM frames: transport parameter 0x20 above "
                                 "0; RFC 9221 §3"};
inline constexpr std::array<std::uint16_t, 2> kPorts{443, 4443};
inline constexpr std::array<const Rule*, 3> kRules{&kName, &kProtocol, &kDatagrams};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "masque",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "MASQUE, CONNECT-UDP and CONNECT-IP",
                                      .ports = kPorts,
                                      .variants = kMasqueProviders,
                                      .rules = kRules,
                                      .sources = "RFC 9298, RFC 9484, RFC 9221"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0xc0, 0xff), .least_length = 1200};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        if (head.hello == nullptr || head.hello->carrier != hello::Carrier::quic) {
            return evidence;
        }
        const hello::ClientHello& said = *head.hello;
        const ProviderName* const found = find_provider(said.server_name());
        if (found == nullptr || found->role != ProviderRole::masque || !offers_h3(said) ||
            max_datagram_frame(said) == 0) {
            return evidence;
        }
        // As for vpn-provider; the other two are what most clients of HTTP/3 send.
        add_hello_field(evidence, kName, head, name_octets(said, found->suffix), 16);
        if (!evidence.empty()) {
            add_hello_field(evidence, kProtocol, head, said.application_protocols, 1);
            add_hello_field(evidence, kDatagrams, head, said.transport_parameters, 2);
            evidence.set_variant(found->provider);
            evidence.set_initiator(said.direction);
        }
        return evidence;
    }

  private:
    static bool offers_h3(const hello::ClientHello& said) noexcept {
        ByteReader names(said.application_protocols);
        while (names.remaining() > 0) {
            const Bytes name = names.bytes(names.u8());
            if (name.size() == 2 && name[0] == 'h' && name[1] == '3') {
                return true;
            }
        }
        return false;
    }

    // 0: not there, or said to be 0.
    static std::uint64_t max_datagram_frame(const hello::ClientHello& said) noexcept {
        ByteReader parameters(said.transport_parameters);
        while (parameters.remaining() > 0) {
            const std::uint64_t id = hello::read_varint(parameters);
            const std::uint64_t length = hello::read_varint(parameters);
            const Bytes value = parameters.bytes(
                length > parameters.remaining() ? SIZE_MAX : static_cast<std::size_t>(length));
            if (id == 0x20 && parameters.ok()) {
                ByteReader reader(value);
                const std::uint64_t size = hello::read_varint(reader);
                return reader.ok() ? size : 0;
            }
        }
        return 0;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::masque
