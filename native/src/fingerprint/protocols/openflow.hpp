// OpenFlow 1.0 to 1.5 (Open Networking Foundation), TCP; both sides say hello first.
//
//  0 version 01..06 | 1 type, at most 35 | 2 length 2, with itself | 4 transaction 4
//  hello (0), echo (2, 3), error (1), features request (5, length 8) and reply (6, 32 or more) ...
//
// Sources: OpenFlow Switch Specification 1.0.0 §5.1, 1.3.5 §7.1, 1.5.1 §7.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::openflow {

inline constexpr Rule kHeader{"openflow.header",
                              "a version, a type and a length that leads to the next message or a "
                              "segment end; OpenFlow 1.3.5 §7.1.1"};
inline constexpr Rule kChain{
    "openflow.chain",
    "the same version and a type of its length where the length leads; OpenFlow 1.3.5 §7.1.1"};
inline constexpr Rule kPlain{"openflow.plain",
                             "a hello, an echo or a features request of 8 octets, or a hello of "
                             "bitmaps; OpenFlow 1.3.5 §7.3.1, §7.5.1"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6653, 6633};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kChain, &kPlain};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "openflow",
        .protocol_class = ProtocolClass::app,
        .title = "OpenFlow",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "OpenFlow Switch Specification 1.0.0 §5.1, 1.3.5 §7.1, 1.5.1 §7.1"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::range(1, 6), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            if (side.size() >= 8 && !read(evidence, side)) {
                return {};
            }
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kHeaderSize = 8;

    struct Message {
        std::uint8_t version = 0;
        std::uint8_t type = 0;
        std::uint16_t length = 0;
        bool ok = false;
    };

    static Message read_one(const StreamSide& side, std::size_t offset) noexcept {
        ByteReader reader = side.at(offset);
        Message message;
        message.version = reader.u8();
        message.type = reader.u8();
        message.length = reader.be16();
        reader.skip(4);
        const bool empty = message.type == 5 || message.type == 7;
        message.ok = reader.ok() && message.version >= 1 && message.version <= 6 &&
                     message.type <= 35 && message.length >= kHeaderSize &&
                     (!empty || message.length == kHeaderSize) &&
                     (message.type != 6 || message.length >= 32);
        return message;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostMessages = 5;
        std::uint8_t version = 0;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostMessages && offset + kHeaderSize <= side.size();
             ++count) {
            const Message message = read_one(side, offset);
            // A side keeps its version, but for the hello.
            if (!message.ok || (version != 0 && message.version != version && message.type != 0)) {
                return false;
            }
            if (message.type != 0) {
                version = message.version;
            }
            const std::size_t end = offset + message.length;
            if (end < side.size() && end + kHeaderSize <= side.size() && !read_one(side, end).ok) {
                return false;
            }
            const bool leads_on = side.is_end(end) || end < side.size();
            if (count == 0) {
                // The version 5, the type 2, the length 8 where it leads on.
                side.add(evidence, kHeader, 0, 2, 7);
                if (leads_on) {
                    side.add(evidence, kHeader, 2, 2, 8);
                }
            } else {
                side.add(evidence, kChain, offset, 2, count == 1 ? 8 : 2);
                if (leads_on) {
                    side.add(evidence, kChain, offset + 2, 2, count == 1 ? 6 : 2);
                }
            }
            const bool short_one = message.length == kHeaderSize &&
                                   (message.type <= 3 || message.type == 5) && message.type != 1;
            const bool bitmaps = message.type == 0 && message.length == 16 &&
                                 side.at(offset + 8).be32() == 0x00010008;
            if (short_one || bitmaps) {
                side.add(evidence,
                         kPlain,
                         bitmaps ? offset + 8 : offset + 2,
                         bitmaps ? 4 : 2,
                         count > 0 ? 3
                         : bitmaps ? 20
                                   : 6);
            }
            offset = end;
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::openflow
