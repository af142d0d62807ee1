// Columns in Arrow's memory layout, built row by row. Takes: values or nulls. Gives: type-erased
// ColumnData for the export. Guarantees: every column of a batch has the same length; text is
// UTF-8; null is null, never a stand-in value.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flowclass::batch {

// One buffer and whoever owns its memory.
struct Buffer {
    const void* data = nullptr;
    std::shared_ptr<const void> owner;
};
template <typename Values>  // a vector or a string
Buffer own(Values values) {
    const auto owner = std::make_shared<const Values>(std::move(values));
    return {owner->data(), owner};
}

// A short column grows by doubling; one that gets long is given a whole batch's room at once, and
// the next batch's column that of the last and a little more, so that hardly any is copied.
inline constexpr std::size_t kShortColumn = 1024;
inline constexpr std::size_t kLongColumn = 8192;
template <typename T>
void make_room(std::vector<T>& values, std::size_t more) {
    if (values.size() + more > values.capacity() && values.size() >= kShortColumn &&
        values.size() < kLongColumn) {
        values.reserve(std::max(kLongColumn, values.size() + more));
    }
}
template <typename T>
void push(std::vector<T>& values, T value) {
    make_room(values, 1);
    values.push_back(value);
}

// A finished column: what ArrowArray says of it.
struct ColumnData {
    std::int64_t length = 0;
    std::int64_t null_count = 0;
    std::vector<Buffer> buffers;  // [0] = validity, null data when there are no nulls
    std::vector<ColumnData> children;
    std::shared_ptr<const ColumnData> dictionary;
};

class Validity {
  public:
    // Columns are mostly all there or all null, so only a change of that costs more than a count:
    // bits_ holds what came before the run of equal values at the end.
    void add(bool valid) {
        if (valid != run_valid_) {
            write_run();
            run_valid_ = valid;
        }
        ++length_;
    }
    void add_there(std::size_t count) {
        if (count > 0) {
            add(true);
            length_ += static_cast<std::int64_t>(count) - 1;
        }
    }
    // Of `count` values at once, those there whose bits are set, the first one's is the lowest.
    static constexpr std::size_t kMostTogether = 56;
    void add(std::uint64_t bits, std::size_t count) {
        const auto there = static_cast<std::size_t>(std::popcount(bits));
        if (there == count) {
            add_there(count);
        } else if (there == 0) {
            add(false);
            length_ += static_cast<std::int64_t>(count) - 1;
        } else {
            write_run();
            write_bits(bits, count);
            nulls_ += static_cast<std::int64_t>(count - there);
        }
    }
    void finish(ColumnData& out) {
        write_run();
        out.length = length_;
        out.null_count = nulls_;
        out.buffers.push_back(nulls_ == 0 ? Buffer{} : own(std::move(bits_)));
        *this = {};
    }
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }

  private:
    void write_run() {
        bits_.resize(static_cast<std::size_t>((length_ + 7) / 8));
        if (!run_valid_) {
            nulls_ += length_ - written_;
            written_ = length_;
            return;
        }
        while (written_ < length_) {
            std::uint8_t& octet = bits_[static_cast<std::size_t>(written_ / 8)];
            const std::int64_t from = written_ & 7;
            const std::int64_t to = std::min<std::int64_t>(8, from + length_ - written_);
            octet = static_cast<std::uint8_t>(octet | ((1U << to) - (1U << from)));
            written_ += to - from;
        }
    }

    void write_bits(std::uint64_t bits, std::size_t count) {
        std::uint64_t shifted = bits << static_cast<unsigned>(length_ & 7);
        auto octet = static_cast<std::size_t>(length_ / 8);
        length_ += static_cast<std::int64_t>(count);
        written_ = length_;
        bits_.resize(static_cast<std::size_t>((length_ + 7) / 8));
        for (; shifted != 0; shifted >>= 8U) {
            bits_[octet] = static_cast<std::uint8_t>(bits_[octet] | shifted);
            ++octet;
        }
    }

    std::vector<std::uint8_t> bits_;
    std::int64_t length_ = 0;
    std::int64_t written_ = 0;
    std::int64_t nulls_ = 0;
    bool run_valid_ = true;
};

template <typename Values>
Values begin_next(Values& values) {
    Values finished;
    finished.swap(values);
    values.reserve(finished.size() + finished.size() / 8);
    return finished;
}

template <typename T>
class FixedColumn {
  public:
    void add(T value) {
        validity_.add(true);
        push(values_, value);
    }
    void add_null() {
        validity_.add(false);
        push(values_, T{});
    }
    // Those whose bits are set in `there`; of the others the value is T{}.
    void add(std::span<const T> values, std::uint64_t there) {
        validity_.add(there, values.size());
        make_room(values_, values.size());
        values_.insert(values_.end(), values.begin(), values.end());
    }
    // Room for `count` values at once, all there; the caller writes every one.
    std::span<T> extend(std::size_t count) {
        validity_.add_there(count);
        const std::size_t before = values_.size();
        values_.resize(before + count);
        return std::span(values_).subspan(before);
    }
    ColumnData finish() {
        ColumnData out;
        validity_.finish(out);
        out.buffers.push_back(own(begin_next(values_)));
        return out;
    }

  private:
    Validity validity_;
    std::vector<T> values_;
};

// Texts are short and many: they are copied into room that is kept ahead.
class TextColumn {
  public:
    void add(std::string_view value) { copy(value); }
    void add_octets(std::span<const std::uint8_t> value) { copy(value); }
    void add_null() {
        validity_.add(false);
        push(offsets_, static_cast<std::int32_t>(used_));
    }
    ColumnData finish() {
        ColumnData out;
        validity_.finish(out);
        text_.resize(used_);
        out.buffers.push_back(own(begin_next(offsets_)));
        out.buffers.push_back(own(begin_next(text_)));
        offsets_.push_back(0);
        used_ = 0;
        return out;
    }

  private:
    static constexpr std::size_t kSlack = 64;

    template <typename Value>
    void copy(const Value& value) {
        validity_.add(true);
        const std::size_t end = used_ + value.size();
        if (end + kSlack > text_.size()) {
            text_.resize(std::max(end + kSlack, 2 * text_.size()));
        }
        std::copy(value.begin(), value.end(), std::span(text_).subspan(used_).begin());
        used_ = end;
        push(offsets_, static_cast<std::int32_t>(used_));
    }

    Validity validity_;
    std::vector<std::int32_t> offsets_{0};
    std::vector<char> text_;  // room; `used_` octets of it are written
    std::size_t used_ = 0;
};

// A closed or growing list of names, indexed by Index. The dictionary only grows, so batches of one
// run share a prefix.
template <typename Index>
class DictionaryColumn {
  public:
    void add(std::size_t index) { indexes_.add(static_cast<Index>(index)); }
    void add_null() { indexes_.add_null(); }
    std::span<Index> extend(std::size_t count) { return indexes_.extend(count); }
    ColumnData finish(const std::shared_ptr<const ColumnData>& dictionary) {
        ColumnData out = indexes_.finish();
        out.dictionary = dictionary;
        return out;
    }

  private:
    FixedColumn<Index> indexes_;
};

inline std::shared_ptr<const ColumnData> make_dictionary(const std::vector<std::string>& names) {
    TextColumn column;
    for (const std::string& name : names) {
        column.add(name);
    }
    return std::make_shared<const ColumnData>(column.finish());
}

// The offsets of a list column; its child is a column, or a struct whose columns the caller keeps.
class ListOffsets {
  public:
    void add(std::size_t count) {
        end_ += static_cast<std::int32_t>(count);
        push(offsets_, end_);
    }
    // A list of structs of these fields.
    ColumnData finish(std::vector<ColumnData>&& fields) {
        ColumnData items;
        items.length = end_;
        items.buffers.emplace_back();
        items.children = std::move(fields);
        return finish(std::move(items));
    }
    // A list of these items.
    ColumnData finish(ColumnData&& items) {
        ColumnData out;
        out.length = static_cast<std::int64_t>(offsets_.size()) - 1;
        out.buffers.emplace_back();
        out.buffers.push_back(own(begin_next(offsets_)));
        out.children.push_back(std::move(items));
        offsets_.push_back(0);
        end_ = 0;
        return out;
    }

  private:
    std::vector<std::int32_t> offsets_{0};
    std::int32_t end_ = 0;
};

}  // namespace flowclass::batch
