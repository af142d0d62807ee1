/* The C ABI called from C11: every function refuses what it should, and handles live as long as the
 * header says. The one argument is a capture of ours. */
#include <flowclass/flowclass.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Layouts of ABI version 1 where pointers have 64 bits: one that changes is a new version, but for
 * structs with struct_size, which may grow at their end (kFirstBytes in capi/border.hpp then keeps
 * the old size). */
#define HAS_SIZE(type, octets) \
    _Static_assert(sizeof(void*) != 8 || sizeof(type) == (octets), "layout of " #type)
HAS_SIZE(flowclass_error, 264);
HAS_SIZE(flowclass_registry_facts, 56);
HAS_SIZE(flowclass_address, 17);
HAS_SIZE(flowclass_registry_query, 64);
HAS_SIZE(flowclass_registry_answer, 16);
HAS_SIZE(flowclass_registry_entry, 88);
HAS_SIZE(flowclass_phase, 40);
HAS_SIZE(flowclass_exemption, 32);
HAS_SIZE(flowclass_policy_options, 72);
HAS_SIZE(flowclass_policy_query, 72);
HAS_SIZE(flowclass_judgement, 4);
HAS_SIZE(flowclass_engine_options, 72);
HAS_SIZE(flowclass_packet, 24);
HAS_SIZE(flowclass_source_report, 312);
HAS_SIZE(flowclass_counters, 192);
HAS_SIZE(flowclass_payload, 32);
HAS_SIZE(flowclass_head, 40);
HAS_SIZE(flowclass_check, 56);
HAS_SIZE(flowclass_alternative, 24);
HAS_SIZE(flowclass_match, 1608);

static uint8_t* capture;
static size_t capture_size;

static void read_capture(const char* path) {
    FILE* file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    capture = malloc(1 << 24);
    capture_size = capture == NULL ? 0 : fread(capture, 1, 1 << 24, file);
    fclose(file);
}

static flowclass_engine* open_engine(uint32_t batch_rows) {
    flowclass_engine_options options = {.struct_size = sizeof options};
    CHECK(flowclass_engine_options_init(&options) == FLOWCLASS_OK);
    options.memcap = 1 << 24;
    options.batch_rows = batch_rows;
    flowclass_engine* engine = NULL;
    CHECK(flowclass_engine_open(&options, &engine, NULL) == FLOWCLASS_OK);
    return engine;
}

static void test_versions(void) {
    CHECK(flowclass_abi_version() == FLOWCLASS_ABI_VERSION);
    CHECK(strchr(flowclass_version(), '.') != NULL);
    CHECK(strchr(flowclass_schema_version(), '.') != NULL);
}

static void test_words(void) {
    for (flowclass_status status = -2; status < 20; ++status) {
        CHECK(flowclass_status_text(status)[0] != '\0');
    }
    CHECK(strcmp(flowclass_class_name(FLOWCLASS_CLASS_VPN), "vpn") == 0);
    CHECK(strcmp(flowclass_tier_name(FLOWCLASS_TIER_CONFIRMED), "confirmed") == 0);
    CHECK(strcmp(flowclass_registry_match_name(FLOWCLASS_OUT_OF_SCOPE), "out_of_scope") == 0);
    CHECK(strcmp(flowclass_end_name(FLOWCLASS_END_BOTH), "both") == 0);
    CHECK(strcmp(flowclass_outcome_name(FLOWCLASS_VIOLATION), "violation") == 0);
    CHECK(flowclass_reason_name(0) != NULL);
    CHECK(flowclass_class_name(-1) == NULL && flowclass_class_name(6) == NULL);
    CHECK(flowclass_tier_name(4) == NULL && flowclass_outcome_name(6) == NULL);
    CHECK(flowclass_registry_match_name(8) == NULL && flowclass_end_name(4) == NULL);
    CHECK(flowclass_reason_name(1000) == NULL);
}

/* Every function without its handle. */
static void test_null_handles(void) {
    struct ArrowArray array;
    struct ArrowSchema schema;
    struct ArrowArrayStream stream;
    flowclass_counters counters = {.struct_size = sizeof counters};
    flowclass_match match = {.struct_size = sizeof match};
    flowclass_head head = {.struct_size = sizeof head};
    flowclass_registry_facts facts = {.struct_size = sizeof facts};
    flowclass_registry_entry entry = {.struct_size = sizeof entry};
    size_t length = 0;
    flowclass_engine_close(NULL);
    flowclass_registry_close(NULL);
    flowclass_policy_close(NULL);
    flowclass_matcher_close(NULL);
    CHECK(strcmp(flowclass_engine_error(NULL), "") == 0);
    CHECK(flowclass_policy_phase_name(NULL, 0).length == 0);
    const flowclass_status refused[] = {
        flowclass_engine_open(NULL, NULL, NULL),
        flowclass_engine_options_init(NULL),
        flowclass_begin_source(NULL, "x", 1),
        flowclass_use_source(NULL, 0),
        flowclass_push(NULL, "x", 1),
        flowclass_push_packets(NULL, 1, NULL, 0, 1),
        flowclass_advance(NULL, 0),
        flowclass_end_source(NULL, NULL),
        flowclass_flush(NULL),
        flowclass_finish(NULL),
        flowclass_get_schema(NULL, &schema),
        flowclass_poll(NULL, &array),
        flowclass_poll_stream(NULL, &stream),
        flowclass_get_counters(NULL, &counters),
        flowclass_counters_json(NULL, NULL, 0, &length),
        flowclass_matcher_open(NULL, NULL),
        flowclass_match_head(NULL, &head, &match),
        flowclass_registry_open("x", 0, NULL, NULL),
        flowclass_registry_open_memory("x", 1, 0, NULL, NULL),
        flowclass_registry_get_facts(NULL, &facts),
        flowclass_registry_get_entry(NULL, 0, &entry),
        flowclass_registry_match(NULL, NULL, 0, NULL),
        flowclass_policy_open(NULL, NULL, NULL),
        flowclass_policy_options_init(NULL),
        flowclass_policy_judge(NULL, NULL, 0, NULL),
    };
    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; ++index) {
        CHECK(refused[index] == FLOWCLASS_INVALID_ARGUMENT);
    }
}

/* A newer header's struct: what the library does not know must be 0. */
struct newer_options {
    flowclass_engine_options known;
    uint64_t unknown;
};

static void test_struct_sizes(void) {
    struct newer_options newer;
    memset(&newer, 0xff, sizeof newer);
    newer.known.struct_size = sizeof newer;
    CHECK(flowclass_engine_options_init(&newer.known) == FLOWCLASS_OK);
    CHECK(newer.unknown == 0 && newer.known.struct_size == sizeof newer);
    newer.known.memcap = 1 << 20;
    flowclass_engine* engine = NULL;
    CHECK(flowclass_engine_open(&newer.known, &engine, NULL) == FLOWCLASS_OK);
    flowclass_engine_close(engine);
    newer.unknown = 1;
    CHECK(flowclass_engine_open(&newer.known, &engine, NULL) == FLOWCLASS_UNSUPPORTED);
    CHECK(engine == NULL);
    newer.unknown = 0;
    const uint32_t wrong[] = {0, 4, sizeof newer.known - 8, UINT32_MAX};
    for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; ++index) {
        newer.known.struct_size = wrong[index];
        CHECK(flowclass_engine_options_init(&newer.known) == FLOWCLASS_INVALID_ARGUMENT);
        CHECK(flowclass_engine_open(&newer.known, &engine, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    }
}

static void refuse(flowclass_engine_options options, const char* word) {
    flowclass_error error = {.struct_size = sizeof error};
    flowclass_engine* engine = NULL;
    CHECK(flowclass_engine_open(&options, &engine, &error) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(engine == NULL && error.status == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(strstr(error.text, word) != NULL);
}

static void test_options(void) {
    static const uint8_t key[32] = {1};
    flowclass_engine_options usual = {.struct_size = sizeof usual};
    CHECK(flowclass_engine_options_init(&usual) == FLOWCLASS_OK);
    CHECK(usual.batch_rows == 8192 && usual.threads == 1 && usual.flags == 7);
    flowclass_engine_options options = usual;
    options.flags = 1u << 31;
    refuse(options, "flags");
    options = usual;
    options.idle_timeout_ns = 0;
    refuse(options, "idle_timeout_ns");
    options = usual;
    options.active_timeout_ns = INT64_MAX;
    refuse(options, "active_timeout_ns");
    options = usual;
    options.tcp_linger_ns = -1;
    refuse(options, "tcp_linger_ns");
    options = usual;
    options.memcap = 1;
    refuse(options, "memcap");
    options = usual;
    options.threads = 257;
    refuse(options, "threads");
    options = usual;
    options.batch_rows = 0;
    refuse(options, "batch_rows");
    options = usual;
    options.flags |= FLOWCLASS_ENGINE_HEADS;
    options.anonymize_key = key;
    refuse(options, "Heads");
    flowclass_policy* policy = NULL;
    CHECK(flowclass_policy_open(NULL, &policy, NULL) == FLOWCLASS_OK);
    options = usual;
    options.policy = policy;
    refuse(options, "registry");
    flowclass_policy_close(policy);
}

static void test_order_of_calls(void) {
    flowclass_engine* engine = open_engine(8192);
    flowclass_source_report report = {.struct_size = sizeof report};
    struct ArrowArray array;
    CHECK(strcmp(flowclass_engine_error(engine), "") == 0);
    CHECK(flowclass_push(engine, "x", 1) == FLOWCLASS_WRONG_STATE);
    CHECK(strstr(flowclass_engine_error(engine), "source") != NULL);
    CHECK(flowclass_push_packets(engine, 1, NULL, 0, 1) == FLOWCLASS_WRONG_STATE);
    CHECK(flowclass_end_source(engine, NULL) == FLOWCLASS_WRONG_STATE);
    CHECK(flowclass_use_source(engine, 0) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_begin_source(engine, NULL, 3) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_begin_source(engine, "x", 65536) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_begin_source(engine, "\xff", 1) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_begin_source(engine, NULL, 0) == FLOWCLASS_OK);
    CHECK(flowclass_push(engine, NULL, 1) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_push(engine, NULL, 0) == FLOWCLASS_OK);
    CHECK(flowclass_push(engine, "no capture at all, but text that is long enough", 47) ==
          FLOWCLASS_OK);
    report.struct_size = 8;
    CHECK(flowclass_end_source(engine, &report) == FLOWCLASS_INVALID_ARGUMENT);
    report.struct_size = sizeof report;
    CHECK(flowclass_end_source(engine, &report) == FLOWCLASS_OK);
    CHECK(report.problem == FLOWCLASS_SOURCE_NOT_A_CAPTURE && report.sentence[0] != '\0');
    CHECK(flowclass_use_source(engine, 0) == FLOWCLASS_OK);
    CHECK(flowclass_finish(engine) == FLOWCLASS_OK && flowclass_finish(engine) == FLOWCLASS_OK);
    CHECK(flowclass_begin_source(engine, "x", 1) == FLOWCLASS_WRONG_STATE);
    CHECK(flowclass_advance(engine, 1) == FLOWCLASS_WRONG_STATE);
    CHECK(flowclass_poll(engine, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_poll_stream(engine, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_get_schema(engine, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_poll(engine, &array) == FLOWCLASS_OK && array.release == NULL);
    flowclass_engine_close(engine);
}

/* The flows of the capture; `streamed` of them by a stream that outlives the engine. */
static int64_t rows_of(uint32_t batch_rows, int streamed) {
    flowclass_engine* engine = open_engine(batch_rows);
    CHECK(flowclass_begin_source(engine, "capture", 7) == FLOWCLASS_OK);
    CHECK(flowclass_push(engine, capture, capture_size) == FLOWCLASS_OK);
    CHECK(flowclass_end_source(engine, NULL) == FLOWCLASS_OK);
    CHECK(flowclass_finish(engine) == FLOWCLASS_OK);
    int64_t rows = 0;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    if (!streamed) {
        while (flowclass_poll(engine, &batch) == FLOWCLASS_OK && batch.release != NULL) {
            rows += batch.length;
            batch.release(&batch);
        }
        flowclass_engine_close(engine);
        return rows;
    }
    /* One by hand, the others by the stream. */
    CHECK(flowclass_poll(engine, &batch) == FLOWCLASS_OK && batch.release != NULL);
    CHECK(flowclass_poll_stream(engine, &stream) == FLOWCLASS_OK);
    flowclass_engine_close(engine);
    rows = batch.length;
    batch.release(&batch);
    struct ArrowSchema schema;
    CHECK(stream.get_schema(&stream, &schema) == 0 && strcmp(schema.format, "+s") == 0);
    schema.release(&schema);
    while (stream.get_next(&stream, &batch) == 0 && batch.release != NULL) {
        CHECK(batch.length <= batch_rows);
        rows += batch.length;
        batch.release(&batch);
    }
    CHECK(stream.get_last_error(&stream) == NULL);
    stream.release(&stream);
    CHECK(stream.release == NULL);
    return rows;
}

static void test_rows(void) {
    const int64_t rows = rows_of(8192, 0);
    CHECK(rows > 1);
    CHECK(rows_of(1, 0) == rows);
    CHECK(rows_of(1, 1) == rows);
    CHECK(rows_of(8192, 1) == rows);
}

static void test_counters(void) {
    flowclass_engine* engine = open_engine(8192);
    flowclass_counters counters = {.struct_size = sizeof counters};
    CHECK(flowclass_get_counters(engine, &counters) == FLOWCLASS_OK && counters.started == 0);
    CHECK(flowclass_begin_source(engine, "capture", 7) == FLOWCLASS_OK);
    CHECK(flowclass_push(engine, capture, capture_size) == FLOWCLASS_OK);
    CHECK(flowclass_finish(engine) == FLOWCLASS_OK);
    CHECK(flowclass_get_counters(engine, &counters) == FLOWCLASS_OK && counters.started == 1);
    CHECK(counters.packets_read == counters.packets_in_flows + counters.packets_skipped);
    CHECK(counters.bytes_read == counters.bytes_in_flows + (uint64_t)counters.link_overhead_bytes +
                                     counters.bytes_skipped);
    CHECK(counters.time_first <= counters.time_last && counters.flows > 0);
    counters.struct_size = 4;
    CHECK(flowclass_get_counters(engine, &counters) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_get_counters(engine, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    size_t length = 0;
    CHECK(flowclass_counters_json(engine, NULL, 0, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_counters_json(engine, NULL, 0, &length) == FLOWCLASS_TOO_SMALL);
    char* text = malloc(length + 1);
    CHECK(flowclass_counters_json(engine, text, length, &length) == FLOWCLASS_TOO_SMALL);
    CHECK(flowclass_counters_json(engine, text, length + 1, &length) == FLOWCLASS_OK);
    CHECK(text != NULL && strlen(text) == length && text[0] == '{' && text[length - 1] == '}');
    free(text);
    flowclass_engine_close(engine);
}

static void test_packets(void) {
    /* An IPv4 packet of UDP from 192.0.2.1:1000 to 192.0.2.2:2000, four octets. */
    static const uint8_t frame[] = {0x45, 0, 0, 32, 0, 0,   0, 0,   64, 17, 0, 0, 192, 0, 2, 1,
                                    192,  0, 2, 2,  3, 232, 7, 208, 0,  12, 0, 0, 1,   2, 3, 4};
    flowclass_packet packets[3] = {{1000, frame, sizeof frame, sizeof frame},
                                   {2000, frame, 20, sizeof frame},
                                   {3000, NULL, 0, 9}};
    flowclass_engine* engine = open_engine(8192);
    flowclass_counters counters = {.struct_size = sizeof counters};
    CHECK(flowclass_begin_source(engine, "ring", 4) == FLOWCLASS_OK);
    CHECK(flowclass_push_packets(engine, 101, packets, 3, 0) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_push_packets(engine, 101, NULL, 3, 1) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_push_packets(engine, 101, packets, 3, 1) == FLOWCLASS_OK);
    packets[2].captured = 1;
    CHECK(flowclass_push_packets(engine, 101, packets, 3, 4) == FLOWCLASS_INVALID_ARGUMENT);
    packets[0].wire_length = 1;
    packets[2].captured = 0;
    CHECK(flowclass_push_packets(engine, 101, packets, 3, 4) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_advance(engine, INT64_C(200000000000)) == FLOWCLASS_OK);
    CHECK(flowclass_flush(engine) == FLOWCLASS_OK);
    CHECK(flowclass_get_counters(engine, &counters) == FLOWCLASS_OK);
    CHECK(counters.packets_read == 3 && counters.time_first == 1000 && counters.flows > 0);
    struct ArrowArray batch;
    CHECK(flowclass_poll(engine, &batch) == FLOWCLASS_OK && batch.release != NULL);
    batch.release(&batch);
    flowclass_engine_close(engine);
}

static void test_policy(void) {
    flowclass_policy_options options = {.struct_size = sizeof options};
    CHECK(flowclass_policy_options_init(&options) == FLOWCLASS_OK);
    CHECK(options.classes == 1u << FLOWCLASS_CLASS_VPN);
    const flowclass_phase phases[] = {{{"trial", 5}, 100, 200, FLOWCLASS_VIOLATION_TRIAL},
                                      {{"duty", 4}, 200, FLOWCLASS_OPEN_END, FLOWCLASS_VIOLATION}};
    flowclass_exemption exempt = {{4, {192, 0, 2, 0}}, 24, FLOWCLASS_OPEN_END};
    options.phases = phases;
    options.phase_count = 2;
    options.exemptions = &exempt;
    options.exemption_count = 1;
    flowclass_policy* policy = NULL;
    CHECK(flowclass_policy_open(&options, &policy, NULL) == FLOWCLASS_OK);
    flowclass_policy_query query = {.src = {4, {198, 51, 100, 1}},
                                    .dst = {4, {203, 0, 113, 1}},
                                    .time = 250,
                                    .protocol_class = FLOWCLASS_CLASS_VPN,
                                    .tier = FLOWCLASS_TIER_CONFIRMED,
                                    .answer = {FLOWCLASS_NO_ENTRY,
                                               FLOWCLASS_UNREGISTERED,
                                               FLOWCLASS_END_NONE,
                                               0,
                                               FLOWCLASS_NOT_KNOWN}};
    flowclass_judgement judgement;
    CHECK(flowclass_policy_judge(policy, &query, 1, &judgement) == FLOWCLASS_OK);
    CHECK(judgement.outcome == FLOWCLASS_VIOLATION);
    const flowclass_text phase = flowclass_policy_phase_name(policy, judgement.phase);
    CHECK(phase.length == 4 && memcmp(phase.data, "duty", 4) == 0);
    CHECK(strcmp(flowclass_reason_name(judgement.reason), "unregistered") == 0);
    query.time = 150;
    CHECK(flowclass_policy_judge(policy, &query, 1, &judgement) == FLOWCLASS_OK);
    CHECK(judgement.outcome == FLOWCLASS_VIOLATION_TRIAL);
    query.dst.octets[0] = 192;
    query.dst.octets[1] = 0;
    query.dst.octets[2] = 2;
    CHECK(flowclass_policy_judge(policy, &query, 1, &judgement) == FLOWCLASS_OK);
    CHECK(judgement.outcome == FLOWCLASS_ALLOW);
    query.tier = 4;
    CHECK(flowclass_policy_judge(policy, &query, 1, &judgement) == FLOWCLASS_INVALID_ARGUMENT);
    query.tier = 3;
    query.src.version = 5;
    CHECK(flowclass_policy_judge(policy, &query, 1, &judgement) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_policy_judge(policy, NULL, 1, &judgement) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_policy_phase_name(policy, FLOWCLASS_NO_PHASE).length == 0);
    flowclass_policy_close(policy);
    flowclass_error error = {.struct_size = sizeof error};
    exempt.prefix.octets[3] = 1;
    CHECK(flowclass_policy_open(&options, &policy, &error) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(policy == NULL && strstr(error.text, "prefix") != NULL);
    exempt.prefix.octets[3] = 0;
    options.default_outcome = FLOWCLASS_ALLOW;
    CHECK(flowclass_policy_open(&options, &policy, &error) == FLOWCLASS_INVALID_ARGUMENT);
    options.default_outcome = 77;
    CHECK(flowclass_policy_open(&options, &policy, &error) == FLOWCLASS_INVALID_ARGUMENT);
    options.default_outcome = FLOWCLASS_REVIEW;
    options.classes = 1u << 20;
    CHECK(flowclass_policy_open(&options, &policy, &error) == FLOWCLASS_INVALID_ARGUMENT);
}

static void test_registry_refuses(void) {
    flowclass_error error = {.struct_size = sizeof error};
    flowclass_registry* registry = NULL;
    CHECK(flowclass_registry_open(NULL, 0, &registry, &error) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_registry_open("x", 2, &registry, &error) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_registry_open("/there/is/none", 0, &registry, &error) == FLOWCLASS_IO);
    CHECK(strstr(error.text, "/there/is/none") != NULL && error.status == FLOWCLASS_IO);
    CHECK(flowclass_registry_open(".", 0, &registry, &error) == FLOWCLASS_IO);
    CHECK(flowclass_registry_open_memory(capture, capture_size, 0, &registry, &error) ==
          FLOWCLASS_BAD_DATA);
    CHECK(flowclass_registry_open_memory(NULL, 0, 0, &registry, &error) == FLOWCLASS_BAD_DATA);
    CHECK(flowclass_registry_open_memory(NULL, 1, 0, &registry, NULL) ==
          FLOWCLASS_INVALID_ARGUMENT);
    CHECK(registry == NULL);
}

static void test_match_head(void) {
    static const uint8_t banner[] = "SSH-2.0-OpenSSH_9.6\r\n";
    flowclass_payload payloads[2] = {{1, banner, sizeof banner - 1, sizeof banner - 1, 5001, 0},
                                     {2, banner, sizeof banner - 1, sizeof banner - 1, 7001, 1}};
    flowclass_head head = {.struct_size = sizeof head,
                           .ip_proto = 6,
                           .syn_seen = {1, 1},
                           .src_port = 50000,
                           .dst_port = 22,
                           .tcp_start = {5001, 7001},
                           .payloads = payloads,
                           .payload_count = 2};
    flowclass_match match = {.struct_size = sizeof match};
    flowclass_matcher* matcher = NULL;
    CHECK(flowclass_matcher_open(&matcher, NULL) == FLOWCLASS_OK);
    for (int time = 0; time < 3; ++time) {
        CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_OK);
        CHECK(match.protocol.length == 3 && memcmp(match.protocol.data, "ssh", 3) == 0);
        CHECK(match.tier == FLOWCLASS_TIER_CONFIRMED && match.bits >= 64);
        CHECK(match.check_count > 0 && match.checks[0].packet == 1);
        CHECK(match.check_count > 0 && memcmp(match.checks[0].rule.data, "ssh.", 4) == 0);
    }
    head.payload_count = 0;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_OK);
    CHECK(match.protocol.length == 0 && match.tier == 0 && match.check_count == 0);
    head.payload_count = 1;
    head.payloads = NULL;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_INVALID_ARGUMENT);
    head.payloads = payloads;
    payloads[0].direction = 2;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_INVALID_ARGUMENT);
    payloads[0].direction = 0;
    payloads[0].wire_length = 3;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_INVALID_ARGUMENT);
    payloads[0].octets = NULL;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_INVALID_ARGUMENT);
    payloads[0].captured = 0;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_OK);
    match.struct_size = 8;
    CHECK(flowclass_match_head(matcher, &head, &match) == FLOWCLASS_INVALID_ARGUMENT);
    CHECK(flowclass_match_head(matcher, &head, NULL) == FLOWCLASS_INVALID_ARGUMENT);
    flowclass_matcher_close(matcher);
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fputs("usage: calls CAPTURE\n", stderr);
        return 2;
    }
    read_capture(argv[1]);
    test_versions();
    test_words();
    test_null_handles();
    test_struct_sizes();
    test_options();
    test_order_of_calls();
    test_rows();
    test_counters();
    test_packets();
    test_policy();
    test_registry_refuses();
    test_match_head();
    free(capture);
    return checked();
}
