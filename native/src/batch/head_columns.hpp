// The column of saved heads: per payload of a head who sent it, when, how long it was, and the
// octets that were kept of it. Takes: a FlowHead. Gives: list items from which the same head can be
// made again (python/bind_heads.cpp).
#pragma once

#include "batch/column.hpp"
#include "batch/flow_row.hpp"
#include "head/flow_head.hpp"

namespace flowclass::batch {

class HeadColumns {
  public:
    // `head` nullptr: an empty list.
    void add(const head::FlowHead* head, base::TimeNs flow_begun, const Orientation& way);
    ColumnData finish(const std::shared_ptr<const ColumnData>& direction_names);

  private:
    ListOffsets offsets_;
    DictionaryColumn<std::int16_t> direction_;
    FixedColumn<std::uint8_t> by_first_sender_, from_start_;
    FixedColumn<std::int64_t> offset_ns_;
    FixedColumn<std::uint16_t> sender_port_, receiver_port_;
    FixedColumn<std::uint32_t> packet_, length_, start_, repeated_;
    TextColumn prefix_;
};

}  // namespace flowclass::batch
