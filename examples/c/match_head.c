/* The fingerprints alone: for programs that have a flow table of their own and want to know what a
 * flow is from its first payloads.
 *
 *     match_head [IP_PROTO SRC_PORT DST_PORT PAYLOAD...]
 *
 * A PAYLOAD is hexadecimal with > (as the first packet) or < (the other way) before it. Without
 * arguments it is a WireGuard handshake: an initiation of 148 octets and its response of 92 (the
 * formats of the messages: www.wireguard.com/protocol). */
#include <flowclass/flowclass.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PAYLOADS = 12, MOST_OCTETS = 2048 };

struct flow {
    flowclass_head head;
    flowclass_payload payloads[MOST_PAYLOADS];
    uint8_t octets[MOST_PAYLOADS][MOST_OCTETS];
};

/* A payload at the end of the flow, one millisecond behind the one before it. */
static uint8_t* add(struct flow* flow, uint8_t direction, uint32_t length) {
    const size_t index = flow->head.payload_count++;
    uint32_t sequence = 0;
    for (size_t before = 0; before < index; ++before) {
        if (flow->payloads[before].direction == direction) {
            sequence += flow->payloads[before].wire_length;
        }
    }
    const flowclass_payload payload = {
        .time = (int64_t)index * 1000000,
        .octets = flow->octets[index],
        .captured = length,
        .wire_length = length,
        .tcp_sequence = sequence,
        .direction = direction,
    };
    flow->payloads[index] = payload;
    return flow->octets[index];
}

static void make_handshake(struct flow* flow) {
    flow->head.ip_proto = 17;
    flow->head.src_port = 40000;
    flow->head.dst_port = 51820;
    uint8_t* initiation = add(flow, FLOWCLASS_FORWARD, 148);
    uint8_t* response = add(flow, FLOWCLASS_REVERSE, 92);
    /* Keys and authenticators look like noise. */
    uint32_t noise = 1;
    for (size_t at = 4; at < 148; ++at) {
        noise = noise * 1664525 + 1013904223;
        initiation[at] = (uint8_t)(noise >> 24);
        response[at] = at < 92 ? (uint8_t)(noise >> 16) : 0;
    }
    initiation[0] = 1;
    memset(initiation + 132, 0, 16); /* the second authenticator: the responder is not busy */
    response[0] = 2;
    memcpy(response + 8, initiation + 4, 4); /* the index of the initiator comes back */
    memset(response + 76, 0, 16);
}

static int hex_digit(char letter) {
    const char* digits = "0123456789abcdef";
    const char* found = letter == '\0' ? NULL : strchr(digits, letter);
    return found == NULL ? -1 : (int)(found - digits);
}

static bool add_hex(struct flow* flow, const char* text) {
    const size_t length = strlen(text);
    if (flow->head.payload_count == MOST_PAYLOADS || length < 3 || length % 2 == 0 ||
        length / 2 > MOST_OCTETS || (text[0] != '>' && text[0] != '<')) {
        return false;
    }
    uint8_t* octets =
        add(flow, text[0] == '>' ? FLOWCLASS_FORWARD : FLOWCLASS_REVERSE, (uint32_t)(length / 2));
    for (size_t at = 1; at < length; at += 2) {
        const int high = hex_digit(text[at]);
        const int low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        octets[at / 2] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void print_match(const flowclass_match* match) {
    if (match->tier == FLOWCLASS_TIER_NONE) {
        puts("unknown");
        return;
    }
    printf("%.*s: %s, class %s, %.0f bits\n",
           (int)match->protocol.length,
           match->protocol.data,
           flowclass_tier_name(match->tier),
           flowclass_class_name(match->protocol_class),
           (double)match->bits);
    for (uint32_t index = 0; index < match->check_count; ++index) {
        const flowclass_check* check = &match->checks[index];
        printf("  packet %" PRIu32 " %s octets %d+%d  %.*s  %.0f bits: %.*s\n",
               check->packet,
               check->direction == FLOWCLASS_FORWARD ? ">" : "<",
               (int)check->offset,
               (int)check->length,
               (int)check->rule.length,
               check->rule.data,
               (double)check->bits,
               (int)check->meaning.length,
               check->meaning.data);
    }
    if (match->server_name[0] != '\0') {
        printf("  server name %s\n", match->server_name);
    }
}

static bool read_arguments(struct flow* flow, int argc, char** argv) {
    if (argc < 5) {
        return false;
    }
    flow->head.ip_proto = (uint8_t)atoi(argv[1]);
    flow->head.src_port = (uint16_t)atoi(argv[2]);
    flow->head.dst_port = (uint16_t)atoi(argv[3]);
    flow->head.syn_seen[0] = flow->head.syn_seen[1] = 1; /* the streams begin at number 0 */
    for (int index = 4; index < argc; ++index) {
        if (!add_hex(flow, argv[index])) {
            return false;
        }
    }
    return true;
}

int main(int argc, char** argv) {
    static struct flow flow;
    flow.head.struct_size = sizeof flow.head;
    flow.head.payloads = flow.payloads;
    if (argc == 1) {
        make_handshake(&flow);
    } else if (!read_arguments(&flow, argc, argv)) {
        fputs("usage: match_head [IP_PROTO SRC_PORT DST_PORT >HEX|<HEX...]\n", stderr);
        return 2;
    }
    flowclass_matcher* matcher = NULL;
    flowclass_error error = {.struct_size = sizeof error};
    if (flowclass_matcher_open(&matcher, &error) != FLOWCLASS_OK) {
        fprintf(stderr, "match_head: %s\n", error.text);
        return 1;
    }
    static flowclass_match match;
    match.struct_size = sizeof match;
    const flowclass_status status = flowclass_match_head(matcher, &flow.head, &match);
    if (status == FLOWCLASS_OK) {
        print_match(&match);
    } else {
        fprintf(stderr, "match_head: %s\n", flowclass_status_text(status));
    }
    flowclass_matcher_close(matcher);
    return status == FLOWCLASS_OK ? 0 : 1;
}
