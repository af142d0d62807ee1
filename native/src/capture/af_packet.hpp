// Takes: the name of a network interface. Gives: its packets, a block of the kernel's ring at a
// time, as views into that ring (AF_PACKET with TPACKET_V3: packet(7) and the kernel's
// Documentation/networking/packet_mmap.rst). Guarantees: no packet is copied; the outer VLAN tag,
// which the kernel takes off, stands in the frame again; nothing grows: when nobody reads, the
// kernel drops and counts; received = handed on + dropped + left behind, once stopped and drained;
// what cannot be opened is an error with a sentence. Linux only; elsewhere opening is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "capture/bpf_filter.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::capture {

// How the sockets of one group share the packets of an interface. By hash, both directions of a
// flow go to one socket.
enum class Fanout : std::uint8_t { none, hash, cpu };

inline constexpr std::uint32_t kWholePacket = 262144;  // the snap length that cuts nothing

struct RingOptions {
    std::string interface;
    std::string filter;  // empty: none
    std::uint32_t snap_length = kWholePacket;
    std::size_t block_size = std::size_t{1} << 20U;  // a multiple of the page size
    std::size_t block_count = 32;
    std::uint32_t retire_ms = 60;  // a block that holds a packet is handed on after this long
    bool promiscuous = false;
    Fanout fanout = Fanout::none;
    std::uint16_t fanout_group = 0;
};

enum class RingState : std::uint8_t {
    ready,   // packets can be taken
    silent,  // the time is over, or a signal came
    down,    // the same, and the interface is down; it may come up again
    gone,    // the interface is no more
    failed,  // the socket says something else: error()
    count_
};
const char* to_string(RingState state) noexcept;

struct RingCounters {
    std::uint64_t received = 0;   // behind the filter
    std::uint64_t dropped = 0;    // of these: there was no room in the ring
    std::uint64_t freezes = 0;    // times the ring was full
    std::uint64_t handed_on = 0;  // taken and released
};

class PacketRing {
  public:
    static base::Result<std::unique_ptr<PacketRing>> open(const RingOptions& options);

    PacketRing(const PacketRing&) = delete;
    PacketRing& operator=(const PacketRing&) = delete;
    ~PacketRing();

    RingState wait(int timeout_ms) noexcept;
    // At most `most` packets of the block that is ready; they live until release().
    std::span<const packet::PacketView> take(std::size_t most) noexcept;
    // The packets taken were used; their block goes back to the kernel when all of it was.
    void release() noexcept;
    // Nothing more is received; what is in the ring can still be taken.
    bool stop() noexcept;
    RingCounters counters() noexcept;

    [[nodiscard]] std::uint32_t link_type() const noexcept { return link_type_; }
    // To be polled for reading together with others; wait() says what it means.
    [[nodiscard]] int descriptor() const noexcept { return socket_; }
    [[nodiscard]] std::string error() const;

  private:
    PacketRing() = default;
    base::Result<bool> prepare(const RingOptions& options);
    base::Result<bool> look_at_interface();
    base::Result<bool> set_up(const RingOptions& options);
    base::Result<bool> make_ring(const RingOptions& options);
    base::Result<bool> start(const RingOptions& options);
    [[nodiscard]] base::Error failure(const std::string& what) const;
    [[nodiscard]] bool attach(const FilterProgram& program) const noexcept;
    [[nodiscard]] bool block_is_ours() const noexcept;
    RingState look_after_silence() noexcept;
    void read_block() noexcept;

    std::string interface_;
    int socket_ = -1;
    int index_ = 0;
    int error_ = 0;
    bool loopback_ = false;
    bool down_ = false;
    bool reading_ = false;  // the views are those of the block
    std::uint32_t link_type_ = 0;
    std::span<std::uint8_t> map_;
    std::size_t block_size_ = 0;
    std::size_t block_ = 0;                  // the one that is read next
    std::vector<packet::PacketView> views_;  // of the block being read
    std::size_t taken_ = 0;
    std::size_t released_ = 0;
    std::uint64_t frame_ = 0;
    RingCounters counters_;
};

}  // namespace flowclass::capture
