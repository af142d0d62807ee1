// The pipeline's stages up to `match`, put together from the rooms' own classes: no timers but
// idleness, no states of TCP, no rows. `hello` reads what clients said of themselves; `match` does
// that too and then names the flow. Takes: a capture's octets. Gives: what was found, so that
// the caller can check it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/prefetch.hpp"
#include "capture/capture_reader.hpp"
#include "decode/decode.hpp"
#include "engine/engine.hpp"
#include "fingerprint/match.hpp"
#include "flow/flow_key.hpp"
#include "flow/flow_table.hpp"
#include "head/head_block.hpp"
#include "hello/client_hello.hpp"

namespace flowclass::benchmark {

inline constexpr std::size_t kFlows = std::size_t{1} << 21U;
inline constexpr base::TimeNs kIdle = 120 * base::kSecond;

// `calibration` is no stage but a measure of the machine: it runs when it is asked for by name.
enum class Stage : std::uint8_t {
    read,
    decode,
    table,
    heads,
    hello,
    match,
    shard,
    engine,
    calibration,
    count_
};
inline constexpr std::array<const char*, static_cast<std::size_t>(Stage::count_)> kStageNames{
    "read", "decode", "table", "heads", "hello", "match", "shard", "engine", "calibration"};

struct Found {
    std::uint64_t packets = 0;
    std::uint64_t flows = 0;
    std::uint64_t sum = 0;  // of what was read, so that no stage is optimised away
    std::map<std::string, std::uint64_t> protocols;
    engine::MemoryUse memory;
    std::uint64_t peak_anonymous = 0;  // octets of the process's own memory
};

// ----
struct State {
    feature::Accumulators sums;
    base::TimeNs touched = 0;
    base::TimeNs head_deadline = 0;
    std::uint32_t head = head::HeadPool::kNone;
    std::uint32_t payloads = 0;
    bool from_a = true;
    bool head_done = false;
};

class Partial {
  public:
    explicit Partial(Stage last)
        : last_(last),
          table_(kFlows),
          heads_(kFlows / 4),
          by_matcher_(fingerprint::matchers().size()) {}

    // Fetches a burst ahead, as the product does: each stage shows its work, not the wait for
    // memory of the one before.
    void push(base::Bytes chunk) {
        reader_.push(chunk);
        std::size_t before = chunk.size();
        for (std::size_t count = reader_.next_burst(views_); count > 0;
             count = reader_.next_burst(views_)) {
            const base::Bytes unread = reader_.unread();
            ahead_ = unread.first(std::min(unread.size(), before - unread.size()));
            before = unread.size();
            on_burst(count);
        }
    }
    void look_ahead(std::size_t index, std::size_t count) const {
        const std::size_t end = ahead_.size() * (index + 1) / count;
        for (std::size_t at = ahead_.size() * index / count; at < end; at += base::kLine) {
            base::prefetch_line(&ahead_[at]);
        }
    }
    Found finish() {
        table_.for_each([this](std::uint32_t slot) { close_head(table_[slot].value); });
        for (std::size_t matcher = 0; matcher < by_matcher_.size(); ++matcher) {
            if (by_matcher_[matcher] > 0) {
                found_.protocols[std::string(fingerprint::matchers()[matcher].info->protocol)] +=
                    by_matcher_[matcher];
            }
        }
        return found_;
    }

  private:
    void on_burst(std::size_t count) {
        found_.packets += count;
        if (last_ == Stage::read) {
            for (std::size_t index = 0; index < count; ++index) {
                look_ahead(index, count);
                found_.sum += views_[index].wire_length;
            }
            return;
        }
        layers_.clear();
        for (std::size_t index = 0; index < count; ++index) {
            look_ahead(index, count);
            clock_ = std::max(clock_, views_[index].time);
            if (!layers_.has_room()) {
                on_layers();
            }
            const auto reason =
                decoder_.decode(views_[index], static_cast<std::uint16_t>(index), layers_);
            found_.sum += static_cast<std::uint64_t>(reason.kind);
        }
        on_layers();
        if (last_ != Stage::decode) {
            wheel_.advance(
                clock_,
                table_.links(),
                [this](std::uint32_t slot) { table_.prefetch(slot); },
                [](std::uint32_t) {},
                [this](std::uint32_t slot) { on_due(slot); });
        }
    }
    void on_layers() {
        if (last_ == Stage::decode) {
            found_.sum += layers_.layer_count;
            layers_.clear();
            return;
        }
        if (!started_) {
            started_ = true;
            wheel_.start(clock_);
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            flow::make_key(layers_.layers[index], 0, options_, keys_[index]);
            table_.prefetch_index(keys_[index].hash);
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            static_cast<void>(table_.prefetch_slot(keys_[index].hash));
        }
        for (std::size_t index = 0; index < layers_.layer_count; ++index) {
            on_layer(index);
        }
        layers_.clear();
    }
    void on_layer(std::size_t index) {
        const packet::FlowLayer& layer = layers_.layers[index];
        const base::TimeNs time = views_[layer.packet].time;
        std::uint32_t slot = table_.find(keys_[index].key, keys_[index].hash);
        if (slot == flow::kNoSlot) {
            slot = table_.insert(keys_[index].key, keys_[index].hash);
            table_[slot].value = {};
            table_[slot].value.from_a = keys_[index].from_a;
            wheel_.schedule(slot, time + head::kHeadTime, table_.links());
            ++found_.flows;
        }
        State& state = table_[slot].value;
        const auto direction = keys_[index].from_a == state.from_a ? packet::Direction::forward
                                                                   : packet::Direction::reverse;
        state.sums.add(layer, direction);
        state.touched = time;
        if (last_ >= Stage::heads && layer.payload_length > 0 &&
            layer.fragment != packet::Fragment::later && !state.head_done) {
            add_payload(state, layer, direction, time);
        }
    }
    void add_payload(State& state,
                     const packet::FlowLayer& layer,
                     packet::Direction direction,
                     base::TimeNs time) {
        if (state.head == head::HeadPool::kNone) {
            state.head = heads_.open(layer, time, {});
            state.head_deadline = time + head::kHeadTime;
        }
        if (time > state.head_deadline ||
            heads_.add(state.head, layer, direction, time, ++state.payloads)) {
            close_head(state);
        }
    }
    void on_due(std::uint32_t slot) {
        State& state = table_[slot].value;
        if (state.touched + kIdle < clock_) {
            close_head(state);
            table_.erase(slot);
            return;
        }
        if (clock_ > state.head_deadline) {
            close_head(state);
        }
        wheel_.schedule(slot, state.touched + kIdle, table_.links());
    }
    void close_head(State& state) {
        if (state.head == head::HeadPool::kNone) {
            return;
        }
        head::FlowHead& sealed = heads_.seal(state.head);
        if (last_ == Stage::hello) {
            found_.sum += hello::may_hold_hello(sealed) && hello::read(sealed, match_.hello);
        }
        if (last_ >= Stage::match) {
            fingerprint::match(sealed, match_);
            if (match_.tier != fingerprint::Tier::none) {
                ++by_matcher_[match_.matcher];
            }
        }
        found_.sum += sealed.entry_count;
        heads_.close(state.head);
        state.head = head::HeadPool::kNone;
        state.head_done = true;
    }

    Stage last_;
    capture::CaptureReader reader_;
    decode::Decoder decoder_{decode::DecodeOptions{}};
    flow::KeyOptions options_{base::PlaceHash(base::random_hash_key()), true};
    flow::FlowTable<State> table_;
    flow::TimerWheel wheel_;
    head::HeadPool heads_;
    std::array<packet::PacketView, packet::kBurst> views_;
    packet::LayerBuffer layers_;
    std::array<flow::KeyedLayer, packet::LayerBuffer::kLayers> keys_;
    fingerprint::Match match_;
    std::vector<std::uint64_t> by_matcher_;
    base::Bytes ahead_;
    base::TimeNs clock_ = INT64_MIN;
    bool started_ = false;
    Found found_;
};

}  // namespace flowclass::benchmark
