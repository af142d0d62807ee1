// The C structs of the Arrow interface own what they point to through private_data; release gives
// it back.
#include "batch/arrow_export.hpp"

#include <memory>
#include <utility>

namespace flowclass::batch {

namespace {

struct SchemaOwner {
    std::string name;
    std::string format;
    std::vector<ArrowSchema> children;
    std::vector<ArrowSchema*> child_pointers;
    ArrowSchema dictionary{};
};

struct ArrayOwner {
    std::vector<Buffer> buffers;
    std::vector<const void*> buffer_pointers;
    std::vector<ArrowArray> children;
    std::vector<ArrowArray*> child_pointers;
    ArrowArray dictionary{};
};

// Children the consumer has moved away have no release callback any more (specification, "Moving
// child arrays").
template <typename Struct, typename Owner>
void release(Struct* exported) {
    const std::unique_ptr<Owner> owner(static_cast<Owner*>(exported->private_data));
    for (Struct& child : owner->children) {
        if (child.release != nullptr) {
            child.release(&child);
        }
    }
    if (owner->dictionary.release != nullptr) {
        owner->dictionary.release(&owner->dictionary);
    }
    exported->release = nullptr;
}

void export_array_copy(const ColumnData& column, ArrowArray* out) {
    ColumnData shared = column;  // buffers are shared, not copied
    export_array(std::move(shared), out);
}

}  // namespace

void export_schema(const FieldType& type, ArrowSchema* out) {
    auto owner = std::make_unique<SchemaOwner>();
    owner->name = type.name;
    owner->format = type.format;
    owner->children.resize(type.children.size());
    for (std::size_t index = 0; index < type.children.size(); ++index) {
        export_schema(type.children[index], &owner->children[index]);
        owner->child_pointers.push_back(&owner->children[index]);
    }
    if (!type.dictionary_format.empty()) {
        export_schema({.name = "",
                       .format = type.dictionary_format,
                       .nullable = false,
                       .children = {},
                       .dictionary_format = {}},
                      &owner->dictionary);
    }
    *out = {};
    out->format = owner->format.c_str();
    out->name = owner->name.c_str();
    out->flags = type.nullable ? ARROW_FLAG_NULLABLE : 0;
    out->n_children = static_cast<std::int64_t>(owner->child_pointers.size());
    out->children = owner->child_pointers.data();
    out->dictionary = type.dictionary_format.empty() ? nullptr : &owner->dictionary;
    out->release = &release<ArrowSchema, SchemaOwner>;
    out->private_data = owner.release();
}

void export_array(ColumnData&& column, ArrowArray* out) {
    auto owner = std::make_unique<ArrayOwner>();
    owner->buffers = std::move(column.buffers);
    for (const Buffer& buffer : owner->buffers) {
        owner->buffer_pointers.push_back(buffer.data);
    }
    owner->children.resize(column.children.size());
    for (std::size_t index = 0; index < column.children.size(); ++index) {
        export_array(std::move(column.children[index]), &owner->children[index]);
        owner->child_pointers.push_back(&owner->children[index]);
    }
    if (column.dictionary) {
        export_array_copy(*column.dictionary, &owner->dictionary);
    }
    *out = {};
    out->length = column.length;
    out->null_count = column.null_count;
    out->n_buffers = static_cast<std::int64_t>(owner->buffer_pointers.size());
    out->buffers = owner->buffer_pointers.data();
    out->n_children = static_cast<std::int64_t>(owner->child_pointers.size());
    out->children = owner->child_pointers.data();
    out->dictionary = column.dictionary ? &owner->dictionary : nullptr;
    out->release = &release<ArrowArray, ArrayOwner>;
    out->private_data = owner.release();
}

}  // namespace flowclass::batch
