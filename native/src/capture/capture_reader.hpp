// Takes: the bytes of one capture, pcap or pcapng, as one mapped file or in chunks cut anywhere.
// Gives: bursts of PacketView, and a report of what the capture was and how it ended. Guarantees:
// the views do not depend on where the input was cut; nothing is copied but a record that straddles
// chunks; any bytes whatever end in views and a report, never in a crash. No allocation while
// reading, unless a straddling record outgrows the buffer reserved for it (bounded by kMaxRecord)
// or a pcapng section has more than 64 interfaces.
//
//   CaptureReader reader;
//   while (more input) {
//       reader.push(chunk);
//       while ((count = reader.next_burst(views)) > 0) { use views[0 .. count) }
//   }
//   reader.finish();
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/time.hpp"
#include "capture/capture_report.hpp"
#include "capture/container.hpp"
#include "capture/pcap.hpp"
#include "capture/pcapng.hpp"
#include "capture/step.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::capture {

struct CaptureOptions {
    // Reserved at the start for a record that straddles two chunks; the usual largest record and
    // its headers.
    std::size_t carry_bytes = (std::size_t{256} << 10U) + 64;
};

class CaptureReader {
  public:
    explicit CaptureReader(CaptureOptions options = {});

    // The bytes of `chunk` must live until next_burst has returned 0. False, and nothing is taken,
    // while an earlier chunk is not read to its end or after finish().
    bool push(base::Bytes chunk) noexcept;

    // Fills up to out.size() views and says how many; 0: give more bytes, or nothing more can come.
    // The views live until the next call.
    std::size_t next_burst(std::span<packet::PacketView> out) noexcept;

    // No more bytes will come: what is left of an unfinished record is a cut tail.
    void finish() noexcept;

    // True when no further byte can change anything, because reading ended at a problem.
    [[nodiscard]] bool stopped() const noexcept { return stage_ == Stage::stopped; }
    // What is left of the chunk, for who wants to fetch it before it is asked for.
    [[nodiscard]] base::Bytes unread() const noexcept { return rest_; }
    [[nodiscard]] const CaptureReport& report() const noexcept { return report_; }

    // Between chunks, when next_burst has returned 0.
    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(stage_, Stage::stopped);
        archive(finished_);
        carry_.resize(archive.count(carry_.size(), kMaxRecord, 1));
        archive.octets(carry_);
        archive(pcap_, pcapng_, report_);
        std::uint8_t name = foreign_number(report_.name);
        archive(name);
        report_.name = foreign_name(name);
    }

  private:
    enum class Stage : std::uint8_t { detect, pcap_header, pcap_records, pcapng_blocks, stopped };

    Step step(base::Bytes bytes, packet::PacketView& view) noexcept;
    Step detect(base::Bytes bytes) noexcept;
    bool fill_carry(packet::PacketView& view, std::size_t& count) noexcept;
    void end_with(base::Bytes left, std::size_t need) noexcept;

    Stage stage_ = Stage::detect;
    bool finished_ = false;
    bool carry_shown_ = false;  // the carried record is whole and a view of it is out
    base::Bytes rest_;          // of the chunk
    std::vector<std::uint8_t> carry_;
    PcapParser pcap_;
    PcapngParser pcapng_;
    CaptureReport report_;
};

// When the first packet was captured; nothing if `prefix` holds no whole packet. 512 KiB of a
// capture are enough in all but odd cases.
std::optional<base::TimeNs> first_packet_time(base::Bytes prefix);

}  // namespace flowclass::capture
