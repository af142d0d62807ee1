// IEEE 802.11 data frames and the radiotap header in front of them (www.radiotap.org).
#include "decode/link.hpp"

namespace flowclass::decode {

namespace {

using packet::SkipKind;

constexpr std::uint32_t kRadiotapTsft = 1U << 0U;
constexpr std::uint32_t kRadiotapFlags = 1U << 1U;
constexpr std::uint32_t kRadiotapMore = 1U << 31U;
constexpr std::uint32_t kFlagFcs = 0x10;
constexpr std::uint32_t kFlagDataPad = 0x20;

// The flags field is the second: behind the chain of presence words and, if there, the 64-bit clock
// aligned to 8.
std::uint8_t radiotap_flags(base::Bytes header) noexcept {
    base::ByteReader reader = base::at(header, 4);
    const std::uint32_t present = reader.le32();
    std::uint32_t word = present;
    while (reader.ok() && (word & kRadiotapMore) != 0) {
        word = reader.le32();
    }
    if ((present & kRadiotapFlags) == 0) {
        return 0;
    }
    if ((present & kRadiotapTsft) != 0) {
        reader.skip((8 - reader.position() % 8) % 8 + 8);
    }
    return reader.u8();
}

// Frame control (2), duration (2), three addresses, sequence control (2); a fourth address between
// distribution systems, QoS control (2), HT control (4). IEEE 802.11-2020 §9.2.3, §9.3.2.1.
Step take_data_frame(Slice& slice, bool padded) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t control = reader.le16();
    reader.skip(20);
    const std::uint32_t sequence = reader.le16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    const std::uint32_t type = (control >> 2U) & 3U;
    const std::uint32_t subtype = (control >> 4U) & 15U;
    const std::uint32_t name = type << 4U | subtype;
    constexpr std::uint32_t kData = 2;
    constexpr std::uint32_t kNoData = 4;  // subtype bits: 4 = null, 8 = QoS
    constexpr std::uint32_t kQos = 8;
    constexpr std::uint32_t kProtected = 0x4000;
    constexpr std::uint32_t kBothSystems = 0x0300;
    constexpr std::uint32_t kOrder = 0x8000;
    if ((control & 3U) != 0) {
        return stop(SkipKind::malformed);
    }
    if (type != kData || (subtype & kNoData) != 0) {
        return stop(SkipKind::ieee802_11_frame, name);
    }
    if ((control & kProtected) != 0) {
        return stop(SkipKind::ieee802_11_frame, packet::kWirelessProtected | name);
    }
    if ((sequence & 15U) != 0) {
        return stop(SkipKind::ieee802_11_frame, packet::kWirelessFragment | name);
    }
    if ((control & kBothSystems) == kBothSystems) {
        reader.skip(6);
    }
    if ((subtype & kQos) != 0) {
        const std::uint32_t qos = reader.le16();
        if (reader.ok() && (qos & 0x80U) != 0) {
            return stop(SkipKind::ieee802_11_frame, packet::kWirelessAggregate | name);
        }
        if ((control & kOrder) != 0) {
            reader.skip(4);
        }
    }
    if (padded) {
        reader.skip((4 - reader.position() % 4) % 4);
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(reader.position());
    return {Header::llc};
}

// Management and control frames are shorter than a data frame's header: name them by their first
// octets.
Step take_frame(Slice& slice, bool padded) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t control = reader.le16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    const std::uint32_t type = (control >> 2U) & 3U;
    if ((control & 3U) == 0 && type != 2) {
        return stop(SkipKind::ieee802_11_frame, type << 4U | ((control >> 4U) & 15U));
    }
    return take_data_frame(slice, padded);
}

}  // namespace

Step take_ieee802_11(Slice& slice) noexcept {
    return take_frame(slice, false);
}

Step take_radiotap(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t version = reader.u8();
    reader.skip(1);
    const std::uint16_t length = reader.le16();
    reader.skip(4);
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (version != 0 || length < 8 || length > slice.wire) {
        return stop(SkipKind::malformed);
    }
    base::ByteReader whole(slice.bytes);
    const std::uint32_t flags = radiotap_flags(whole.bytes(length));
    slice.drop(length);
    if ((flags & kFlagFcs) != 0 && slice.wire >= 4) {
        slice.limit(slice.wire - 4);
    }
    return take_frame(slice, (flags & kFlagDataPad) != 0);
}

}  // namespace flowclass::decode
