// Copies of slots whose flows have ended, until their rows are made: the table's own slots go to
// other flows meanwhile. Takes: a slot. Gives: its copy, which stays where it is until it is
// released. Memory follows the most that ever waited at once.
#pragma once

#include <deque>
#include <vector>

#include "engine/flow_state.hpp"

namespace flowclass::engine {

// Rows that wait until no other can come before them, and those whose turn it is; these are
// pointers into the former.
struct Waiting {
    std::vector<EndedFlow> waiting;
    std::vector<const EndedFlow*> ready;
};

class SlotCopies {
  public:
    Table::Slot* copy(const Table::Slot& slot) {
        if (free_.empty()) {
            return &copies_.emplace_back(slot);
        }
        Table::Slot* const taken = free_.back();
        free_.pop_back();
        *taken = slot;
        return taken;
    }
    void release(Table::Slot* copy) { free_.push_back(copy); }

  private:
    std::deque<Table::Slot> copies_;
    std::vector<Table::Slot*> free_;
};

}  // namespace flowclass::engine
