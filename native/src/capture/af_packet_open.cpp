// Opening a ring: the socket, the interface, the ring, the filter, and then the packets; packet(7),
// socket(7), netdevice(7).
#if defined(__linux__)

#include <sys/socket.h>

#include "capture/af_packet.hpp"
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

using base::Error;

constexpr unsigned kTag = 4;               // octets of a VLAN tag: IEEE 802.1Q
constexpr std::size_t kLeastSpacing = 64;  // no packet and its header take less of a block
constexpr unsigned kFrameSize = 2048;      // TPACKET_V3 wants one that divides a block; not used

std::string reason(int code) {
    return std::generic_category().message(code);
}

template <typename Value>
bool set_option(int socket, int level, int name, const Value& value) noexcept {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

ifreq request_for(const std::string& interface) noexcept {
    ifreq request{};
    const std::span<char> room(request.ifr_name);
    std::copy_n(interface.begin(), std::min(interface.size(), room.size() - 1), room.begin());
    return request;
}

// LINKTYPE of what SOCK_RAW gives on a device of an ARPHRD_ type; nothing for those that are not
// read. Devices without a link header give bare IP packets.
bool link_type_of(unsigned hardware, std::uint32_t& out) noexcept {
    switch (hardware) {
        case ARPHRD_ETHER:
        case ARPHRD_LOOPBACK:
            out = static_cast<std::uint32_t>(packet::LinkType::ethernet);
            return true;
        case ARPHRD_NONE:
        case ARPHRD_RAWIP:
            out = static_cast<std::uint32_t>(packet::LinkType::raw);
            return true;
        case ARPHRD_IEEE80211_RADIOTAP:
            out = static_cast<std::uint32_t>(packet::LinkType::radiotap);
            return true;
        default:
            return false;
    }
}

}  // namespace

base::Result<std::unique_ptr<PacketRing>> PacketRing::open(const RingOptions& options) {
    std::unique_ptr<PacketRing> ring(new PacketRing());
    const base::Result<bool> prepared = ring->prepare(options);
    if (!prepared.ok()) {
        return Error{prepared.error()};
    }
    return ring;
}

Error PacketRing::failure(const std::string& what) const {
    return {interface_ + ": " + what + ": " + reason(errno)};
}

base::Result<bool> PacketRing::prepare(const RingOptions& options) {
    interface_ = options.interface;
    if (interface_.empty() || interface_.size() >= IFNAMSIZ) {
        return Error{"\"" + interface_ + "\" is no name of an interface; `ip -br link` lists them"};
    }
    // Protocol 0: nothing is received before all is set up.
    socket_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (socket_ < 0 && (errno == EPERM || errno == EACCES)) {
        return Error{interface_ +
                     ": reading packets needs the capability CAP_NET_RAW; run as root (with --user"
                     " to leave it afterwards)"};
    }
    if (socket_ < 0) {
        return failure("no packet socket could be opened");
    }
    for (const auto step : {&PacketRing::set_up, &PacketRing::make_ring, &PacketRing::start}) {
        base::Result<bool> done = (this->*step)(options);
        if (!done.ok()) {
            return done;
        }
    }
    return true;
}

base::Result<bool> PacketRing::look_at_interface() {
    ifreq request = request_for(interface_);
    if (::ioctl(socket_, SIOCGIFINDEX, &request) != 0) {
        return errno == ENODEV ? Error{interface_ +
                                       ": there is no interface of that name; `ip -br link` lists"
                                       " those that are there"}
                               : failure("the interface cannot be looked at");
    }
    index_ = request.ifr_ifindex;
    if (::ioctl(socket_, SIOCGIFHWADDR, &request) != 0) {
        return failure("the interface cannot be looked at");
    }
    const unsigned hardware = request.ifr_hwaddr.sa_family;
    if (!link_type_of(hardware, link_type_)) {
        return Error{interface_ + ": it is of hardware type " + std::to_string(hardware) +
                     " (ARPHRD), whose frames are not read; give the interface below or above it"};
    }
    loopback_ = hardware == ARPHRD_LOOPBACK;
    if (::ioctl(socket_, SIOCGIFFLAGS, &request) != 0) {
        return failure("the interface cannot be looked at");
    }
    if ((static_cast<unsigned>(request.ifr_flags) & IFF_UP) == 0) {
        return Error{interface_ + ": the interface is down; bring it up: ip link set " +
                     interface_ + " up"};
    }
    return true;
}

base::Result<bool> PacketRing::set_up(const RingOptions& options) {
    base::Result<bool> looked = look_at_interface();
    if (!looked.ok()) {
        return looked;
    }
    // On a loopback every packet goes out and comes in; once is enough.
    if (loopback_ && !set_option(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, int{1})) {
        return failure("outgoing packets cannot be left out (that needs Linux 4.20)");
    }
    if (options.promiscuous) {
        packet_mreq membership{};
        membership.mr_ifindex = index_;
        membership.mr_type = PACKET_MR_PROMISC;
        if (!set_option(socket_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)) {
            return failure("it cannot be made promiscuous");
        }
    }
    return true;
}

base::Result<bool> PacketRing::make_ring(const RingOptions& options) {
    tpacket_req3 request{};
    request.tp_block_size = static_cast<unsigned>(options.block_size);
    request.tp_block_nr = static_cast<unsigned>(options.block_count);
    request.tp_frame_size = kFrameSize;
    request.tp_frame_nr = request.tp_block_size / kFrameSize * request.tp_block_nr;
    request.tp_retire_blk_tov = options.retire_ms;
    if (!set_option(socket_, SOL_PACKET, PACKET_VERSION, int{TPACKET_V3}) ||
        !set_option(socket_, SOL_PACKET, PACKET_RESERVE, kTag)) {
        return failure("the kernel has no rings of the third kind (that needs Linux 3.2)");
    }
    if (!set_option(socket_, SOL_PACKET, PACKET_RX_RING, request)) {
        return failure("a ring of " + std::to_string(options.block_count) + " blocks of " +
                       std::to_string(options.block_size) +
                       " octets cannot be had; give a smaller --ring");
    }
    const std::size_t size = options.block_size * options.block_count;
    void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, socket_, 0);
    if (address == MAP_FAILED) {
        return failure("the ring cannot be mapped");
    }
    map_ = std::span(static_cast<std::uint8_t*>(address), size);
    block_size_ = options.block_size;
    views_.reserve(block_size_ / kLeastSpacing);
    return true;
}

base::Result<bool> PacketRing::start(const RingOptions& options) {
    FilterProgram program = take_all(options.snap_length);
    if (!options.filter.empty()) {
        base::Result<FilterProgram> compiled =
            compile_filter(options.filter, link_type_, options.snap_length);
        if (!compiled.ok()) {
            return Error{interface_ + ": " + compiled.error()};
        }
        program = std::move(compiled.value());
    }
    // Until the socket is in its group it would receive what is another's share.
    if (!attach(options.fanout == Fanout::none ? program : take_all(0))) {
        return failure("the kernel does not take the filter");
    }
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(ETH_P_ALL);
    place.sll_ifindex = index_;
    // The socket interface wants any address as this type: bind(2).
    const void* const any = &place;
    if (::bind(socket_, static_cast<const sockaddr*>(any), sizeof place) != 0) {
        return failure("the socket cannot be bound to the interface");
    }
    if (options.fanout == Fanout::none) {
        return true;
    }
    const unsigned mode =
        options.fanout == Fanout::hash ? unsigned{PACKET_FANOUT_HASH} : unsigned{PACKET_FANOUT_CPU};
    const unsigned group = options.fanout_group | mode << 16U;
    if (!set_option(socket_, SOL_PACKET, PACKET_FANOUT, group)) {
        return failure("the fanout group " + std::to_string(options.fanout_group) +
                       " cannot be joined; all of its members must ask for the same kind");
    }
    return attach(program) ? base::Result<bool>(true)
                           : base::Result<bool>(failure("the kernel does not take the filter"));
}

bool PacketRing::attach(const FilterProgram& program) const noexcept {
    static_assert(sizeof(FilterInstruction) == sizeof(sock_filter));
    static_assert(offsetof(FilterInstruction, constant) == offsetof(sock_filter, k));
    std::vector<sock_filter> instructions;
    instructions.reserve(program.size());
    for (const FilterInstruction& one : program) {
        instructions.push_back({one.code, one.jump_true, one.jump_false, one.constant});
    }
    if (instructions.size() > BPF_MAXINSNS) {
        errno = E2BIG;
        return false;
    }
    sock_fprog whole{};
    whole.len = static_cast<unsigned short>(instructions.size());
    whole.filter = instructions.data();
    return set_option(socket_, SOL_SOCKET, SO_ATTACH_FILTER, whole);
}

}  // namespace flowclass::capture

#endif
