// SoftEther VPN, NAT traversal: UDP, server port 5004.
//
//  keepalive of the client:  one octet, "A"
//  its answer:               "IP=" address ",PORT=" number: how the client is seen from outside
//  PACK: 0 count 4 | then each element: name length + 1, 4 | name, without a zero | type 4: 0 int,
//        1 data, 2 string, 3 wide string, 4 64-bit int | values 4 | values: ints 4 or 8 octets, the
//        others length 4 and octets
//   elements of NAT traversal: opcode "nat_t_register" or "get_token", tran_id, token, ...
// A server of this VPN speaks it; the tunnel itself is TLS, or UDP that looks like noise.
//
// Sources: SoftEtherVPN src/Mayaqua/Network.h, Pack.c; src/Cedar/Cedar.h; nDPI softether.c.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::softether {

inline constexpr Rule kKeepalive{"softether.keepalive",
                                 "a datagram of one octet, A; SoftEtherVPN Network.h"};
inline constexpr Rule kAddress{"softether.address",
                               "a datagram of IP=, an address, ,PORT= and a number; SoftEtherVPN "
                               "Network.h"};
inline constexpr Rule kPack{"softether.pack",
                            "a PACK whose first element has a name of NAT traversal; SoftEtherVPN "
                            "Pack.c, Cedar.h"};
inline constexpr Rule kCount{"softether.pack_count",
                             "the PACK's count of elements leads to the datagram's end; "
                             "SoftEtherVPN Pack.c"};
inline constexpr Rule kOpcode{"softether.opcode",
                              "the element opcode is nat_t_register or get_token; SoftEtherVPN "
                              "Cedar.h"};
inline constexpr Rule kTransaction{"softether.transaction",
                                   "the answer carries the request's 64-bit tran_id; SoftEtherVPN "
                                   "Cedar.h"};
inline constexpr Rule kPort{"softether.port", "UDP port 5004 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5004};
inline constexpr std::array<std::string_view, 1> kVariants{"nat-t"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kKeepalive, &kAddress, &kPack, &kCount, &kOpcode, &kTransaction, &kPort};

// Elements are sorted by name; these come first in what is sent.
inline constexpr std::array<std::string_view, 8> kFirstNames{"enable_source_ip_validation",
                                                             "err_code",
                                                             "host_name",
                                                             "isret",
                                                             "machine_key",
                                                             "my_ip",
                                                             "nat_traversal_version",
                                                             "opcode"};

// "IP=" four numbers ",PORT=" a number, to the end.
inline bool is_address(Bytes text) noexcept {
    constexpr std::string_view kPrefix = "IP=";
    constexpr std::string_view kBetween = ",PORT=";
    if (!has_text(text, kPrefix)) {
        return false;
    }
    std::size_t offset = kPrefix.size();
    std::size_t dots = 0;
    std::size_t digits = 0;
    while (offset < text.size() && (is_digit(text[offset]) || text[offset] == '.')) {
        const bool dot = text[offset] == '.';
        if (dot ? digits == 0 : digits == 3) {
            return false;
        }
        dots += dot ? 1 : 0;
        digits = dot ? 0 : digits + 1;
        ++offset;
    }
    if (dots != 3 || digits == 0 || !has_text(text, kBetween, offset)) {
        return false;
    }
    offset += kBetween.size();
    const std::size_t begin = offset;
    while (offset < text.size() && is_digit(text[offset])) {
        ++offset;
    }
    return offset == text.size() && offset > begin && offset <= begin + 5;
}

struct Element {
    std::size_t begin = 0;
    std::size_t name = 0;   // offsets in the datagram
    std::size_t value = 0;  // of the first value, its length before it where it has one
    std::size_t name_length = 0;
    std::uint32_t type = 0;
    std::uint32_t values = 0;
};

inline bool read_element(ByteReader& reader, Element& out) noexcept {
    constexpr std::uint32_t kMostName = 64;
    out.begin = reader.position();
    const std::uint32_t name = reader.be32();
    out.name = reader.position();
    if (name < 2 || name > kMostName) {
        return false;
    }
    out.name_length = name - 1;
    reader.skip(out.name_length);
    out.type = reader.be32();
    out.values = reader.be32();
    out.value = reader.position();
    return reader.ok() && out.type <= 4 && out.values >= 1 && out.values <= 16;
}

inline bool skip_values(ByteReader& reader, const Element& element) noexcept {
    for (std::uint32_t value = 0; value < element.values; ++value) {
        if (element.type == 0 || element.type == 4) {
            reader.skip(element.type == 0 ? 4 : 8);
        } else {
            reader.skip(reader.be32());
        }
    }
    return reader.ok();
}

class Scan {
  public:
    explicit Scan(const FlowHead& head) noexcept : head_(head) {}

    Evidence run() noexcept {
        for (std::size_t entry = 0; entry < head_.entry_count; ++entry) {
            const Payload payload = head_.payload(entry);
            const std::uint8_t first = at(payload.bytes, 0).u8();
            if (payload.length == 0 || payload.bytes.empty()) {
                continue;
            }
            if (payload.length == 1 && first == 'A') {
                add_keepalive(payload);
            } else if (first == 'I' && payload.bytes.size() == payload.length &&
                       is_address(payload.bytes)) {
                // Nine letters at 6, the signs between the numbers 4 each.
                evidence_.add(kAddress, head_, entry, 0, payload.length, addresses_ == 0 ? 70 : 4);
                ++addresses_;
                evidence_.set_initiator(opposite(payload.direction));
            } else if (first == 0) {
                if (!add_pack(payload)) {
                    return {};
                }
            } else if (payload.bytes.size() == payload.length) {
                return {};
            }
        }
        if (!evidence_.empty() && head_.has_port(kPorts[0])) {
            add_port(evidence_, kPort, head_);
        }
        evidence_.set_variant(kVariants[0]);
        return evidence_;
    }

  private:
    // 8 for the octet less its being a letter, 6 for the length.
    void add_keepalive(const Payload& payload) noexcept {
        if (keepalives_ < 3) {
            evidence_.add(kKeepalive, head_, payload.entry, 0, 1, keepalives_ == 0 ? 12 : 2);
        }
        ++keepalives_;
    }

    // False when this is no PACK of NAT traversal.
    bool add_pack(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint32_t count = reader.be32();
        constexpr std::uint32_t kMostElements = 64;
        Element element;
        if (count == 0 || count > kMostElements || !read_element(reader, element) ||
            std::none_of(kFirstNames.begin(), kFirstNames.end(), [&](std::string_view name) {
                return is_named(payload, element, name);
            })) {
            return payload.bytes.size() < payload.length && payload.bytes.size() < 48;
        }
        // Length, name (5 letters and more at 6, one of eight), type and count of values in zeros.
        evidence_.add(kPack,
                      head_,
                      payload.entry,
                      element.begin,
                      element.value - element.begin,
                      packs_ == 0 ? 50 : 8);
        ++packs_;
        std::uint32_t seen = 1;
        look_at(payload, element);
        while (skip_values(reader, element) && seen < count && read_element(reader, element)) {
            look_at(payload, element);
            ++seen;
        }
        if (reader.ok() && seen == count && reader.remaining() == 0 &&
            payload.bytes.size() == payload.length) {
            // 24 zeros 8, a number that agrees 5, an end that agrees 9.
            evidence_.add(kCount, head_, payload.entry, 0, 4, counts_ == 0 ? 22 : 4);
            ++counts_;
        }
        return true;
    }

    static bool is_named(const Payload& payload,
                         const Element& element,
                         std::string_view name) noexcept {
        return element.name_length == name.size() && has_text(payload.bytes, name, element.name);
    }

    void look_at(const Payload& payload, const Element& element) noexcept {
        constexpr std::string_view kRegister = "nat_t_register";
        constexpr std::string_view kToken = "get_token";
        if (is_named(payload, element, "opcode") && element.type == 2) {
            ByteReader reader = at(payload.bytes, element.value);
            const std::uint32_t length = reader.be32();
            const Bytes value = reader.bytes(length);
            if ((length == kRegister.size() && has_text(value, kRegister)) ||
                (length == kToken.size() && has_text(value, kToken))) {
                evidence_.add(kOpcode,
                              head_,
                              payload.entry,
                              element.value + 4,
                              value.size(),
                              opcodes_ == 0 ? 48 : 4);
                ++opcodes_;
            }
        }
        if (is_named(payload, element, "tran_id") && element.type == 4) {
            const std::uint64_t id = at(payload.bytes, element.value).be64();
            if (id != 0 && id == transactions_[index_of(opposite(payload.direction))]) {
                evidence_.add(kTransaction, head_, payload.entry, element.value, 8, 64);
            }
            transactions_[index_of(payload.direction)] = id;
        }
    }

    const FlowHead& head_;
    Evidence evidence_;
    std::array<std::uint64_t, 2> transactions_{};
    std::size_t keepalives_ = 0;
    std::size_t addresses_ = 0;
    std::size_t packs_ = 0;
    std::size_t counts_ = 0;
    std::size_t opcodes_ = 0;
};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "softether",
        .protocol_class = ProtocolClass::vpn,
        .title = "SoftEther VPN, NAT traversal",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "SoftEtherVPN Network.h, Pack.c, Cedar.h; nDPI softether.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0, 'A', 'I'}), .most_length = 1472};

    static Evidence match(const FlowHead& head) noexcept {
        // What either side says first, before anything is set up.
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t entry = head.next(direction);
            if (entry == kMaxEntries) {
                continue;
            }
            const Payload payload = head.payload(entry);
            ByteReader reader(payload.bytes);
            const std::uint32_t count = reader.be32();
            const std::uint32_t name = reader.be32();
            const bool is_pack = reader.ok() && count > 0 && count <= 64 && name > 2 && name <= 64;
            if (is_pack || has_text(payload.bytes, "IP=") ||
                (payload.length == 1 && has_text(payload.bytes, "A"))) {
                return Scan(head).run();
            }
        }
        return {};
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::softether
