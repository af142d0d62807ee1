// Hands columns to whoever speaks the Arrow C data interface, without copies: buffers move into the
// exported structs and are freed by their release callbacks.
#pragma once

#include <string>
#include <vector>

#include "batch/column.hpp"
#include "flowclass/arrow_c_abi.h"

namespace flowclass::batch {

// A column's type as the Arrow C interface spells it.
struct FieldType {
    std::string name;
    std::string format;
    bool nullable = false;
    std::vector<FieldType> children;
    std::string dictionary_format;  // of the values; empty = not a dictionary
};

void export_schema(const FieldType& type, ArrowSchema* out);
void export_array(ColumnData&& column, ArrowArray* out);

}  // namespace flowclass::batch
