// Columns in Arrow's memory layout, built row by row. Takes: values or nulls. Gives: type-erased
// ColumnData for the export. Guarantees: every column of a batch has the same length; text is
// UTF-8; null is null, never a stand-in value.
#pragma once

#include <cstdint>
#include <memory>
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
template <typename T>
Buffer own(std::vector<T>&& values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    return {owner->data(), owner};
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
    void add(bool valid) {
        if ((length_ & 7) == 0) {
            bits_.push_back(0);
        }
        if (valid) {
            bits_.back() = static_cast<std::uint8_t>(bits_.back() | 1U << (length_ & 7));
        } else {
            ++nulls_;
        }
        ++length_;
    }
    void finish(ColumnData& out) {
        out.length = length_;
        out.null_count = nulls_;
        out.buffers.push_back(nulls_ == 0 ? Buffer{} : own(std::move(bits_)));
        *this = {};
    }
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }

  private:
    std::vector<std::uint8_t> bits_;
    std::int64_t length_ = 0;
    std::int64_t nulls_ = 0;
};

template <typename T>
class FixedColumn {
  public:
    void add(T value) {
        validity_.add(true);
        values_.push_back(value);
    }
    void add_null() {
        validity_.add(false);
        values_.push_back(T{});
    }
    ColumnData finish() {
        ColumnData out;
        validity_.finish(out);
        out.buffers.push_back(own(std::move(values_)));
        values_ = {};
        return out;
    }

  private:
    Validity validity_;
    std::vector<T> values_;
};

class TextColumn {
  public:
    void add(std::string_view value) {
        validity_.add(true);
        text_.insert(text_.end(), value.begin(), value.end());
        offsets_.push_back(static_cast<std::int32_t>(text_.size()));
    }
    void add_null() {
        validity_.add(false);
        offsets_.push_back(static_cast<std::int32_t>(text_.size()));
    }
    ColumnData finish() {
        ColumnData out;
        validity_.finish(out);
        out.buffers.push_back(own(std::move(offsets_)));
        out.buffers.push_back(own(std::move(text_)));
        offsets_ = {0};
        text_ = {};
        return out;
    }

  private:
    Validity validity_;
    std::vector<std::int32_t> offsets_{0};
    std::vector<char> text_;
};

// A closed or growing list of names, indexed by Index. The dictionary only grows, so batches of one
// run share a prefix.
template <typename Index>
class DictionaryColumn {
  public:
    void add(std::size_t index) { indexes_.add(static_cast<Index>(index)); }
    void add_null() { indexes_.add_null(); }
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

// The offsets of a list column; its child is a struct whose columns the caller keeps.
class ListOffsets {
  public:
    void add(std::size_t count) {
        end_ += static_cast<std::int32_t>(count);
        offsets_.push_back(end_);
    }
    ColumnData finish(std::vector<ColumnData>&& fields) {
        ColumnData items;
        items.length = end_;
        items.buffers.emplace_back();
        items.children = std::move(fields);
        ColumnData out;
        out.length = static_cast<std::int64_t>(offsets_.size()) - 1;
        out.buffers.emplace_back();
        out.buffers.push_back(own(std::move(offsets_)));
        out.children.push_back(std::move(items));
        offsets_ = {0};
        end_ = 0;
        return out;
    }

  private:
    std::vector<std::int32_t> offsets_{0};
    std::int32_t end_ = 0;
};

}  // namespace flowclass::batch
