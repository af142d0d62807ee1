// Finished flows by the Arrow C interfaces. Takes: an engine. Gives: its batches one by one, or as
// a stream that owns them. No buffer is copied.
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "batch/arrow_export.hpp"
#include "capi/border.hpp"
#include "capi/handles.hpp"

namespace {

using namespace flowclass;
using capi::say;
using capi::with;

batch::Extras extras_of(const flowclass_engine& handle) noexcept {
    const engine::Options& options = handle.engine.options();
    return {.heads = options.heads, .features = options.features};
}

// Batches that wait in the handle come before those that wait in the engine.
void take_ready(flowclass_engine& handle) {
    if (handle.given == handle.ready.size()) {
        handle.ready = handle.engine.poll();
        handle.given = 0;
    }
}

struct Stream {
    std::vector<batch::FlowBatch> batches;
    std::size_t given = 0;
    batch::Extras extras;
    const char* error = nullptr;
};

Stream* stream_of(const ArrowArrayStream* stream) noexcept {
    return static_cast<Stream*>(stream->private_data);
}

// The stream's functions give 0 or an errno.
template <typename Work>
int answer(ArrowArrayStream* stream, Work&& work) noexcept {
    Stream& self = *stream_of(stream);
    const flowclass_status status = capi::guarded(
        [&self](flowclass_status failed, const char* sentence) {
            self.error = sentence;
            return failed;
        },
        [&] {
            work(self);
            self.error = nullptr;
            return flowclass_status{FLOWCLASS_OK};
        });
    if (status == FLOWCLASS_OK) {
        return 0;
    }
    return status == FLOWCLASS_OUT_OF_MEMORY ? ENOMEM : EIO;
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) noexcept {
    return answer(
        stream, [out](Stream& self) { batch::export_schema(batch::flow_type(self.extras), out); });
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) noexcept {
    return answer(stream, [out](Stream& self) {
        *out = {};
        if (self.given < self.batches.size()) {
            batch::export_array(std::move(self.batches[self.given++].columns), out);
        }
    });
}

// NOLINTNEXTLINE(misc-const-correctness): the type is the Arrow interface's
const char* get_last_error(ArrowArrayStream* stream) noexcept {
    return stream_of(stream)->error;
}

void release(ArrowArrayStream* stream) noexcept {
    const std::unique_ptr<Stream> owner(stream_of(stream));
    stream->release = nullptr;
}

}  // namespace

flowclass_status flowclass_get_schema(flowclass_engine* engine, ArrowSchema* out) {
    return with(engine, [out](flowclass_engine& handle) -> flowclass_status {
        if (out == nullptr) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
        }
        batch::export_schema(batch::flow_type(extras_of(handle)), out);
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_poll(flowclass_engine* engine, ArrowArray* out) {
    return with(engine, [out](flowclass_engine& handle) -> flowclass_status {
        if (out == nullptr) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
        }
        *out = {};
        take_ready(handle);
        if (handle.given < handle.ready.size()) {
            batch::export_array(std::move(handle.ready[handle.given++].columns), out);
        }
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_poll_stream(flowclass_engine* engine, ArrowArrayStream* out) {
    return with(engine, [out](flowclass_engine& handle) -> flowclass_status {
        if (out == nullptr) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
        }
        *out = {};
        auto made = std::make_unique<Stream>();
        made->extras = extras_of(handle);
        for (; handle.given < handle.ready.size(); ++handle.given) {
            made->batches.push_back(std::move(handle.ready[handle.given]));
        }
        for (batch::FlowBatch& ready : handle.engine.poll()) {
            made->batches.push_back(std::move(ready));
        }
        out->get_schema = &get_schema;
        out->get_next = &get_next;
        out->get_last_error = &get_last_error;
        out->release = &release;
        out->private_data = made.release();
        return FLOWCLASS_OK;
    });
}
