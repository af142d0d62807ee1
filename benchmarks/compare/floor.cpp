// The floor under every flow tool: walk the records of a pcap, parse Ethernet, IP and TCP or UDP,
// hash the 5-tuple, count the flow. No timeouts, no names, no rows; written plainly, without
// prefetching, as one would write it in an afternoon.
//   flowclass_floor CAPTURE
// Takes: a pcap of Ethernet frames. Gives: one line of JSON with packets, flows and octets.
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "capture/mapped_file.hpp"

namespace {

using flowclass::base::Bytes;

constexpr std::size_t kFileHeader = 24;
constexpr std::size_t kRecordHeader = 16;
constexpr std::size_t kEthernet = 14;
constexpr std::size_t kFirstEntries = std::size_t{1} << 16U;

struct Key {
    std::array<std::uint64_t, 4> addresses{};  // source and destination, the lesser end first
    std::uint32_t ports = 0;
    std::uint32_t proto = 0;

    friend bool operator==(const Key&, const Key&) = default;
};

struct Flow {
    Key key;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

template <typename Number>
Number load(Bytes bytes, std::size_t at) {
    Number out{};
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}
std::uint16_t load_big16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>((static_cast<unsigned>(bytes[at]) << 8U) |
                                      static_cast<unsigned>(bytes[at + 1]));
}

std::uint64_t hash_of(const Key& key) {
    // Multiply and fold, word by word: the least that spreads.
    std::uint64_t hash = (std::uint64_t{key.ports} << 32U) | key.proto;
    for (const std::uint64_t word : key.addresses) {
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 32U;
    }
    return hash;
}

// False where the frame is no IP packet.
bool parse(Bytes frame, Key& key, std::uint64_t& ip_bytes) {
    if (frame.size() < kEthernet + 20) {
        return false;
    }
    const std::uint16_t type = load_big16(frame, 12);
    const Bytes ip = frame.subspan(kEthernet);
    std::size_t header = 0;
    bool later = false;
    std::array<std::uint64_t, 4> ends{};
    if (type == 0x0800) {
        header = (static_cast<std::size_t>(ip[0]) & 15U) * 4;
        key.proto = static_cast<std::uint32_t>(ip[9]);
        later = (load_big16(ip, 6) & 0x1fffU) != 0;
        ip_bytes = load_big16(ip, 2);
        ends = {load<std::uint32_t>(ip, 12), 0, load<std::uint32_t>(ip, 16), 0};
    } else if (type == 0x86dd && ip.size() >= 40) {
        header = 40;
        key.proto = static_cast<std::uint32_t>(ip[6]);
        ip_bytes = load_big16(ip, 4) + std::uint64_t{40};
        ends = {load<std::uint64_t>(ip, 8),
                load<std::uint64_t>(ip, 16),
                load<std::uint64_t>(ip, 24),
                load<std::uint64_t>(ip, 32)};
    } else {
        return false;
    }
    std::uint16_t from = 0;
    std::uint16_t to = 0;
    if ((key.proto == 6 || key.proto == 17) && !later && ip.size() >= header + 4) {
        from = load_big16(ip, header);
        to = load_big16(ip, header + 2);
    }
    const bool swap = std::array{ends[2], ends[3], std::uint64_t{to}} <
                      std::array{ends[0], ends[1], std::uint64_t{from}};
    key.addresses = swap ? std::array{ends[2], ends[3], ends[0], ends[1]} : ends;
    key.ports = swap ? (std::uint32_t{to} << 16U) | from : (std::uint32_t{from} << 16U) | to;
    return true;
}

class Flows {
  public:
    void count(const Key& key, std::uint64_t bytes) {
        Flow& flow = find(key);
        if (flow.packets++ == 0) {
            flow.key = key;
            if (++used_ * 2 > flows_.size()) {
                flow.bytes += bytes;
                grow();
                return;
            }
        }
        flow.bytes += bytes;
    }
    [[nodiscard]] std::size_t used() const { return used_; }

  private:
    Flow& find(const Key& key) {
        std::size_t at = hash_of(key) & (flows_.size() - 1);
        while (flows_[at].packets > 0 && flows_[at].key != key) {
            at = (at + 1) & (flows_.size() - 1);
        }
        return flows_[at];
    }
    void grow() {
        std::vector<Flow> old(flows_.size() * 2);
        old.swap(flows_);
        for (const Flow& flow : old) {
            if (flow.packets > 0) {
                find(flow.key) = flow;
            }
        }
    }

    std::vector<Flow> flows_ = std::vector<Flow>(kFirstEntries);
    std::size_t used_ = 0;
};

}  // namespace

int main(int count, char** values) {
    if (count != 2) {
        std::fprintf(stderr, "usage: flowclass_floor CAPTURE\n");
        return 2;
    }
    const auto file = flowclass::capture::MappedFile::open(values[1]);
    if (!file.ok()) {
        std::fprintf(stderr, "%s\n", file.error().c_str());
        return 4;
    }
    const Bytes bytes = file.value().bytes();
    const std::uint32_t magic = bytes.size() < kFileHeader ? 0 : load<std::uint32_t>(bytes, 0);
    if (magic != 0xa1b23c4dU && magic != 0xa1b2c3d4U) {
        std::fprintf(stderr, "%s: not a pcap in this machine's byte order\n", values[1]);
        return 4;
    }
    Flows flows;
    std::uint64_t packets = 0;
    std::uint64_t octets = 0;
    for (std::size_t at = kFileHeader; at + kRecordHeader <= bytes.size();) {
        const std::size_t length = load<std::uint32_t>(bytes, at + 8);
        at += kRecordHeader;
        if (length > bytes.size() - at) {
            break;
        }
        Key key;
        std::uint64_t ip_bytes = 0;
        if (parse(bytes.subspan(at, length), key, ip_bytes)) {
            flows.count(key, ip_bytes);
        }
        ++packets;
        octets += length;
        at += length;
    }
    std::printf("{\"packets\": %llu, \"flows\": %zu, \"bytes\": %llu}\n",
                static_cast<unsigned long long>(packets),
                flows.used(),
                static_cast<unsigned long long>(octets));
    return 0;
}
