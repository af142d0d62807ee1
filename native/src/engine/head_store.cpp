// A head as a row of octets in a chain of nodes: its facts, its entries, what was kept.
#include "engine/head_store.hpp"

#include <algorithm>
#include <span>

namespace flowclass::engine {

using head::FlowHead;
using head::HeadEntry;

namespace {

struct Facts {
    base::TimeNs time_first;
    std::array<std::uint16_t, 2> kept;
    std::uint16_t src_port, dst_port;
    std::uint8_t ip_proto, entry_count;
    std::array<bool, 2> from_stream_start, gap;
    bool truncated;
};

template <typename T>
std::span<const std::byte> octets_of(const T& value) noexcept {
    return std::as_bytes(std::span(&value, 1));
}
template <typename T>
std::span<std::byte> room_of(T& value) noexcept {
    return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace

class HeadStore::Writer {
  public:
    explicit Writer(HeadStore& store) noexcept : store_(store) {}

    void put(std::span<const std::byte> octets) noexcept {
        while (!octets.empty() && !failed_) {
            if (used_ == kOctets) {
                open_node();
                continue;
            }
            const std::size_t count = std::min(octets.size(), kOctets - used_);
            const auto room = std::as_writable_bytes(std::span(store_.nodes_[last_].octets));
            std::copy_n(octets.begin(), count, room.subspan(used_).begin());
            used_ += count;
            octets = octets.subspan(count);
        }
    }
    // The chain, or none where there was no room for all of it.
    std::uint32_t finish() noexcept {
        if (failed_ && first_ != kNone) {
            store_.release(first_);
            return kNone;
        }
        return first_;
    }

  private:
    void open_node() noexcept {
        const std::uint32_t index = store_.nodes_.acquire();
        if (index == kNone) {
            failed_ = true;
            return;
        }
        store_.nodes_[index].next = kNone;
        (first_ == kNone ? first_ : store_.nodes_[last_].next) = index;
        last_ = index;
        used_ = 0;
    }

    HeadStore& store_;
    std::uint32_t first_ = kNone;
    std::uint32_t last_ = kNone;
    std::size_t used_ = kOctets;
    bool failed_ = false;
};

class HeadStore::Reader {
  public:
    Reader(const HeadStore& store, std::uint32_t index) noexcept : store_(store), node_(index) {}

    void get(std::span<std::byte> out) noexcept {
        while (!out.empty() && node_ != kNone) {
            if (used_ == kOctets) {
                node_ = store_.nodes_[node_].next;
                used_ = 0;
                continue;
            }
            const std::size_t count = std::min(out.size(), kOctets - used_);
            const auto octets = std::as_bytes(std::span(store_.nodes_[node_].octets));
            std::copy_n(octets.subspan(used_).begin(), count, out.begin());
            used_ += count;
            out = out.subspan(count);
        }
    }

  private:
    const HeadStore& store_;
    std::uint32_t node_;
    std::size_t used_ = 0;
};

std::uint32_t HeadStore::save(const FlowHead& head) noexcept {
    Facts facts{};
    facts.time_first = head.time_first;
    facts.kept = {static_cast<std::uint16_t>(head.kept[0].size()),
                  static_cast<std::uint16_t>(head.kept[1].size())};
    facts.src_port = head.src_port;
    facts.dst_port = head.dst_port;
    facts.ip_proto = head.ip_proto;
    facts.entry_count = head.entry_count;
    facts.from_stream_start = head.from_stream_start;
    facts.gap = head.gap;
    facts.truncated = head.truncated;
    Writer writer(*this);
    writer.put(octets_of(facts));
    writer.put(std::as_bytes(std::span(head.entries).first(head.entry_count)));
    for (const base::Bytes kept : head.kept) {
        writer.put(std::as_bytes(kept));
    }
    return writer.finish();
}

std::uint32_t HeadStore::copy(std::uint32_t index) noexcept {
    Restored restored;
    read(index, restored);
    return save(restored.head);
}

void HeadStore::release(std::uint32_t index) noexcept {
    while (index != kNone) {
        const std::uint32_t next = nodes_[index].next;
        nodes_.release(index);
        index = next;
    }
}

void HeadStore::read(std::uint32_t index, Restored& out) const noexcept {
    Facts facts{};
    Reader reader(*this, index);
    reader.get(room_of(facts));
    FlowHead& head = out.head;
    head.time_first = facts.time_first;
    head.src_port = facts.src_port;
    head.dst_port = facts.dst_port;
    head.ip_proto = facts.ip_proto;
    head.entry_count = facts.entry_count;
    head.from_stream_start = facts.from_stream_start;
    head.gap = facts.gap;
    head.truncated = facts.truncated;
    head.direction_count = {};
    head.hello = nullptr;
    reader.get(std::as_writable_bytes(std::span(head.entries).first(head.entry_count)));
    for (const HeadEntry& entry : std::span(head.entries).first(head.entry_count)) {
        ++head.direction_count[head::index_of(entry.direction)];
    }
    std::span<std::uint8_t> room(out.octets);
    for (std::size_t direction = 0; direction < 2; ++direction) {
        const std::span<std::uint8_t> kept = room.first(facts.kept[direction]);
        reader.get(std::as_writable_bytes(kept));
        head.kept[direction] = kept;
        room = room.subspan(kept.size());
    }
}

}  // namespace flowclass::engine
