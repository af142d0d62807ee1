#include "engine/carried_packets.hpp"

namespace flowclass::engine {

base::Result<std::vector<packet::PacketView>> views_of(const CarriedColumns& columns) {
    const std::size_t count = columns.times.size();
    if (columns.clocks.size() != count || columns.frames.size() != count ||
        columns.wire_lengths.size() != count || columns.link_types.size() != count ||
        columns.offsets.size() != count + 1) {
        return base::Error{"the columns of carried packets are not of one length"};
    }
    std::vector<packet::PacketView> views;
    views.reserve(count);
    for (std::size_t row = 0; row < count; ++row) {
        const std::int64_t begin = columns.offsets[row];
        const std::int64_t end = columns.offsets[row + 1];
        if (begin < 0 || end < begin || static_cast<std::uint64_t>(end) > columns.octets.size()) {
            return base::Error{"the offsets of carried packets lie outside their octets"};
        }
        const base::Bytes bytes = columns.octets.subspan(static_cast<std::size_t>(begin),
                                                         static_cast<std::size_t>(end - begin));
        if (bytes.size() > columns.wire_lengths[row]) {
            return base::Error{"a carried packet has more octets than it had on the wire"};
        }
        views.push_back({columns.times[row],
                         bytes,
                         columns.wire_lengths[row],
                         columns.link_types[row],
                         columns.frames[row]});
    }
    return views;
}

}  // namespace flowclass::engine
