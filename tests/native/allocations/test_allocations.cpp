// The packet clock and the head clock allocate nothing once they are set up: every `new` of this
// program is counted while a Watch is on, over all captures of the repository.
//
// Shard::push has two limits. A flow that ends is appended to a list that the engine takes and that
// keeps its room, so the list may grow; and the flow table's index doubles when there are more
// flows than ever before. While neither happens it allocates nothing, which is what is shown here.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <vector>

#include "capture/capture_reader.hpp"
#include "check.hpp"
#include "decode/decode.hpp"
#include "engine/shard.hpp"
#include "fingerprint/match.hpp"
#include "head/head_block.hpp"

namespace {

bool g_watching = false;
std::uint64_t g_allocations = 0;

}  // namespace

// The array and the nothrow forms end here too: the library's own call this one.
void* operator new(std::size_t size) {
    if (g_watching) {
        ++g_allocations;
    }
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    std::abort();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    if (g_watching) {
        ++g_allocations;
    }
    const auto unit = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) {
        return memory;
    }
    std::abort();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

using namespace flowclass;

namespace {

// Counts what is allocated between its making and count().
class Watch {
  public:
    Watch() {
        g_allocations = 0;
        g_watching = true;
    }
    ~Watch() { g_watching = false; }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    [[nodiscard]] std::uint64_t count() const {
        g_watching = false;
        return g_allocations;
    }
};

std::vector<std::vector<std::uint8_t>> captures() {
    std::vector<std::vector<std::uint8_t>> all;
    for (const auto& entry : std::filesystem::directory_iterator(FLOWCLASS_CAPTURES)) {
        std::ifstream file(entry.path(), std::ios::binary);
        all.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    CHECK(all.size() >= 10);
    return all;
}

// One head for the payloads of all flows together, closed and opened again when it is full: the
// worst that a head may meet.
class OneHead {
  public:
    void add(const packet::FlowLayer& layer, base::TimeNs time) {
        if (layer.payload_length == 0) {
            return;
        }
        if (index_ == head::HeadPool::kNone) {
            index_ = pool_.open(layer, time, {});
            number_ = 0;
        }
        const auto direction = layer.src_port < layer.dst_port ? packet::Direction::reverse
                                                               : packet::Direction::forward;
        if (pool_.add(index_, layer, direction, time, ++number_) || number_ == 6) {
            fingerprint::match(pool_.seal(index_), found_);
            pool_.close(index_);
            index_ = head::HeadPool::kNone;
            ++matched_;
        }
    }
    [[nodiscard]] std::uint64_t matched() const { return matched_; }

  private:
    head::HeadPool pool_{4};
    fingerprint::Match found_;
    std::uint32_t index_ = head::HeadPool::kNone;
    std::uint32_t number_ = 0;
    std::uint64_t matched_ = 0;
};

engine::Options options() {
    engine::Options made;
    made.memcap = std::size_t{64} << 20U;
    // Longer than any capture here, so that only the end of a TCP connection ends a flow.
    made.idle_timeout = made.active_timeout = 100'000 * base::kSecond;
    made.tcp_linger = 90'000 * base::kSecond;
    return made;
}

}  // namespace

TEST(the_counter_counts) {
    const Watch watch;
    const auto one = std::make_unique<int>(1);
    const auto many = std::vector<int>(100);
    CHECK_EQ(watch.count(), 2U);
    CHECK(*one == 1 && many.size() == 100);
}

TEST(capture_decode_head_and_match_allocate_nothing) {
    std::uint64_t frames = 0;
    const auto layers = std::make_unique<packet::LayerBuffer>();
    decode::Decoder decoder{decode::DecodeOptions{}};
    OneHead head;
    for (const auto& capture : captures()) {
        capture::CaptureReader reader;
        std::vector<packet::PacketView> views(packet::kBurst);
        const Watch watch;
        reader.push(capture);
        while (const std::size_t count = reader.next_burst(views)) {
            for (const packet::PacketView& view : std::span(views).first(count)) {
                layers->clear();
                decoder.decode(view, 0, *layers);
                for (std::size_t layer = 0; layer < layers->layer_count; ++layer) {
                    head.add(layers->layers[layer], view.time);
                }
                ++frames;
            }
        }
        CHECK_EQ(watch.count(), 0U);
    }
    CHECK(frames > 1000);
    CHECK(head.matched() > 100);
}

TEST(a_shard_allocates_nothing_while_no_flow_ends) {
    std::size_t without_an_end = 0;
    for (const auto& capture : captures()) {
        engine::Shard shard(options(), base::HashKey{1, 2}, 0, 1);
        shard.begin_source(0);
        const Watch watch;
        shard.push(capture);
        const std::uint64_t allocations = watch.count();
        CHECK(shard.counters().read.packets > 0);
        if (shard.counters().flows == 0) {
            CHECK_EQ(allocations, 0U);
            ++without_an_end;
        }
    }
    CHECK(without_an_end >= 10);
}
