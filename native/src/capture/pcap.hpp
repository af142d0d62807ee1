// Takes: the file header and then the records of a pcap file. Gives: one PacketView per record.
// Guarantees: views point into the bytes given; a record is believed only up to a length no capture
// tool exceeds.
//
//   file header, 24 bytes                          record header, 16 bytes (24 in the modified
//   form) 0   magic                                      0   seconds 4   major version   6  minor
//   version           4   microseconds or nanoseconds 8   time zone       12 accuracy  (both
//   unused) 8   captured length 16  snap length                                12  wire length 20
//   FCS length (4 bits), ..., link type        16  interface, protocol, kind (modified form only)
//
// Sources: draft-ietf-opsawg-pcap (header fields); the lengths of files before version 2.4 and the
// modified form: libpcap sf-pcap.c.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "capture/capture_report.hpp"
#include "capture/step.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::capture {

inline constexpr std::size_t kPcapFileHeader = 24;

class PcapParser {
  public:
    // `header` has kPcapFileHeader bytes, the first four a magic of `format`. False: the report
    // says why not.
    bool open(base::Bytes header, Format format, CaptureReport& report) noexcept;

    // `bytes` begins at a record, which lies at `offset` of the input.
    Step step(base::Bytes bytes,
              std::uint64_t offset,
              packet::PacketView& view,
              CaptureReport& report) noexcept;

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(length_order_, LengthOrder::wire_first);
        archive(big_endian_, fraction_ns_, link_type_);
        archive.up_to(record_header_, kLongestHeader);
        archive.up_to(longest_, kMaxRecord);
        archive.require(record_header_ >= kShortestHeader && fraction_ns_ <= kMicrosecond);
    }

  private:
    static constexpr std::size_t kShortestHeader = 16;
    static constexpr std::size_t kLongestHeader = 24;
    static constexpr std::uint32_t kMicrosecond = 1000;
    // Versions before 2.3 wrote the wire length first, 2.3 did on some systems.
    enum class LengthOrder : std::uint8_t { captured_first, smaller_is_captured, wire_first };

    bool big_endian_ = false;
    LengthOrder length_order_ = LengthOrder::captured_first;
    std::uint32_t fraction_ns_ = 1;
    std::uint32_t link_type_ = 0;
    std::size_t record_header_ = 16;
    std::size_t longest_ = 0;
};

}  // namespace flowclass::capture
