// Memory that runs out is a code at the C ABI, never an exception and never a crash: the n-th
// request for memory fails, for every n up to a run that needs no more. The one argument is a
// capture of ours.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <vector>

#include "flowclass/flowclass.h"

namespace {

// Requests that still succeed; negative: all of them.
std::int64_t left = -1;

void* request(std::size_t size) {
    if (left == 0) {
        throw std::bad_alloc();
    }
    if (left > 0) {
        --left;
    }
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

}  // namespace

void* operator new(std::size_t size) {
    return request(size);
}
void* operator new[](std::size_t size) {
    return request(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

using Octets = std::vector<char>;

bool is_known(flowclass_status status) {
    return status == FLOWCLASS_OK || status == FLOWCLASS_OUT_OF_MEMORY;
}

// One run; the first status that is not FLOWCLASS_OK.
flowclass_status run(const Octets& capture) {
    flowclass_engine_options options{};
    options.struct_size = sizeof options;
    flowclass_engine_options_init(&options);
    options.memcap = 1U << 20U;
    options.batch_rows = 2;
    options.flags |= FLOWCLASS_ENGINE_HEADS | FLOWCLASS_ENGINE_FEATURES;
    flowclass_engine* engine = nullptr;
    flowclass_status status = flowclass_engine_open(&options, &engine, nullptr);
    if (status != FLOWCLASS_OK) {
        return engine == nullptr ? status : FLOWCLASS_INTERNAL;
    }
    const auto then = [&status](flowclass_status next) {
        if (status == FLOWCLASS_OK) {
            status = next;
        } else if (next != FLOWCLASS_BROKEN) {
            status = FLOWCLASS_INTERNAL;
        }
    };
    then(flowclass_begin_source(engine, "capture", 7));
    then(flowclass_push(engine, capture.data(), capture.size()));
    then(flowclass_end_source(engine, nullptr));
    then(flowclass_finish(engine));
    ArrowArray batch{};
    then(flowclass_poll(engine, &batch));
    if (batch.release != nullptr) {
        batch.release(&batch);
    }
    ArrowArrayStream stream{};
    then(flowclass_poll_stream(engine, &stream));
    flowclass_engine_close(engine);
    while (status == FLOWCLASS_OK) {
        ArrowArray next{};
        if (stream.get_next(&stream, &next) != 0) {
            status = stream.get_last_error(&stream) != nullptr ? FLOWCLASS_OUT_OF_MEMORY
                                                               : FLOWCLASS_INTERNAL;
        } else if (next.release == nullptr) {
            break;
        } else {
            next.release(&next);
        }
    }
    if (stream.release != nullptr) {
        stream.release(&stream);
    }
    return status;
}

// Fails at every request in turn; past the first thousand, at fewer and fewer.
std::int64_t fail_at_each(const Octets& capture) {
    std::int64_t number = 0;
    for (;; number += 1 + number / 1000) {
        left = number;
        const flowclass_status status = run(capture);
        left = -1;
        if (!is_known(status)) {
            std::fprintf(stderr,
                         "request %lld failing gave %d\n",
                         static_cast<long long>(number),
                         static_cast<int>(status));
            return -1;
        }
        if (status == FLOWCLASS_OK) {
            return number;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    std::ifstream file(argv[1], std::ios::binary);
    const Octets capture((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (run(capture) != FLOWCLASS_OK) {
        std::fputs("the capture cannot be read at all\n", stderr);
        return 1;
    }
    const std::int64_t requests = fail_at_each(capture);
    std::printf("a run makes at most %lld requests\n", static_cast<long long>(requests));
    return requests > 100 ? 0 : 1;
}
