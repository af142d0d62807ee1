#include "capture/pcap.hpp"

#include <algorithm>
#include <utility>

#include "base/time.hpp"
#include "capture/integers.hpp"

namespace flowclass::capture {

namespace {

constexpr std::size_t kRecordHeader = 16;
constexpr std::size_t kModifiedRecordHeader = 24;
// MAXIMUM_SNAPLEN of libpcap, WTAP_MAX_PACKET_SIZE_STANDARD of Wireshark.
constexpr std::size_t kUsualLongest = std::size_t{256} << 10U;
// The four topmost bits are the FCS length, the next two say whether it is there.
constexpr std::uint32_t kLinkTypeMask = 0x03ffffff;

struct Dialect {
    bool big_endian;
    bool nanoseconds;
    bool modified;
};

constexpr Dialect dialect(Format format) noexcept {
    return {format == Format::pcap_be_usec || format == Format::pcap_be_nsec ||
                format == Format::pcap_modified_be_usec,
            format == Format::pcap_le_nsec || format == Format::pcap_be_nsec,
            format == Format::pcap_modified_le_usec || format == Format::pcap_modified_be_usec};
}

}  // namespace

bool PcapParser::open(base::Bytes header, Format format, CaptureReport& report) noexcept {
    const Dialect form = dialect(format);
    big_endian_ = form.big_endian;
    fraction_ns_ = form.nanoseconds ? 1 : static_cast<std::uint32_t>(base::kMicrosecond);
    record_header_ = form.modified ? kModifiedRecordHeader : kRecordHeader;

    base::ByteReader reader(header);
    reader.skip(4);
    const std::uint16_t major = u16(reader, big_endian_);
    const std::uint16_t minor = u16(reader, big_endian_);
    reader.skip(8);
    const std::uint32_t snap_length = u32(reader, big_endian_);
    link_type_ = u32(reader, big_endian_) & kLinkTypeMask;
    if (!reader.ok() || major != 2) {
        report.set_problem(Problem::unsupported_format, Finding::pcap_version, 4, major, minor);
        return false;
    }
    length_order_ = minor < 3    ? LengthOrder::wire_first
                    : minor == 3 ? LengthOrder::smaller_is_captured
                                 : LengthOrder::captured_first;
    longest_ = std::max(kUsualLongest, std::min<std::size_t>(snap_length, kMaxRecord));
    return true;
}

Step PcapParser::step(base::Bytes bytes,
                      std::uint64_t offset,
                      packet::PacketView& view,
                      CaptureReport& report) noexcept {
    base::ByteReader reader(bytes);
    const std::uint32_t seconds = u32(reader, big_endian_);
    const std::uint32_t fraction = u32(reader, big_endian_);
    std::uint32_t captured = u32(reader, big_endian_);
    std::uint32_t wire = u32(reader, big_endian_);
    reader.skip(record_header_ - kRecordHeader);
    if (!reader.ok()) {
        return {StepKind::need, record_header_};
    }
    if (length_order_ != LengthOrder::captured_first &&
        (length_order_ == LengthOrder::wire_first || captured > wire)) {
        std::swap(captured, wire);
    }
    if (captured > longest_) {
        report.set_problem(Problem::garbled, Finding::record_too_long, offset, captured, longest_);
        return {StepKind::stop, 0};
    }
    const base::Bytes content = reader.bytes(captured);
    if (!reader.ok()) {
        return {StepKind::need, record_header_ + captured};
    }
    // A fraction of a second or more is added as it is: it is the file's time, odd as it may be. No
    // sum of two 32-bit fields leaves int64.
    view.time = static_cast<base::TimeNs>(seconds) * base::kSecond +
                static_cast<base::TimeNs>(fraction) * static_cast<base::TimeNs>(fraction_ns_);
    view.bytes = content;
    // Some tools leave the wire length 0 or too small; the frame had at least what was captured of
    // it.
    view.wire_length = std::max(wire, captured);
    view.link_type = link_type_;
    return {StepKind::packet, record_header_ + captured};
}

}  // namespace flowclass::capture
