// What pieces of a stream left at their borders, in the order and with the clock of the stream.
#include <algorithm>
#include <span>

#include "engine/shard.hpp"

namespace flowclass::engine {

// A clock that is ahead of its packet's time is that of a packet elsewhere; between two such clocks
// packets go in bursts as ever.
void Shard::push_carried(std::span<const packet::PacketView> views,
                         std::span<const base::TimeNs> clocks) noexcept {
    for (std::size_t done = 0; done < views.size();) {
        see_time(clocks[done]);
        std::size_t count = 0;
        base::TimeNs clock = clock_;
        while (count < packet::kBurst && done + count < views.size() &&
               clocks[done + count] <= std::max(clock, views[done + count].time)) {
            clock = std::max(clock, views[done + count].time);
            ++count;
        }
        on_views(views.subspan(done, count));
        done += count;
    }
}

}  // namespace flowclass::engine
