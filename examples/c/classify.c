/* Reads a capture and prints its flows: who with whom, which protocol, how sure, and why.
 *
 *     classify [--registry FILE.fcr] [--memcap OCTETS] CAPTURE...
 *
 * It shows how an engine is fed in chunks, how batches are taken as an Arrow stream while it runs,
 * and how to read columns of an Arrow array without any Arrow library. Exit codes: 0; 1 when
 * something failed; 2 when the command line is wrong; 3 when a capture was cut or garbled. */
#include <flowclass/flowclass.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns of an Arrow struct array ---- */

struct column {
    const struct ArrowArray* array;
    const struct ArrowSchema* schema;
};

/* The child of this name; the program ends where there is none, as it was built for this schema. */
static struct column column_of(const struct ArrowArray* batch,
                               const struct ArrowSchema* schema,
                               const char* name) {
    for (int64_t index = 0; index < schema->n_children; ++index) {
        if (strcmp(schema->children[index]->name, name) == 0) {
            const struct column found = {batch->children[index], schema->children[index]};
            return found;
        }
    }
    fprintf(stderr, "classify: the records have no column %s\n", name);
    exit(1);
}

static bool is_null(const struct ArrowArray* array, int64_t row) {
    const uint8_t* validity = array->buffers[0];
    const int64_t bit = row + array->offset;
    return validity != NULL && (validity[bit / 8] >> (bit % 8) & 1) == 0;
}

static flowclass_text text_in(const struct ArrowArray* array, int64_t row) {
    const int32_t* offsets = array->buffers[1];
    const char* octets = array->buffers[2];
    const int64_t at = row + array->offset;
    const flowclass_text text = {octets + offsets[at], (size_t)(offsets[at + 1] - offsets[at])};
    return text;
}

/* A text, or a name out of a dictionary with 16-bit indexes; "-" for null. */
static flowclass_text text_at(struct column column, int64_t row) {
    const flowclass_text none = {"-", 1};
    if (is_null(column.array, row)) {
        return none;
    }
    if (column.array->dictionary == NULL) {
        return text_in(column.array, row);
    }
    const int16_t* indexes = column.array->buffers[1];
    return text_in(column.array->dictionary, indexes[row + column.array->offset]);
}

static uint64_t u64_at(struct column column, int64_t row) {
    const uint64_t* values = column.array->buffers[1];
    return values[row + column.array->offset];
}

/* 16 bits; 0 for null. */
static uint16_t u16_at(struct column column, int64_t row) {
    const uint16_t* values = column.array->buffers[1];
    return is_null(column.array, row) ? 0 : values[row + column.array->offset];
}

static float f32_at(struct column column, int64_t row) {
    const float* values = column.array->buffers[1];
    return values[row + column.array->offset];
}

static void print_text(flowclass_text text) {
    fwrite(text.data, 1, text.length, stdout);
}

/* The rules that held: a list of structs whose first field is a name. */
static void print_rules(struct column evidence, int64_t row) {
    const int32_t* offsets = evidence.array->buffers[1];
    const struct column rule = {evidence.array->children[0]->children[0], NULL};
    const int64_t at = row + evidence.array->offset;
    for (int32_t item = offsets[at]; item < offsets[at + 1]; ++item) {
        fputs(item == offsets[at] ? "  because " : ", ", stdout);
        print_text(text_at(rule, item));
    }
}

static void print_batch(const struct ArrowArray* batch, const struct ArrowSchema* schema) {
    const struct column src = column_of(batch, schema, "src_ip");
    const struct column dst = column_of(batch, schema, "dst_ip");
    const struct column src_port = column_of(batch, schema, "src_port");
    const struct column dst_port = column_of(batch, schema, "dst_port");
    const struct column sent = column_of(batch, schema, "packets_fwd");
    const struct column answered = column_of(batch, schema, "packets_rev");
    const struct column protocol = column_of(batch, schema, "protocol");
    const struct column tier = column_of(batch, schema, "tier");
    const struct column bits = column_of(batch, schema, "evidence_bits");
    const struct column evidence = column_of(batch, schema, "evidence");
    const struct column match = column_of(batch, schema, "registry_match");
    for (int64_t row = 0; row < batch->length; ++row) {
        print_text(text_at(src, row));
        printf(" %" PRIu16 " -> ", u16_at(src_port, row));
        print_text(text_at(dst, row));
        printf(" %" PRIu16 "  %" PRIu64 "+%" PRIu64 " packets  ",
               u16_at(dst_port, row),
               u64_at(sent, row),
               u64_at(answered, row));
        print_text(text_at(protocol, row));
        putchar(' ');
        print_text(text_at(tier, row));
        printf(" %.0f bits  ", (double)f32_at(bits, row));
        print_text(text_at(match, row));
        print_rules(evidence, row);
        putchar('\n');
    }
}

/* ---- the engine ---- */

static bool is_good(flowclass_engine* engine, flowclass_status status) {
    if (status != FLOWCLASS_OK) {
        fprintf(stderr,
                "classify: %s %s\n",
                flowclass_status_text(status),
                flowclass_engine_error(engine));
    }
    return status == FLOWCLASS_OK;
}

/* Prints what is ready. */
static bool print_ready(flowclass_engine* engine) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema = {0};
    if (!is_good(engine, flowclass_poll_stream(engine, &stream))) {
        return false;
    }
    bool good = stream.get_schema(&stream, &schema) == 0;
    while (good) {
        struct ArrowArray batch;
        good = stream.get_next(&stream, &batch) == 0;
        if (!good || batch.release == NULL) {
            break;
        }
        print_batch(&batch, &schema);
        batch.release(&batch);
    }
    if (!good) {
        fprintf(stderr, "classify: %s\n", stream.get_last_error(&stream));
    }
    if (schema.release != NULL) {
        schema.release(&schema);
    }
    stream.release(&stream);
    return good;
}

/* 0, or 1 when something failed, or 3 when the capture ends badly: what was read of it counts. */
static int read_capture(flowclass_engine* engine, const char* path) {
    static uint8_t chunk[1 << 16];
    FILE* file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    bool good = is_good(engine, flowclass_begin_source(engine, path, strlen(path)));
    while (good) {
        const size_t count = fread(chunk, 1, sizeof chunk, file);
        if (count == 0) {
            break;
        }
        good = is_good(engine, flowclass_push(engine, chunk, count)) && print_ready(engine);
    }
    if (ferror(file)) {
        perror(path);
        good = false;
    }
    fclose(file);
    flowclass_source_report report = {.struct_size = sizeof report};
    if (!good || !is_good(engine, flowclass_end_source(engine, &report))) {
        return 1;
    }
    if (report.problem != FLOWCLASS_SOURCE_GOOD) {
        fprintf(stderr, "classify: %s: %s\n", path, report.sentence);
        return 3;
    }
    return 0;
}

static void print_balance(flowclass_engine* engine) {
    flowclass_counters counters = {.struct_size = sizeof counters};
    if (is_good(engine, flowclass_get_counters(engine, &counters))) {
        fprintf(stderr,
                "%" PRIu64 " packets read = %" PRIu64 " in flows + %" PRIu64 " skipped; %" PRIu64
                " flows\n",
                counters.packets_read,
                counters.packets_in_flows,
                counters.packets_skipped,
                counters.flows);
    }
}

static int classify(const flowclass_engine_options* options, int count, char** paths) {
    flowclass_error error = {.struct_size = sizeof error};
    flowclass_engine* engine = NULL;
    if (flowclass_engine_open(options, &engine, &error) != FLOWCLASS_OK) {
        fprintf(stderr, "classify: %s\n", error.text);
        return 1;
    }
    int code = 0;
    for (int index = 0; index < count && code != 1; ++index) {
        const int ended = read_capture(engine, paths[index]);
        code = ended == 0 ? code : ended;
    }
    if (code != 1 && (!is_good(engine, flowclass_finish(engine)) || !print_ready(engine))) {
        code = 1;
    }
    print_balance(engine);
    flowclass_engine_close(engine);
    return code;
}

int main(int argc, char** argv) {
    flowclass_engine_options options = {.struct_size = sizeof options};
    flowclass_engine_options_init(&options);
    flowclass_registry* registry = NULL;
    int next = 1;
    for (; next + 1 < argc && strncmp(argv[next], "--", 2) == 0; next += 2) {
        flowclass_error error = {.struct_size = sizeof error};
        if (strcmp(argv[next], "--registry") == 0) {
            flowclass_registry_close(registry);
            if (flowclass_registry_open(argv[next + 1], 0, &registry, &error) != FLOWCLASS_OK) {
                fprintf(stderr, "classify: %s\n", error.text);
                return 1;
            }
            options.registry = registry;
        } else if (strcmp(argv[next], "--memcap") == 0) {
            options.memcap = strtoull(argv[next + 1], NULL, 10);
        } else {
            break;
        }
    }
    int code = 2;
    if (next < argc && strncmp(argv[next], "--", 2) != 0) {
        code = classify(&options, argc - next, argv + next);
    } else {
        fputs("usage: classify [--registry FILE.fcr] [--memcap OCTETS] CAPTURE...\n", stderr);
    }
    flowclass_registry_close(registry);
    return code;
}
