// The slow ways of the IP layer: extension headers, and the strict look at an IP header inside a
// tunnel.
#include "decode/network.hpp"

namespace flowclass::decode {

namespace {

using packet::FlowLayer;
using packet::Fragment;
using packet::SkipKind;

// RFC 8200 §4.5: next header, reserved, offset (13) reserved (2) more (1), identification. An
// offset of 0 without "more" is a whole packet (RFC 6946).
bool take_fragment_header(std::uint8_t& next,
                          Slice& slice,
                          FlowLayer& layer,
                          IpFacts& facts) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t after = reader.u8();
    reader.skip(1);
    const std::uint16_t place = reader.be16();
    const std::uint32_t id = reader.be32();
    if (!reader.ok()) {
        return false;
    }
    next = after;
    slice.drop(8);
    if ((place & 0xfff8U) != 0) {
        layer.fragment = Fragment::later;
        facts.fragment_id = id;
    } else if ((place & 1U) != 0) {
        layer.fragment = Fragment::first;
        facts.fragment_id = id;
    }
    return true;
}

// Next header and length in units of 8 octets behind the first 8. Mobility, HIP and shim6 messages
// stand alone with "no next header" behind them: then they are the upper protocol themselves.
enum class Extension : std::uint8_t { taken, upper, cut };
Extension take_option_header(std::uint8_t& next, Slice& slice, FlowLayer& layer) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t after = reader.u8();
    const std::size_t length = (std::size_t{reader.u8()} + 1) * 8;
    if (!reader.ok() || length > slice.wire) {
        return Extension::cut;
    }
    const auto type = static_cast<IpProtocol>(next);
    const bool message =
        type == IpProtocol::mobility || type == IpProtocol::hip || type == IpProtocol::shim6;
    if (message && after == static_cast<std::uint8_t>(IpProtocol::ipv6_no_next)) {
        return Extension::upper;
    }
    next = after;
    layer.truncated = layer.truncated || length > slice.bytes.size();
    slice.drop(length);
    return Extension::taken;
}

// RFC 1071 over whole 16-bit words.
std::uint16_t ones_complement_sum(base::Bytes bytes) noexcept {
    base::ByteReader reader(bytes);
    std::uint32_t sum = 0;
    while (reader.remaining() >= 2) {
        sum += reader.be16();
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(sum);
}

SkipKind check_inner_ipv4(const Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t version_length = reader.u8();
    reader.skip(1);
    const std::uint32_t total = reader.be16();
    if (!reader.ok()) {
        return slice.shortage();
    }
    const std::uint32_t header_length = (version_length & 15U) * 4;
    if (version_length >> 4U != 4 || header_length < 20 || total < header_length ||
        total > slice.wire) {
        return SkipKind::malformed;
    }
    base::ByteReader whole(slice.bytes);
    const base::Bytes header = whole.bytes(header_length);
    if (!whole.ok()) {
        return slice.shortage();
    }
    return ones_complement_sum(header) == 0xffff ? SkipKind::none : SkipKind::malformed;
}

SkipKind check_inner_ipv6(const Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t version = reader.be32() >> 28U;
    const std::uint32_t length = reader.be16();
    const std::uint8_t next = reader.u8();
    reader.skip(33);
    if (!reader.ok()) {
        return slice.shortage();
    }
    const bool empty = length == 0 && next != static_cast<std::uint8_t>(IpProtocol::ipv6_no_next);
    return version != 6 || empty || length + 40 > slice.wire ? SkipKind::malformed : SkipKind::none;
}

}  // namespace

void take_extension_headers(std::uint8_t next,
                            Slice& slice,
                            FlowLayer& layer,
                            IpFacts& facts) noexcept {
    bool fits = true;
    for (std::size_t count = 0; is_extension_header(next); ++count) {
        if (count == kMaxExtensionHeaders) {
            fits = false;
            break;
        }
        if (next == static_cast<std::uint8_t>(IpProtocol::ipv6_fragment)) {
            fits = take_fragment_header(next, slice, layer, facts);
            if (layer.fragment == Fragment::later) {
                break;  // what follows is no header
            }
        } else {
            const Extension extension = take_option_header(next, slice, layer);
            fits = extension != Extension::cut;
            if (extension == Extension::upper) {
                break;
            }
        }
        if (!fits) {
            break;
        }
    }
    layer.ip_proto = next;
    facts.extension_malformed = !fits && !slice.cut();
}

SkipKind check_inner_ip(const Slice& slice, std::uint8_t version) noexcept {
    return version == 4 ? check_inner_ipv4(slice) : check_inner_ipv6(slice);
}

}  // namespace flowclass::decode
