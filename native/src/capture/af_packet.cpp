// Waiting for a block of the ring, reading one, giving it back. The blocks' layout is that of
// linux/if_packet.h (struct tpacket_block_desc, struct tpacket3_hdr).
#include "capture/af_packet.hpp"

#include <algorithm>
#include <array>

#if defined(__linux__)

#include <sys/socket.h>
// The kernel's headers below want the types of the one above.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace flowclass::capture {

namespace {

constexpr std::size_t kTag = 4;         // octets of a VLAN tag: IEEE 802.1Q
constexpr std::size_t kAddresses = 12;  // two Ethernet addresses stand before it

tpacket_block_desc* block_at(std::span<std::uint8_t> block) noexcept {
    void* const begin = block.data();  // page-aligned: the kernel's map
    return static_cast<tpacket_block_desc*>(begin);
}

// The tag that the kernel took off, put back between addresses and type. PACKET_RESERVE made room
// before the frame.
std::span<std::uint8_t> with_tag(std::span<std::uint8_t> room,
                                 const tpacket3_hdr& header) noexcept {
    std::copy_n(room.subspan(kTag).begin(), kAddresses, room.begin());
    const bool told = (header.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    const std::uint16_t type = told ? header.hv1.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q};
    const auto control = static_cast<std::uint16_t>(header.hv1.tp_vlan_tci);
    room[kAddresses] = static_cast<std::uint8_t>(type >> 8U);
    room[kAddresses + 1] = static_cast<std::uint8_t>(type & 0xffU);
    room[kAddresses + 2] = static_cast<std::uint8_t>(control >> 8U);
    room[kAddresses + 3] = static_cast<std::uint8_t>(control & 0xffU);
    return room;
}

}  // namespace

PacketRing::~PacketRing() {
    if (!map_.empty()) {
        ::munmap(map_.data(), map_.size());
    }
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

bool PacketRing::block_is_ours() const noexcept {
    const std::span<std::uint8_t> block = map_.subspan(block_ * block_size_, block_size_);
    const std::uint32_t status =
        __atomic_load_n(&block_at(block)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    return (status & TP_STATUS_USER) != 0;
}

RingState PacketRing::wait(int timeout_ms) noexcept {
    if (reading_ || block_is_ours()) {
        return RingState::ready;
    }
    pollfd asked{.fd = socket_, .events = POLLIN, .revents = 0};
    const int answered = ::poll(&asked, 1, timeout_ms);
    if (block_is_ours()) {
        return RingState::ready;
    }
    if (answered > 0 && (asked.revents & POLLERR) != 0) {
        socklen_t length = sizeof error_;
        static_cast<void>(::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error_, &length));
        down_ = down_ || error_ == ENETDOWN;
        if (error_ != 0 && error_ != ENETDOWN) {
            return RingState::failed;
        }
    }
    return down_ ? look_after_silence() : RingState::silent;
}

// An interface that goes down says so once; one that is taken away while it is down says nothing.
RingState PacketRing::look_after_silence() noexcept {
    ifreq request{};
    request.ifr_ifindex = index_;
    if (::ioctl(socket_, SIOCGIFNAME, &request) != 0) {
        return RingState::gone;
    }
    if (::ioctl(socket_, SIOCGIFFLAGS, &request) != 0) {
        return RingState::gone;
    }
    down_ = (static_cast<unsigned>(request.ifr_flags) & IFF_UP) == 0;
    return down_ ? RingState::down : RingState::silent;
}

std::span<const packet::PacketView> PacketRing::take(std::size_t most) noexcept {
    if (!reading_) {
        if (!block_is_ours()) {
            return {};
        }
        read_block();
        reading_ = true;
    }
    const std::size_t count = std::min(most, views_.size() - taken_);
    const std::span taken = std::span(views_).subspan(taken_, count);
    taken_ += count;
    return taken;
}

// A block is a chain of packets, each behind a header that says how far the next one is.
void PacketRing::read_block() noexcept {
    const std::span<std::uint8_t> block = map_.subspan(block_ * block_size_, block_size_);
    const tpacket_hdr_v1& facts = block_at(block)->hdr.bh1;
    std::size_t at = facts.offset_to_first_pkt;
    views_.clear();
    taken_ = released_ = 0;
    for (std::uint32_t left = facts.num_pkts; left > 0; --left) {
        tpacket3_hdr header{};
        if (at > block.size() || block.size() - at < sizeof header ||
            views_.size() == views_.capacity()) {
            return;
        }
        std::memcpy(&header, block.subspan(at).data(), sizeof header);
        const std::size_t begin = at + header.tp_mac;
        if (header.tp_mac < sizeof header || begin + header.tp_snaplen > block.size()) {
            return;
        }
        std::span<std::uint8_t> frame = block.subspan(begin, header.tp_snaplen);
        std::uint32_t wire_length = header.tp_len;
        if ((header.tp_status & TP_STATUS_VLAN_VALID) != 0 && frame.size() >= kAddresses) {
            frame = with_tag(block.subspan(begin - kTag, header.tp_snaplen + kTag), header);
            wire_length += kTag;
        }
        const base::TimeNs time = base::TimeNs{header.tp_sec} * base::kSecond + header.tp_nsec;
        views_.push_back({time, frame, wire_length, link_type_, ++frame_});
        at += header.tp_next_offset;
    }
}

void PacketRing::release() noexcept {
    counters_.handed_on += taken_ - released_;
    released_ = taken_;
    if (!reading_ || taken_ < views_.size()) {
        return;
    }
    reading_ = false;
    views_.clear();
    taken_ = released_ = 0;
    const std::span<std::uint8_t> block = map_.subspan(block_ * block_size_, block_size_);
    __atomic_store_n(
        &block_at(block)->hdr.bh1.block_status, std::uint32_t{TP_STATUS_KERNEL}, __ATOMIC_RELEASE);
    block_ = (block_ + 1) % (map_.size() / block_size_);
}

bool PacketRing::stop() noexcept {
    return attach(take_all(0));
}

// The kernel begins to count anew at every reading.
RingCounters PacketRing::counters() noexcept {
    tpacket_stats_v3 facts{};
    socklen_t length = sizeof facts;
    if (::getsockopt(socket_, SOL_PACKET, PACKET_STATISTICS, &facts, &length) == 0) {
        counters_.received += facts.tp_packets;  // those dropped are in it
        counters_.dropped += facts.tp_drops;
        counters_.freezes += facts.tp_freeze_q_cnt;
    }
    return counters_;
}

std::string PacketRing::error() const {
    return interface_ + ": the packet socket failed: " + std::generic_category().message(error_);
}

}  // namespace flowclass::capture

#endif

namespace flowclass::capture {

const char* to_string(RingState state) noexcept {
    constexpr std::array<const char*, static_cast<std::size_t>(RingState::count_)> kNames{
        "ready", "silent", "down", "gone", "failed"};
    return kNames[static_cast<std::size_t>(state)];
}

}  // namespace flowclass::capture
