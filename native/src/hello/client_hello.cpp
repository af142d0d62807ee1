// The body of a ClientHello and its extensions, the same for all carriers; the choice of carrier.
//
//  0          2        34
// | version  | random | u8 n, session id | DTLS: u8 n, cookie | u16 n, cipher suites |
// | u8 n, compression methods | u16 n, extensions: u16 type, u16 n, body ... |
#include "hello/client_hello.hpp"

#include <algorithm>

#include "hello/ja4.hpp"
#include "hello/parse.hpp"

namespace flowclass::hello {

namespace {

constexpr std::uint8_t kTcpProtocol = 6;
constexpr std::uint8_t kUdpProtocol = 17;

bool known_version(const ClientHello& hello) noexcept {
    switch (hello.carrier) {
        case Carrier::tls:
            return hello.legacy_version >= 0x0300 && hello.legacy_version <= 0x0304;
        case Carrier::quic:
            return hello.legacy_version == 0x0303;  // RFC 8446 §4.1.2
        default:
            // 0x0100: what OpenSSL 0.9.8 spoke, and VPNs still do.
            return hello.legacy_version == 0xfeff || hello.legacy_version == 0xfefd ||
                   hello.legacy_version == 0x0100;
    }
}

// One label or more of 1 to 63 letters, digits, hyphens, underscores; one dot at the end is left
// out. 0: no such name.
std::size_t copy_host_name(Bytes octets, std::span<char> out) noexcept {
    if (!octets.empty() && octets.back() == '.') {
        octets = octets.first(octets.size() - 1);
    }
    if (octets.size() > out.size()) {
        return 0;
    }
    std::size_t label = 0;
    for (std::size_t at = 0; at < octets.size(); ++at) {
        const std::uint8_t octet = octets[at];
        const bool upper = octet >= 'A' && octet <= 'Z';
        const bool plain = (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') ||
                           octet == '-' || octet == '_';
        if (octet == '.' ? label == 0 : !(plain || upper) || label == 63) {
            return 0;
        }
        label = octet == '.' ? 0 : label + 1;
        out[at] = static_cast<char>(upper ? octet + ('a' - 'A') : octet);
    }
    return label == 0 ? 0 : octets.size();
}

// RFC 6066 §3: a list with at most one name of type 0.
void read_server_name(Bytes extension, ClientHello& out) noexcept {
    out.has_server_name = true;
    ByteReader reader(extension);
    ByteReader list(reader.bytes(reader.be16()));
    while (list.remaining() > 0) {
        const std::uint8_t type = list.u8();
        const Bytes name = list.bytes(list.be16());
        if (type == 0 && list.ok()) {
            out.server_name_octets = name;
            out.server_name_length =
                static_cast<std::uint8_t>(copy_host_name(name, out.server_name_text));
            return;
        }
    }
}

// RFC 7301 §3.1. A comma would make two names of one.
bool is_printable(Bytes name) noexcept {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](std::uint8_t octet) {
        return octet > ' ' && octet < 0x7f && octet != ',';
    });
}

void read_alpn(Bytes extension, ClientHello& out) noexcept {
    ByteReader reader(extension);
    const Bytes list = reader.bytes(reader.be16());
    out.application_protocols = list;
    ByteReader names(list);
    std::size_t length = 0;
    while (names.remaining() > 0) {
        const Bytes name = names.bytes(names.u8());
        const std::size_t comma = length > 0 ? 1 : 0;
        if (!is_printable(name) || length + comma + name.size() > out.alpn_text.size()) {
            continue;
        }
        if (comma > 0) {
            out.alpn_text[length++] = ',';
        }
        for (const std::uint8_t octet : name) {
            out.alpn_text[length++] = static_cast<char>(octet);
        }
    }
    out.alpn_length = static_cast<std::uint8_t>(length);
}

// The first of each type counts.
void read_extension(std::uint16_t type, Bytes body, ClientHello& out) noexcept {
    ByteReader reader(body);
    if (type == kServerName && !out.has_server_name) {
        read_server_name(body, out);
    } else if (type == kAlpn && out.application_protocols.empty()) {
        read_alpn(body, out);
    } else if (type == kSupportedVersions && out.supported_versions.empty()) {
        out.supported_versions = reader.bytes(reader.u8());
    } else if (type == kSignatureAlgorithms && out.signature_algorithms.empty()) {
        out.signature_algorithms = reader.bytes(reader.be16());
    } else if ((type == kTransportParameters || type == kTransportParametersDraft) &&
               out.carrier == Carrier::quic && out.transport_parameters.empty()) {
        out.transport_parameters = body;
    }
}

bool read_extensions(ClientHello& out) noexcept {
    ByteReader reader(out.extensions);
    while (reader.remaining() > 0) {
        const std::uint16_t type = reader.be16();
        const Bytes body = reader.bytes(reader.be16());
        if (!reader.ok()) {
            return false;
        }
        read_extension(type, body, out);
    }
    return true;
}

void clear(ClientHello& out) noexcept {
    out.cookie = {};
    out.extensions = {};
    out.supported_versions = {};
    out.signature_algorithms = {};
    out.application_protocols = {};
    out.server_name_octets = {};
    out.transport_parameters = {};
    out.has_server_name = false;
    out.server_name_length = 0;
    out.alpn_length = 0;
    out.ja4_length = 0;
}

// A record with a handshake message's first octet, type ClientHello.
bool begins_tls(Bytes stream) noexcept {
    return stream.size() > 5 && stream[0] == 22 && stream[1] == 3 && stream[5] == kClientHello;
}

bool may_begin(const FlowHead& head, Direction direction) noexcept {
    if (head.ip_proto == kTcpProtocol) {
        return begins_tls(head.stream(direction));
    }
    const std::size_t entry = head.next(direction);
    if (entry == head::kMaxEntries) {
        return false;
    }
    const head::Payload payload = head.payload(entry);
    const std::uint8_t first = base::at(payload.bytes, 0).u8();
    // STUN shares a flow with DTLS and comes first: RFC 7983, RFC 8489 §5.
    return first == 22 || (first >= 0xc0 && payload.length >= 1200) ||
           (first <= 1 && base::at(payload.bytes, 4).be32() == 0x2112a442);
}

}  // namespace

bool parse_body(Bytes body, ClientHello& out) noexcept {
    clear(out);
    ByteReader reader(body);
    out.legacy_version = reader.be16();
    reader.skip(32);
    out.session_id = reader.bytes(reader.u8());
    if (out.carrier == Carrier::dtls) {
        out.cookie = reader.bytes(reader.u8());
    }
    out.cipher_suites = reader.bytes(reader.be16());
    const Bytes compression = reader.bytes(reader.u8());
    if (reader.remaining() > 0) {
        out.extensions = reader.bytes(reader.be16());
    }
    if (!reader.ok() || reader.remaining() > 0 || !known_version(out) ||
        out.session_id.size() > 32 || out.cipher_suites.empty() ||
        out.cipher_suites.size() % 2 != 0 || compression.empty() || !read_extensions(out)) {
        return false;
    }
    out.ja4_length = make_ja4(out, out.ja4_text) ? static_cast<std::uint8_t>(kJa4Length) : 0;
    return true;
}

ClientHello::Place ClientHello::place_of(Bytes field) const noexcept {
    if (field.empty() || piece_count == 0) {
        return {};
    }
    if (carrier == Carrier::quic) {
        return {true, pieces[0].entry, pieces[0].offset, pieces[0].length};
    }
    const auto begin = static_cast<std::size_t>(field.data() - message.data());
    for (std::size_t index = 0; index < piece_count; ++index) {
        const Piece& piece = pieces[index];
        if (begin >= piece.begin && begin < piece.begin + std::size_t{piece.length}) {
            const std::size_t inside = begin - piece.begin;
            return {true,
                    piece.entry,
                    piece.offset + inside,
                    std::min(field.size(), piece.length - inside)};
        }
    }
    return {};
}

bool may_hold_hello(const FlowHead& head) noexcept {
    return (head.ip_proto == kTcpProtocol || head.ip_proto == kUdpProtocol) &&
           (may_begin(head, Direction::forward) || may_begin(head, Direction::reverse));
}

bool read(const FlowHead& head, ClientHello& out) noexcept {
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        if (head.ip_proto == kTcpProtocol) {
            if (begins_tls(head.stream(direction)) && read_tls(head, direction, out)) {
                return true;
            }
        } else if (head.ip_proto == kUdpProtocol) {
            if (read_dtls(head, direction, out) || read_quic(head, direction, out)) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace flowclass::hello
