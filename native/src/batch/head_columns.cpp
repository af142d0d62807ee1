// What of a direction's stream lies behind its last entry belongs to that entry.
#include "batch/head_columns.hpp"

#include <algorithm>

namespace flowclass::batch {

namespace {

constexpr std::uint8_t kTcp = 6;

// The octets kept from where the entry begins; a stream's last entry has the rest of it too.
base::Bytes prefix_of(const head::FlowHead& head, std::size_t entry) {
    const head::HeadEntry& own = head.entries[entry];
    if (head.ip_proto != kTcp) {
        return head.payload(entry).bytes;
    }
    const auto begins_later = [&own](const head::HeadEntry& other) {
        return other.direction == own.direction && other.start > own.start;
    };
    const auto entries = std::span(head.entries).first(head.entry_count);
    const base::Bytes stream = head.stream(own.direction);
    return std::any_of(entries.begin(), entries.end(), begins_later)
               ? head.payload(entry).bytes
               : stream.subspan(std::min<std::size_t>(own.start, stream.size()));
}

}  // namespace

void HeadColumns::add(const head::FlowHead* head, base::TimeNs flow_begun, const Orientation& way) {
    offsets_.add(head == nullptr ? 0 : head->entry_count);
    for (std::size_t entry = 0; head != nullptr && entry < head->entry_count; ++entry) {
        const head::HeadEntry& seen = head->entries[entry];
        const bool forward = seen.direction == packet::Direction::forward;
        direction_.add(forward == way.initiator_forward ? 0 : 1);  // as in kDirectionNames
        by_first_sender_.add(forward ? 1 : 0);
        from_start_.add(head->from_stream_start[head::index_of(seen.direction)] ? 1 : 0);
        offset_ns_.add(base::saturating_subtract(seen.time, flow_begun));
        sender_port_.add(forward ? head->src_port : head->dst_port);
        receiver_port_.add(forward ? head->dst_port : head->src_port);
        packet_.add(seen.packet);
        length_.add(seen.length);
        start_.add(seen.start);
        repeated_.add(seen.payload_offset);
        prefix_.add_octets(prefix_of(*head, entry));
    }
}

ColumnData HeadColumns::finish(const std::shared_ptr<const ColumnData>& direction_names) {
    std::vector<ColumnData> fields;
    fields.push_back(direction_.finish(direction_names));
    fields.push_back(by_first_sender_.finish());
    fields.push_back(from_start_.finish());
    fields.push_back(offset_ns_.finish());
    fields.push_back(sender_port_.finish());
    fields.push_back(receiver_port_.finish());
    fields.push_back(packet_.finish());
    fields.push_back(length_.finish());
    fields.push_back(start_.finish());
    fields.push_back(repeated_.finish());
    fields.push_back(prefix_.finish());
    return offsets_.finish(std::move(fields));
}

}  // namespace flowclass::batch
