/* The library found at run time, as a caller from another language finds it: by dlopen and dlsym
 * alone, nothing linked. Arguments: the library, a capture. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <flowclass/flowclass.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void* library;

/* A data pointer made a function pointer, as POSIX's dlsym has it. */
static void find(void* function, const char* name) {
    void* symbol = dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    memcpy(function, &symbol, sizeof symbol);
}

int main(int argc, char** argv) {
    if (argc != 3 || (library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL)) == NULL) {
        fprintf(stderr, "usage: loaded LIBRARY CAPTURE; %s\n", argc == 3 ? dlerror() : "");
        return 2;
    }
    uint32_t (*abi_version)(void);
    flowclass_status (*engine_open)(
        const flowclass_engine_options*, flowclass_engine**, flowclass_error*);
    flowclass_status (*begin_source)(flowclass_engine*, const char*, size_t);
    flowclass_status (*push)(flowclass_engine*, const void*, size_t);
    flowclass_status (*finish)(flowclass_engine*);
    flowclass_status (*poll_stream)(flowclass_engine*, struct ArrowArrayStream*);
    void (*engine_close)(flowclass_engine*);
    find(&abi_version, "flowclass_abi_version");
    find(&engine_open, "flowclass_engine_open");
    find(&begin_source, "flowclass_begin_source");
    find(&push, "flowclass_push");
    find(&finish, "flowclass_finish");
    find(&poll_stream, "flowclass_poll_stream");
    find(&engine_close, "flowclass_engine_close");
    CHECK(abi_version() == FLOWCLASS_ABI_VERSION);
    CHECK(dlsym(library, "_ZN9flowclass6engine6EngineC1ENS0_7OptionsE") == NULL);

    FILE* file = fopen(argv[2], "rb");
    static uint8_t chunk[4096];
    flowclass_engine* engine = NULL;
    CHECK(file != NULL && engine_open(NULL, &engine, NULL) == FLOWCLASS_OK);
    CHECK(begin_source(engine, "x", 1) == FLOWCLASS_OK);
    size_t count = 0;
    while (file != NULL && (count = fread(chunk, 1, sizeof chunk, file)) > 0) {
        CHECK(push(engine, chunk, count) == FLOWCLASS_OK);
    }
    CHECK(finish(engine) == FLOWCLASS_OK);
    struct ArrowArrayStream stream;
    CHECK(poll_stream(engine, &stream) == FLOWCLASS_OK);
    engine_close(engine);
    struct ArrowArray batch;
    CHECK(stream.get_next(&stream, &batch) == 0 && batch.release != NULL && batch.length > 1);
    batch.release(&batch);
    stream.release(&stream);
    if (file != NULL) {
        fclose(file);
    }
    return checked();
}
