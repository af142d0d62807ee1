// Frames for the tests of decode, built from hex and from the few headers whose lengths and sums
// must fit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "decode/decode.hpp"

namespace frames {

using Frame = std::vector<std::uint8_t>;

inline Frame hex(std::string_view text) {
    Frame bytes;
    int high = -1;
    for (const char letter : text) {
        if (letter == ' ') {
            continue;
        }
        const int digit = letter <= '9' ? letter - '0' : letter - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            bytes.push_back(static_cast<std::uint8_t>(high * 16 + digit));
            high = -1;
        }
    }
    return bytes;
}

inline Frame operator+(Frame left, const Frame& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline Frame be16(std::size_t value) {
    return {static_cast<std::uint8_t>(value >> 8U & 255U), static_cast<std::uint8_t>(value & 255U)};
}

inline Frame filled(std::size_t count) {
    return Frame(count, 0xda);
}

// 10.0.0.1 -> 10.0.0.2, identification 0x1234, with a correct header checksum. `fragment` is flags
// and offset.
inline Frame ipv4(std::uint8_t protocol,
                  const Frame& payload,
                  std::size_t fragment = 0,
                  const Frame& options = {}) {
    const std::size_t header = 20 + options.size();
    Frame packet = Frame{static_cast<std::uint8_t>(0x40 + header / 4), 0} +
                   be16(header + payload.size()) + hex("1234") + be16(fragment) +
                   Frame{64, protocol} + hex("0000 0a000001 0a000002") + options;
    std::uint32_t sum = 0;
    for (std::size_t index = 0; index < header; index += 2) {
        sum += static_cast<std::uint32_t>(packet[index] << 8U | packet[index + 1]);
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    const Frame checksum = be16(~sum & 0xffffU);
    packet[10] = checksum[0];
    packet[11] = checksum[1];
    return packet + payload;
}

// 2001:db8::1 -> 2001:db8::2
inline Frame ipv6(std::uint8_t next, const Frame& payload) {
    return hex("60000000") + be16(payload.size()) + Frame{next, 64} +
           hex("20010db8000000000000000000000001 20010db8000000000000000000000002") + payload;
}

inline Frame udp(std::size_t src_port, std::size_t dst_port, const Frame& payload) {
    return be16(src_port) + be16(dst_port) + be16(payload.size() + 8) + be16(0) + payload;
}

// Sequence number 0x01020304, flags PSH and ACK.
inline Frame tcp(std::size_t src_port, std::size_t dst_port, const Frame& payload) {
    return be16(src_port) + be16(dst_port) + hex("01020304 0a0b0c0d 5018 2000 0000 0000") + payload;
}

inline Frame ethernet(std::size_t ether_type, const Frame& payload) {
    return hex("020000000002 020000000001") + be16(ether_type) + payload;
}

struct Decoded {
    std::unique_ptr<flowclass::packet::LayerBuffer> out =
        std::make_unique<flowclass::packet::LayerBuffer>();
    std::unique_ptr<Frame>
        bytes;  // of exactly the captured size, so that a sanitizer sees a read behind it
    flowclass::packet::SkipReason reason;
    flowclass::decode::DecodeCounters counters;

    [[nodiscard]] std::size_t count() const { return out->layer_count; }
    [[nodiscard]] const flowclass::packet::FlowLayer& layer(std::size_t index) const {
        return out->layers[index];
    }
    [[nodiscard]] std::string skip() const { return to_string(reason); }
    // "vlan:5 gre:7" as in front of one layer.
    [[nodiscard]] std::string encaps(std::size_t index) const {
        std::string text;
        for (std::size_t item = 0; item < layer(index).encap_count; ++item) {
            const auto& encap = out->encaps[layer(index).encap_first + item];
            text += (item > 0 ? " " : "") + std::string(to_string(encap.type)) + ":" +
                    std::to_string(encap.id);
        }
        return text;
    }
    // "10.0.0.1:7 > 10.0.0.2:8 17"
    [[nodiscard]] std::string tuple(std::size_t index) const {
        const auto& found = layer(index);
        const auto end = [&found](const flowclass::base::IpAddress& address, std::uint16_t port) {
            return to_string(address) + (found.has_ports ? ":" + std::to_string(port) : "");
        };
        return end(found.src, found.src_port) + " > " + end(found.dst, found.dst_port) + " " +
               std::to_string(found.ip_proto);
    }
};

// With a decoder of the caller's, for what needs memory between frames.
inline Decoded decode_with(flowclass::decode::Decoder& decoder,
                           std::uint32_t link_type,
                           const Frame& frame,
                           std::size_t captured = SIZE_MAX,
                           flowclass::base::TimeNs time = 0) {
    Decoded result;
    result.bytes = std::make_unique<Frame>(frame);
    result.bytes->resize(std::min(captured, frame.size()));
    result.bytes->shrink_to_fit();
    flowclass::packet::PacketView view;
    view.bytes = *result.bytes;
    view.wire_length = static_cast<std::uint32_t>(frame.size());
    view.link_type = link_type;
    view.time = time;
    result.reason = decoder.decode(view, 3, *result.out);
    result.counters = decoder.counters();
    return result;
}

inline Decoded decode(std::uint32_t link_type,
                      const Frame& frame,
                      std::size_t captured = SIZE_MAX) {
    flowclass::decode::Decoder decoder(flowclass::decode::DecodeOptions{.fragment_entries = 4});
    return decode_with(decoder, link_type, frame, captured);
}

// Cuts the frame at every octet, once by the snap length and once on the wire. Each cut must give
// layers or a reason; the lengths of a layer must not depend on the snap length; a payload must lie
// in the frame.
inline void check_every_cut(std::uint32_t link_type, const Frame& frame) {
    const Decoded whole = decode(link_type, frame);
    CHECK(whole.count() > 0);
    for (std::size_t captured = 0; captured <= frame.size(); ++captured) {
        const Decoded cut = decode(link_type, frame, captured);
        CHECK_EQ(cut.count() == 0, cut.skip() != "none");
        CHECK(cut.count() > 0 || cut.skip() == "truncated");
        CHECK(cut.count() <= whole.count());
        for (std::size_t index = 0; index < cut.count(); ++index) {
            CHECK_EQ(cut.layer(index).ip_length, whole.layer(index).ip_length);
            CHECK(cut.layer(index).src == whole.layer(index).src);
            CHECK(cut.layer(index).payload.size() <= whole.layer(index).payload.size());
            CHECK(cut.layer(index).truncated || captured == frame.size() ||
                  cut.layer(index).payload.size() == whole.layer(index).payload.size());
        }
        const Decoded shorter =
            decode(link_type, Frame(frame.begin(), frame.begin() + static_cast<long>(captured)));
        CHECK_EQ(shorter.count() == 0, shorter.skip() != "none");
    }
}

inline constexpr std::uint32_t kEthernet = 1;
inline constexpr std::uint32_t kRaw = 101;

}  // namespace frames
