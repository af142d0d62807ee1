// The message to hash is at most 40 octets, so one SHA-1 block does.
#include "flow/community_id.hpp"

#include <algorithm>
#include <string_view>

#include "base/sha1.hpp"
#include "flow/flow_key.hpp"

namespace flowclass::flow {

namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kSctp = 132;

struct Message {
    std::array<std::uint8_t, 40> octets{};
    std::size_t length = 0;

    void add(std::uint8_t octet) noexcept { octets[length++] = octet; }
    void add16(std::uint16_t value) noexcept {
        add(static_cast<std::uint8_t>(value >> 8U));
        add(static_cast<std::uint8_t>(value));
    }
    void add(const base::IpAddress& address) noexcept {
        const auto bytes = address.to_bytes();
        for (std::size_t index = 0; index < address.byte_count(); ++index) {
            add(bytes[index]);
        }
    }
};

bool is_ordered(const CommunityIdTuple& tuple, bool has_ports) noexcept {
    const bool icmp = tuple.ip_proto == kIcmp || tuple.ip_proto == kIcmp6;
    if (icmp && icmp_counterpart(tuple.ip_proto, static_cast<std::uint8_t>(tuple.src_port)) < 0) {
        return true;  // one-way: the direction is part of the id
    }
    if (tuple.src != tuple.dst) {
        return tuple.src < tuple.dst;
    }
    return !has_ports || tuple.src_port <= tuple.dst_port;
}

}  // namespace

std::array<char, kCommunityIdText> community_id(const CommunityIdTuple& tuple) noexcept {
    const std::uint8_t proto = tuple.ip_proto;
    const bool has_ports =
        proto == kTcp || proto == kUdp || proto == kSctp || proto == kIcmp || proto == kIcmp6;
    const bool ordered = is_ordered(tuple, has_ports);
    Message message;
    message.add16(tuple.seed);
    message.add(ordered ? tuple.src : tuple.dst);
    message.add(ordered ? tuple.dst : tuple.src);
    message.add(proto);
    message.add(std::uint8_t{0});
    if (has_ports) {
        message.add16(ordered ? tuple.src_port : tuple.dst_port);
        message.add16(ordered ? tuple.dst_port : tuple.src_port);
    }
    const base::Sha1Digest digest =
        base::sha1_of_short(std::span(message.octets).first(message.length));
    // RFC 4648 §4: 20 octets make 27 characters and one pad.
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<char, kCommunityIdText> text{};
    text[0] = '1';
    text[1] = ':';
    for (std::size_t group = 0; group < 7; ++group) {
        const std::size_t from = 3 * group;
        const std::uint32_t third = from + 2 < digest.size() ? digest[from + 2] : 0;
        const std::uint32_t bits =
            std::uint32_t{digest[from]} << 16U | std::uint32_t{digest[from + 1]} << 8U | third;
        for (std::size_t sextet = 0; sextet < 4; ++sextet) {
            text[2 + 4 * group + sextet] = kAlphabet[bits >> (18U - 6U * sextet) & 63U];
        }
    }
    text[kCommunityIdText - 1] = '=';
    return text;
}

}  // namespace flowclass::flow
