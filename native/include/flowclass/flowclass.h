/* flowclass for C and whatever can call C: captures or packets in, flows with verdicts and evidence
 * out as Arrow record batches; a registry of prefixes; and the fingerprints alone for those who
 * have a flow table of their own. docs/embedding.md tells it by examples.
 * This file is longer than others: it is the whole interface, and its documentation.
 *
 * Handles   flowclass_engine, _registry, _policy and _matcher are opaque. An open function makes
 *           one, the close function of the same name frees it; closing NULL does nothing. An engine
 *           keeps what it needs of its registry and policy, so they may be closed before it.
 * Errors    Functions that can fail give a flowclass_status; FLOWCLASS_OK is 0. A call that gives
 *           anything else has changed nothing, but for FLOWCLASS_OUT_OF_MEMORY and
 *           FLOWCLASS_INTERNAL of an engine: that engine is then broken, and everything but its
 *           error, its counters and its close gives FLOWCLASS_BROKEN. No C++ exception passes this
 *           border. Every argument is checked, as far as one can be: a pointer that is neither NULL
 *           nor valid cannot. Packets are never an error: what is wrong with them is counted.
 * Threads   Different handles may be used by different threads at once. One engine or matcher is
 *           for one thread at a time. Registries and policies never change: any number of threads
 *           and engines may share one, until it is closed.
 * Memory    What the library is given is borrowed for the call, never longer. What it gives by
 *           Arrow structs is the caller's until the caller calls their release. Texts and arrays
 *           that it gives by pointer live as long as is said beside them. Texts have a length and
 *           no 0 behind them where they are a flowclass_text; `const char*` ends with a 0.
 * Growth    Structs that may grow begin with struct_size: the caller writes sizeof the struct there
 *           before every call. A program built with an older header works with a newer library.
 *           With a newer header and an older library it does as long as what the library does not
 *           know is 0, else it is told FLOWCLASS_UNSUPPORTED. Structs without it never change.
 * Times     int64, nanoseconds since 1970-01-01 UTC, of the packets; nothing reads the clock.
 */
#ifndef FLOWCLASS_FLOWCLASS_H
#define FLOWCLASS_FLOWCLASS_H

#include <stddef.h>
#include <stdint.h>

#include "flowclass/arrow_c_abi.h"

#if defined(__GNUC__)
#define FLOWCLASS_API __attribute__((visibility("default")))
#else
#define FLOWCLASS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions ---------------------------------------------------------------------------- */

/* Of this header. It changes only when a program must be built anew. */
#define FLOWCLASS_ABI_VERSION 1

/* Of the library that is loaded: to be compared with FLOWCLASS_ABI_VERSION by those who load it at
 * run time. */
FLOWCLASS_API uint32_t flowclass_abi_version(void);
/* Of the release, "0.1.0"; and of the flow records' columns. They live for ever. */
FLOWCLASS_API const char* flowclass_version(void);
FLOWCLASS_API const char* flowclass_schema_version(void);

/* ---- status ------------------------------------------------------------------------------ */

typedef int32_t flowclass_status;
enum {
    FLOWCLASS_OK = 0,
    FLOWCLASS_INVALID_ARGUMENT = 1, /* NULL, a wrong size, a value that is not permitted */
    FLOWCLASS_OUT_OF_MEMORY = 2,
    FLOWCLASS_WRONG_STATE = 3, /* not now: octets without a source, packets after the end */
    FLOWCLASS_BAD_DATA = 4,    /* the octets are not what they should be */
    FLOWCLASS_IO = 5,          /* a file cannot be opened or mapped */
    FLOWCLASS_UNSUPPORTED = 6, /* this library is older, or lacks a part (libcrypto) */
    FLOWCLASS_TOO_SMALL = 7,   /* the caller's room is; how much is needed was written */
    FLOWCLASS_BROKEN = 8,      /* an earlier failure left this engine unusable */
    FLOWCLASS_INTERNAL = 9     /* a defect of the library */
};
/* One sentence for each status, also for numbers that are none. It lives for ever. */
FLOWCLASS_API const char* flowclass_status_text(flowclass_status status);

/* A sentence that says what was wrong this time, for functions without a handle to ask. NULL may be
 * given where it is not wanted. Written on failure only; text always ends with a 0. */
typedef struct flowclass_error {
    uint32_t struct_size;
    flowclass_status status;
    char text[256];
} flowclass_error;

/* ---- words ------------------------------------------------------------------------------- */

/* Not ended by a 0; data may be NULL where length is 0. */
typedef struct flowclass_text {
    const char* data;
    size_t length;
} flowclass_text;

enum { FLOWCLASS_FORWARD = 0, FLOWCLASS_REVERSE = 1 };

enum {
    FLOWCLASS_CLASS_UNKNOWN = 0,
    FLOWCLASS_CLASS_VPN = 1,
    FLOWCLASS_CLASS_OVERLAY = 2,
    FLOWCLASS_CLASS_PROXY = 3,
    FLOWCLASS_CLASS_COVERT = 4,
    FLOWCLASS_CLASS_APP = 5
};
enum {
    FLOWCLASS_TIER_NONE = 0,
    FLOWCLASS_TIER_POSSIBLE = 1,
    FLOWCLASS_TIER_PROBABLE = 2,
    FLOWCLASS_TIER_CONFIRMED = 3
};
enum {
    FLOWCLASS_REGISTERED = 0,
    FLOWCLASS_PENDING = 1,
    FLOWCLASS_PROTOCOL_NOT_PERMITTED = 2,
    FLOWCLASS_NOT_YET = 3,
    FLOWCLASS_EXPIRED = 4,
    FLOWCLASS_INACTIVE = 5,
    FLOWCLASS_UNREGISTERED = 6,
    FLOWCLASS_OUT_OF_SCOPE = 7
};
enum {
    FLOWCLASS_END_NONE = 0,
    FLOWCLASS_END_SRC = 1,
    FLOWCLASS_END_DST = 2,
    FLOWCLASS_END_BOTH = 3
};
enum {
    FLOWCLASS_NOT_APPLICABLE = 0,
    FLOWCLASS_ALLOW = 1,
    FLOWCLASS_ALLOW_GRACE = 2,
    FLOWCLASS_REVIEW = 3,
    FLOWCLASS_VIOLATION_TRIAL = 4,
    FLOWCLASS_VIOLATION = 5
};
/* The words of these numbers as they stand in records ("vpn", "confirmed", "not_yet", "both",
 * "allow_grace"); NULL for a number that is none. They live for ever. */
FLOWCLASS_API const char* flowclass_class_name(int32_t protocol_class);
FLOWCLASS_API const char* flowclass_tier_name(int32_t tier);
FLOWCLASS_API const char* flowclass_registry_match_name(int32_t match);
FLOWCLASS_API const char* flowclass_end_name(int32_t end);
FLOWCLASS_API const char* flowclass_outcome_name(int32_t outcome);
FLOWCLASS_API const char* flowclass_reason_name(int32_t reason); /* of a policy's judgement */

#define FLOWCLASS_OPEN_START INT64_MIN /* no valid_from */
#define FLOWCLASS_OPEN_END INT64_MAX   /* no valid_until, no end */
#define FLOWCLASS_NOT_KNOWN INT64_MIN  /* no submitted_at, no approved_at */
#define FLOWCLASS_NO_ENTRY UINT32_MAX
#define FLOWCLASS_NO_PHASE UINT16_MAX

/* ---- registry ---------------------------------------------------------------------------- */

/* Who is registered: an immutable table of dated registrations of address prefixes, out of a
 * snapshot (*.fcr) that `flowclass registry build` writes. */
typedef struct flowclass_registry flowclass_registry;

/* Believes the caller that the octets are a snapshot as it was written: the SHA-256 at its end is
 * not compared. The structure is checked all the same, and no later look-up leaves the octets. */
#define FLOWCLASS_REGISTRY_UNVERIFIED 1u

/* Opens a file by mapping it; nobody may change or shorten the file while the registry or an engine
 * that uses it lives (replace it by renaming another over it). `path` is as the system's open takes
 * it. FLOWCLASS_BAD_DATA where it is no snapshot or its SHA-256 is another; FLOWCLASS_UNSUPPORTED
 * where there is no libcrypto to compute it with and FLOWCLASS_REGISTRY_UNVERIFIED is not given. */
FLOWCLASS_API flowclass_status flowclass_registry_open(const char* path,
                                                       uint32_t flags,
                                                       flowclass_registry** out,
                                                       flowclass_error* error);
/* The same of octets, which are copied. */
FLOWCLASS_API flowclass_status flowclass_registry_open_memory(const void* octets,
                                                              size_t size,
                                                              uint32_t flags,
                                                              flowclass_registry** out,
                                                              flowclass_error* error);
FLOWCLASS_API void flowclass_registry_close(flowclass_registry* registry);

typedef struct flowclass_registry_facts {
    uint32_t struct_size;
    uint32_t entries;
    uint64_t memory_bytes;
    int64_t built_at;    /* as its builder said */
    uint8_t version[32]; /* SHA-256 of its content */
} flowclass_registry_facts;
FLOWCLASS_API flowclass_status flowclass_registry_get_facts(const flowclass_registry* registry,
                                                            flowclass_registry_facts* out);

/* Octets in network order; an IPv4 address has the first four. version 0: no address, which nothing
 * covers. */
typedef struct flowclass_address {
    uint8_t version; /* 4, 6 or 0 */
    uint8_t octets[16];
} flowclass_address;

/* A flow to be judged. `time` is that of its first packet. `protocol` is a protocol id ("ike"), to
 * be given where what a registration permits matters, else empty. */
typedef struct flowclass_registry_query {
    flowclass_address src;
    flowclass_address dst;
    int64_t time;
    flowclass_text protocol;
} flowclass_registry_query;
typedef struct flowclass_registry_answer {
    uint32_t entry; /* that decided, or FLOWCLASS_NO_ENTRY */
    uint8_t match;  /* FLOWCLASS_REGISTERED ... */
    uint8_t end;    /* FLOWCLASS_END_... */
    uint16_t reserved;
    int64_t submitted_at; /* of that entry, or FLOWCLASS_NOT_KNOWN */
} flowclass_registry_answer;

/* Judges `count` flows as the engine does; no memory is asked for. `answers` has room for as many.
 * An address of another version, or a protocol with a length but no data, gives
 * FLOWCLASS_INVALID_ARGUMENT and some of the answers. */
FLOWCLASS_API flowclass_status flowclass_registry_match(const flowclass_registry* registry,
                                                        const flowclass_registry_query* queries,
                                                        size_t count,
                                                        flowclass_registry_answer* answers);

/* An entry of the table, from 0 to facts.entries - 1. The texts live as long as the registry. */
typedef struct flowclass_registry_entry {
    uint32_t struct_size;
    uint8_t status; /* 0 pending, 1 approved, 2 rejected, 3 suspended, 4 revoked */
    uint8_t prefix_length;
    flowclass_address prefix;
    flowclass_text registration_id;
    flowclass_text category;
    int64_t valid_from, valid_until, submitted_at, approved_at;
} flowclass_registry_entry;
FLOWCLASS_API flowclass_status flowclass_registry_get_entry(const flowclass_registry* registry,
                                                            uint32_t entry,
                                                            flowclass_registry_entry* out);

/* ---- policy ------------------------------------------------------------------------------ */

/* What a flow means for the people who run the registry. Policy files (TOML) are read by the Python
 * package only; here the policy is given as what such a file comes to. */
typedef struct flowclass_policy flowclass_policy;

typedef struct flowclass_phase {
    flowclass_text name; /* UTF-8 */
    int64_t from;        /* inclusive */
    int64_t until;       /* exclusive, or FLOWCLASS_OPEN_END */
    int32_t outcome;     /* ALLOW_GRACE, REVIEW, VIOLATION_TRIAL or VIOLATION */
} flowclass_phase;
typedef struct flowclass_exemption {
    flowclass_address prefix; /* no bit set behind prefix_length */
    uint8_t prefix_length;
    int64_t until; /* exclusive, or FLOWCLASS_OPEN_END */
} flowclass_exemption;

typedef struct flowclass_policy_options {
    uint32_t struct_size;
    uint32_t classes;        /* bit n: class n is counted; usually 1u << FLOWCLASS_CLASS_VPN */
    int32_t default_outcome; /* where no phase holds; as in a phase */
    int32_t violation_tier;  /* the least tier for each outcome: POSSIBLE ... CONFIRMED */
    int32_t violation_trial_tier;
    int32_t review_tier;
    int32_t pending_grace;     /* 0 or 1: whether a pending registration counts for a while */
    int64_t pending_window_ns; /* for how long since it was submitted */
    const flowclass_phase* phases;
    size_t phase_count;
    const flowclass_exemption* exemptions;
    size_t exemption_count;
} flowclass_policy_options;

/* Fills in what a policy without a file has; struct_size must be set. */
FLOWCLASS_API flowclass_status flowclass_policy_options_init(flowclass_policy_options* options);
/* NULL options: the defaults. The error names the option and what is permitted. */
FLOWCLASS_API flowclass_status flowclass_policy_open(const flowclass_policy_options* options,
                                                     flowclass_policy** out,
                                                     flowclass_error* error);
FLOWCLASS_API void flowclass_policy_close(flowclass_policy* policy);

/* A flow with what was found of it: the answer is that of flowclass_registry_match. */
typedef struct flowclass_policy_query {
    flowclass_address src;
    flowclass_address dst;
    int64_t time; /* of the first packet */
    int32_t protocol_class;
    int32_t tier;
    flowclass_registry_answer answer;
} flowclass_policy_query;
typedef struct flowclass_judgement {
    uint8_t outcome; /* FLOWCLASS_NOT_APPLICABLE ... */
    uint8_t reason;  /* flowclass_reason_name() says it */
    uint16_t phase;  /* place among the policy's phases in the order they win, or NO_PHASE */
} flowclass_judgement;
/* Judges `count` flows; no memory is asked for. A number out of its list gives
 * FLOWCLASS_INVALID_ARGUMENT and some of the judgements. */
FLOWCLASS_API flowclass_status flowclass_policy_judge(const flowclass_policy* policy,
                                                      const flowclass_policy_query* queries,
                                                      size_t count,
                                                      flowclass_judgement* judgements);
/* The name of a judgement's phase; empty where there is none. It lives as long as the policy. */
FLOWCLASS_API flowclass_text flowclass_policy_phase_name(const flowclass_policy* policy,
                                                         uint16_t phase);

/* ---- engine ------------------------------------------------------------------------------ */

/* The whole pipeline: captures or packets in, finished flows out. */
typedef struct flowclass_engine flowclass_engine;

#define FLOWCLASS_ENGINE_VLAN_IN_KEY 1u /* flows of different VLANs are different flows */
#define FLOWCLASS_ENGINE_TUNNELS 2u     /* flows inside tunnels become rows too */
#define FLOWCLASS_ENGINE_ROWS 4u        /* without it flows are only counted */
#define FLOWCLASS_ENGINE_HEADS 8u       /* rows have what the fingerprints saw: it holds payload */
#define FLOWCLASS_ENGINE_FEATURES 16u   /* rows have the feature columns */

typedef struct flowclass_engine_options {
    uint32_t struct_size;
    uint32_t flags;            /* VLAN_IN_KEY, TUNNELS and ROWS unless told otherwise */
    int64_t idle_timeout_ns;   /* 1 ns to 7 days; 120 s */
    int64_t active_timeout_ns; /* 1 ns to 7 days; 1800 s */
    int64_t tcp_linger_ns;     /* 0 to 7 days; 5 s */
    uint64_t memcap;           /* octets of flow tables, heads and evidence, 1 MiB to 64 TiB;
                                  0: a quarter of the machine's memory */
    uint32_t threads;          /* 1 to 256; 1. See docs/embedding.md before taking more */
    uint32_t batch_rows;       /* 1 to 2^24; 8192 */
    /* 32 octets of a Crypto-PAn key: rows then have other addresses, once registry and policy have
     * judged; not with HEADS. NULL: rows have the addresses that were. */
    const uint8_t* anonymize_key;
    const flowclass_registry* registry; /* or NULL */
    const flowclass_policy* policy;     /* or NULL; it needs a registry */
} flowclass_engine_options;

/* Fills in the defaults; struct_size must be set. */
FLOWCLASS_API flowclass_status flowclass_engine_options_init(flowclass_engine_options* options);

/* NULL options: the defaults. FLOWCLASS_OUT_OF_MEMORY also where the system refuses the address
 * space: about twice the memcap, of which pages cost memory only once they are used. */
FLOWCLASS_API flowclass_status flowclass_engine_open(const flowclass_engine_options* options,
                                                     flowclass_engine** out,
                                                     flowclass_error* error);
/* Batches and streams that were taken from it stay good. */
FLOWCLASS_API void flowclass_engine_close(flowclass_engine* engine);
/* What was wrong with the last call that failed; "" before. It lives until the next call with this
 * engine. */
FLOWCLASS_API const char* flowclass_engine_error(const flowclass_engine* engine);

/* What follows is of this capture or interface; flows go on from one to the next. The name, UTF-8
 * and at most 65535 octets, is the rows' source_file. Sources are numbered from 0. */
FLOWCLASS_API flowclass_status flowclass_begin_source(flowclass_engine* engine,
                                                      const char* name,
                                                      size_t length);
/* The packets that follow are of a source that was begun before. */
FLOWCLASS_API flowclass_status flowclass_use_source(flowclass_engine* engine, uint32_t number);

/* Octets of a pcap or pcapng, cut anywhere. What is no capture is told by flowclass_end_source. */
FLOWCLASS_API flowclass_status flowclass_push(flowclass_engine* engine,
                                              const void* octets,
                                              size_t size);

typedef struct flowclass_packet {
    int64_t time;
    const uint8_t* octets; /* NULL only where captured is 0 */
    uint32_t captured;     /* how many there are */
    uint32_t wire_length;  /* how many there were on the wire, at least captured */
} flowclass_packet;
/* Packets of one link type (a LINKTYPE_ number of pcap: 1 Ethernet, 101 raw IP, 276 SLL2). They are
 * numbered from first_frame, at least 1, in the rows' packet_first and packet_last. */
FLOWCLASS_API flowclass_status flowclass_push_packets(flowclass_engine* engine,
                                                      uint32_t link_type,
                                                      const flowclass_packet* packets,
                                                      size_t count,
                                                      uint64_t first_frame);

/* No packet came until this time: flows that have ended by then end. Going back changes nothing. */
FLOWCLASS_API flowclass_status flowclass_advance(flowclass_engine* engine, int64_t now);

/* How reading octets ended. */
enum {
    FLOWCLASS_SOURCE_GOOD = 0,
    FLOWCLASS_SOURCE_EMPTY = 1,
    FLOWCLASS_SOURCE_NOT_A_CAPTURE = 2,
    FLOWCLASS_SOURCE_UNSUPPORTED_FORMAT = 3,
    FLOWCLASS_SOURCE_CUT = 4,
    FLOWCLASS_SOURCE_GARBLED = 5
};
typedef struct flowclass_source_report {
    uint32_t struct_size;
    int32_t problem;    /* FLOWCLASS_SOURCE_... */
    const char* format; /* "pcap, little-endian, ..."; lives for ever */
    uint64_t packets;   /* read from octets */
    uint64_t octets;    /* up to the end of the last whole record */
    uint64_t problem_offset;
    uint64_t packets_without_interface;
    uint64_t blocks_skipped;
    char sentence[256]; /* what, where and why; "" without a problem */
} flowclass_source_report;
/* No more octets of this source. `out` may be NULL. A source of packets alone ends as EMPTY. */
FLOWCLASS_API flowclass_status flowclass_end_source(flowclass_engine* engine,
                                                    flowclass_source_report* out);

/* Flows that end from now on are judged by these, as when the engine is opened; either may be NULL.
 * The rows so far become a batch of their own. registry_version on each row says which registry was
 * asked; policy_version is null here, where policies are no files. */
FLOWCLASS_API flowclass_status flowclass_set_judges(flowclass_engine* engine,
                                                    const flowclass_registry* registry,
                                                    const flowclass_policy* policy);

/* Makes the rows so far a batch, however few they are. */
FLOWCLASS_API flowclass_status flowclass_flush(flowclass_engine* engine);
/* Ends every flow; the last batch may be short. Nothing can be pushed afterwards. */
FLOWCLASS_API flowclass_status flowclass_finish(flowclass_engine* engine);

/* The rows' Arrow type: a struct of all columns (docs/schema.md). */
FLOWCLASS_API flowclass_status flowclass_get_schema(flowclass_engine* engine,
                                                    struct ArrowSchema* out);
/* The next batch that is ready. FLOWCLASS_OK with out->release NULL: none is now. What `out` held
 * before is overwritten. */
FLOWCLASS_API flowclass_status flowclass_poll(flowclass_engine* engine, struct ArrowArray* out);
/* All batches that are ready, as a stream that has nothing to do with the engine any more: another
 * thread may read it, and it may outlive the engine. It ends behind the last of them. */
FLOWCLASS_API flowclass_status flowclass_poll_stream(flowclass_engine* engine,
                                                     struct ArrowArrayStream* out);

/* Everything since the engine was opened. Each frame read is in exactly one flow or skipped:
 * packets_read = packets_in_flows + packets_skipped, and
 * bytes_read = bytes_in_flows + link_overhead_bytes + bytes_skipped. */
typedef struct flowclass_counters {
    uint32_t struct_size;
    uint32_t started; /* 1: there was a packet, time_first and time_last say when */
    int64_t time_first, time_last;
    uint64_t packets_read, bytes_read;
    uint64_t packets_in_flows, bytes_in_flows;
    int64_t link_overhead_bytes;
    uint64_t packets_skipped, bytes_skipped;
    uint64_t inner_packets; /* inside tunnels, in flows of their own */
    uint64_t flows;         /* that have ended */
    uint64_t evicted;       /* ended early: the table was full */
    uint64_t out_of_order;
    uint64_t heads_refused, heads_unsaved, leaders_forgotten, evidence_refused, features_refused;
    uint64_t table_bytes, head_bytes, evidence_bytes, peak_flows, bytes_per_flow;
} flowclass_counters;
FLOWCLASS_API flowclass_status flowclass_get_counters(const flowclass_engine* engine,
                                                      flowclass_counters* out);
/* The same and more (skipped by reason, flows by protocol, outcomes) as a JSON object, ended by a
 * 0. *length becomes the number of octets without it. FLOWCLASS_TOO_SMALL where `capacity` is not
 * more than that: nothing is written then. (NULL, 0) asks for the length alone. */
FLOWCLASS_API flowclass_status flowclass_counters_json(const flowclass_engine* engine,
                                                       char* buffer,
                                                       size_t capacity,
                                                       size_t* length);

/* ---- fingerprints alone ------------------------------------------------------------------ */

/* For those who have a flow table of their own: the first payloads of a flow in, the verdict out.
 * A matcher is a workbench: what is found does not depend on what was matched before. */
typedef struct flowclass_matcher flowclass_matcher;

FLOWCLASS_API flowclass_status flowclass_matcher_open(flowclass_matcher** out,
                                                      flowclass_error* error);
FLOWCLASS_API void flowclass_matcher_close(flowclass_matcher* matcher);

/* A packet that has octets above the transport header. */
typedef struct flowclass_payload {
    int64_t time;
    const uint8_t* octets; /* above the transport header; above IP for other protocols */
    uint32_t captured;     /* how many there are */
    uint32_t wire_length;  /* how many there were, at least captured */
    uint32_t tcp_sequence; /* of the first of them; UDP and others: 0 */
    uint8_t direction;     /* FLOWCLASS_FORWARD: as the flow's first packet */
} flowclass_payload;

typedef struct flowclass_head {
    uint32_t struct_size;
    uint8_t ip_proto; /* IANA number: 6 TCP, 17 UDP, 50 ESP, ... */
    /* TCP: whether the SYN of each direction was seen; tcp_start is then the sequence number of
     * that direction's first octet. Without it the stream begins with the first payload given. */
    uint8_t syn_seen[2];
    uint8_t reserved;
    uint16_t src_port, dst_port; /* of the forward direction; ICMP: type and code */
    uint32_t tcp_start[2];
    /* In order of arrival. The first 12 are looked at, at most 8 of a direction, and not more than
     * 64 in all; so the verdict stands once they are there. */
    const flowclass_payload* payloads;
    size_t payload_count;
} flowclass_head;

#define FLOWCLASS_MAX_CHECKS 16
#define FLOWCLASS_MAX_ALTERNATIVES 4

/* A check that held: `bits` says how unlikely that is by chance, -log2. */
typedef struct flowclass_check {
    flowclass_text rule;    /* its id, "wireguard.initiation" */
    flowclass_text meaning; /* one sentence with its source */
    int64_t time;
    uint32_t packet; /* which of the payloads, from 1 */
    uint16_t offset; /* in it, octets */
    uint16_t length; /* octets; 0: the length itself was checked */
    float bits;
    uint8_t direction;
} flowclass_check;
typedef struct flowclass_alternative {
    flowclass_text protocol;
    float bits;
} flowclass_alternative;

/* Texts without an array live for ever. */
typedef struct flowclass_match {
    uint32_t struct_size;
    int32_t tier; /* FLOWCLASS_TIER_NONE: unknown, whatever else stands here */
    int32_t protocol_class;
    int32_t initiator;       /* by the protocol's own roles: a direction, or -1 */
    flowclass_text protocol; /* its id, "wireguard"; empty: nothing was found */
    flowclass_text variant;  /* empty: none */
    float bits;
    uint32_t check_count;
    uint32_t alternative_count;
    flowclass_check checks[FLOWCLASS_MAX_CHECKS];
    flowclass_alternative alternatives[FLOWCLASS_MAX_ALTERNATIVES]; /* other protocols' bits */
    char server_name[256]; /* of a ClientHello of TLS, DTLS or QUIC; "": none */
    char alpn[256];        /* names joined by commas */
    char ja4[40];
} flowclass_match;

/* Tells what a flow is. No memory is asked for. No payload at all gives a match without protocol.
 */
FLOWCLASS_API flowclass_status flowclass_match_head(flowclass_matcher* matcher,
                                                    const flowclass_head* head,
                                                    flowclass_match* out);

#ifdef __cplusplus
}
#endif

#endif /* FLOWCLASS_FLOWCLASS_H */
