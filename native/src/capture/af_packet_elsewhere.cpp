// Where there is no AF_PACKET: opening says so, and nothing else can be called.
#if !defined(__linux__)

#include <algorithm>

#include "capture/af_packet.hpp"

namespace flowclass::capture {

base::Result<std::unique_ptr<PacketRing>> PacketRing::open(const RingOptions& options) {
    return base::Error{options.interface + ": live capture needs Linux; pipe from tcpdump instead"};
}
PacketRing::~PacketRing() = default;
RingState PacketRing::wait(int timeout_ms) noexcept {
    static_cast<void>(timeout_ms);
    return RingState::gone;
}
std::span<const packet::PacketView> PacketRing::take(std::size_t most) noexcept {
    return std::span(views_).first(std::min(most, views_.size()));
}
void PacketRing::release() noexcept {}
bool PacketRing::stop() noexcept {
    return true;
}
RingCounters PacketRing::counters() noexcept {
    return counters_;
}
std::string PacketRing::error() const {
    return interface_;
}

}  // namespace flowclass::capture

#endif
