// What decode met that is odd but alive: such frames are in a flow all the same, and the oddity has
// a name and a count.
#pragma once

#include <array>
#include <cstdint>

namespace flowclass::decode {

struct DecodeCounters {
    std::uint64_t inner_truncated = 0;  // a certain tunnel whose inner headers the snap length cut
    std::uint64_t inner_malformed = 0;  // a certain tunnel whose inner headers fail a check
    std::uint64_t inner_not_ip =
        0;  // a certain tunnel that carries something else (ARP, PPP control, ...)
    std::uint64_t depth_exceeded = 0;     // a tunnel below packet::kMaxDepth others, left closed
    std::uint64_t encaps_unrecorded = 0;  // tags and labels beyond packet::kMaxEncaps
    std::uint64_t ip_length_beyond_frame =
        0;  // the IP header claims more than the frame had on the wire
    std::uint64_t extension_malformed = 0;  // IPv6 extension headers that do not fit, or too many
    std::uint64_t transport_truncated = 0;  // the snap length cut the transport header
    std::uint64_t transport_malformed = 0;  // a transport header too short or with a wrong length
    std::uint64_t fragments_without_first =
        0;  // later fragments whose first was not seen: no ports
    std::uint64_t fragment_evictions =
        0;  // first fragments forgotten early because the table was full

    DecodeCounters& operator+=(const DecodeCounters& other) noexcept;
    template <typename Archive>
    void keep(Archive& archive);
};

struct DecodeCounterName {
    const char* name;
    std::uint64_t DecodeCounters::* member;
};

inline constexpr std::array kDecodeCounterNames{
    DecodeCounterName{"inner_truncated", &DecodeCounters::inner_truncated},
    DecodeCounterName{"inner_malformed", &DecodeCounters::inner_malformed},
    DecodeCounterName{"inner_not_ip", &DecodeCounters::inner_not_ip},
    DecodeCounterName{"depth_exceeded", &DecodeCounters::depth_exceeded},
    DecodeCounterName{"encaps_unrecorded", &DecodeCounters::encaps_unrecorded},
    DecodeCounterName{"ip_length_beyond_frame", &DecodeCounters::ip_length_beyond_frame},
    DecodeCounterName{"extension_malformed", &DecodeCounters::extension_malformed},
    DecodeCounterName{"transport_truncated", &DecodeCounters::transport_truncated},
    DecodeCounterName{"transport_malformed", &DecodeCounters::transport_malformed},
    DecodeCounterName{"fragments_without_first", &DecodeCounters::fragments_without_first},
    DecodeCounterName{"fragment_evictions", &DecodeCounters::fragment_evictions},
};
static_assert(sizeof(DecodeCounters) == kDecodeCounterNames.size() * sizeof(std::uint64_t));

inline DecodeCounters& DecodeCounters::operator+=(const DecodeCounters& other) noexcept {
    for (const DecodeCounterName& row : kDecodeCounterNames) {
        this->*row.member += other.*row.member;
    }
    return *this;
}

template <typename Archive>
void DecodeCounters::keep(Archive& archive) {
    for (const DecodeCounterName& row : kDecodeCounterNames) {
        archive(this->*row.member);
    }
}

}  // namespace flowclass::decode
