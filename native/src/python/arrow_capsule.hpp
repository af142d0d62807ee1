// Flow batches as Python objects that speak the Arrow PyCapsule interface.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <utility>

#include "batch/flow_batch.hpp"

// A batch is exported by sharing its buffers, so it can be read any number of times.
class PyFlowBatch {
  public:
    explicit PyFlowBatch(flowclass::batch::FlowBatch&& batch) : batch_(std::move(batch)) {}

    [[nodiscard]] std::int64_t rows() const noexcept { return batch_.rows; }
    [[nodiscard]] const flowclass::batch::FlowBatch& batch() const noexcept { return batch_; }

  private:
    flowclass::batch::FlowBatch batch_;
};
