// Takes: the blocks of a pcapng file, any number of sections in either byte order. Gives: a
// PacketView for each enhanced, simple and obsolete packet block. Guarantees: views point into the
// bytes given; a block is used only when it is there as a whole and says the same length at both
// ends; blocks of other types are counted by type.
//
//   block                         enhanced packet (6)     obsolete packet (2)     simple packet (3)
//   0   type                      0   interface           0   interface, drops    0   wire length
//   4   total length L            4   stamp, high word    4   stamp, high word    4   frame
//   8   body                      8   stamp, low word     8   stamp, low word
//   L-4 total length L            12  captured length     12  captured length
//                                 16  wire length         16  wire length
//   All padded to 4 bytes.        20  frame, options      20  frame, options
//
// Source: draft-ietf-opsawg-pcapng.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/time.hpp"
#include "capture/capture_report.hpp"
#include "capture/step.hpp"
#include "capture/timestamp.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::capture {

class PcapngParser {
  public:
    // More interfaces than this in one section are not remembered; packets of theirs count as
    // without interface.
    static constexpr std::size_t kMaxInterfaces = std::size_t{1} << 16U;

    PcapngParser();

    // `bytes` begins at a block, which lies at `offset` of the input.
    Step step(base::Bytes bytes,
              std::uint64_t offset,
              packet::PacketView& view,
              CaptureReport& report) noexcept;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(big_endian_, known_section_, last_time_);
        const std::size_t count =
            archive.count(interfaces_.size(), kMaxInterfaces, sizeof(Interface::link_type));
        interfaces_.resize(count);
        for (Interface& interface : interfaces_) {
            archive(interface.link_type, interface.snap_length, interface.unit);
        }
    }

  private:
    struct Interface {
        std::uint32_t link_type = 0;
        std::uint32_t snap_length = 0;  // 0: no limit
        TimestampUnit unit;
    };
    // A block being read: where it is and where its faults go.
    struct Block {
        std::uint64_t offset;
        CaptureReport& report;
    };

    static Step stop(const Block& block,
                     Finding finding,
                     std::uint64_t first,
                     std::uint64_t second);
    Step read_block(std::uint32_t number,
                    base::Bytes body,
                    const Block& block,
                    packet::PacketView& view);
    Step begin_section(base::Bytes body, const Block& block);
    Step add_interface(base::Bytes body, const Block& block);
    Step stamped_packet(base::Bytes body,
                        bool obsolete,
                        const Block& block,
                        packet::PacketView& view) noexcept;
    Step simple_packet(base::Bytes body, const Block& block, packet::PacketView& view) noexcept;

    bool big_endian_ = false;
    bool known_section_ = true;   // false: its version is not ours, its blocks are only counted
    base::TimeNs last_time_ = 0;  // what a packet without a stamp gets
    std::vector<Interface> interfaces_;
};

}  // namespace flowclass::capture
