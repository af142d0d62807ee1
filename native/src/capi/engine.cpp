// The pipeline behind an opaque handle: checks arguments and the order of calls, calls the engine,
// says what was wrong. An engine that ran out of memory is broken: nothing but closing it is sure.
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "capi/border.hpp"
#include "capi/handles.hpp"
#include "capi/reserve.hpp"
#include "registry/text_pool.hpp"

namespace {

using namespace flowclass;
using capi::fail;
using capi::say;
using capi::with;

constexpr base::TimeNs kMostTimeout = base::TimeNs{604'800} * base::kSecond;
constexpr std::uint64_t kLeastMemcap = std::uint64_t{1} << 20U;
constexpr std::uint64_t kMostMemcap = std::uint64_t{1} << 46U;
constexpr std::uint32_t kMostThreads = 256;
constexpr std::uint32_t kMostBatchRows = 1U << 24U;
constexpr const char* kPolicyAlone = "A policy needs a registry: it judges what the registry says.";
constexpr std::uint32_t kKnownFlags = FLOWCLASS_ENGINE_VLAN_IN_KEY | FLOWCLASS_ENGINE_TUNNELS |
                                      FLOWCLASS_ENGINE_ROWS | FLOWCLASS_ENGINE_HEADS |
                                      FLOWCLASS_ENGINE_FEATURES;

flowclass_engine_options usual_options() noexcept {
    const engine::Options usual;
    flowclass_engine_options out{};
    out.struct_size = sizeof out;
    out.flags = FLOWCLASS_ENGINE_VLAN_IN_KEY | FLOWCLASS_ENGINE_TUNNELS | FLOWCLASS_ENGINE_ROWS;
    out.idle_timeout_ns = usual.idle_timeout;
    out.active_timeout_ns = usual.active_timeout;
    out.tcp_linger_ns = usual.tcp_linger;
    out.memcap = usual.memcap;
    out.threads = usual.threads;
    out.batch_rows = static_cast<std::uint32_t>(usual.batch_rows);
    return out;
}

template <typename T>
bool lies_in(T value, T least, T most) noexcept {
    return value >= least && value <= most;
}

// What is not permitted, or nullptr.
const char* defect_of(const flowclass_engine_options& given) noexcept {
    if ((given.flags & ~kKnownFlags) != 0) {
        return "flags: a bit is unknown.";
    }
    if (!lies_in<base::TimeNs>(given.idle_timeout_ns, 1, kMostTimeout)) {
        return "idle_timeout_ns: 1 to 604800000000000 is permitted.";
    }
    if (!lies_in<base::TimeNs>(given.active_timeout_ns, 1, kMostTimeout)) {
        return "active_timeout_ns: 1 to 604800000000000 is permitted.";
    }
    if (!lies_in<base::TimeNs>(given.tcp_linger_ns, 0, kMostTimeout)) {
        return "tcp_linger_ns: 0 to 604800000000000 is permitted.";
    }
    if (given.memcap != 0 && !lies_in(given.memcap, kLeastMemcap, kMostMemcap)) {
        return "memcap: 0, or 1048576 to 70368744177664 is permitted.";
    }
    if (!lies_in(given.threads, 1U, kMostThreads)) {
        return "threads: 1 to 256 is permitted.";
    }
    if (!lies_in(given.batch_rows, 1U, kMostBatchRows)) {
        return "batch_rows: 1 to 16777216 is permitted.";
    }
    if (given.anonymize_key != nullptr && (given.flags & FLOWCLASS_ENGINE_HEADS) != 0) {
        return "Heads hold payload, which anonymize_key cannot take the addresses out of.";
    }
    if (given.policy != nullptr && given.registry == nullptr) {
        return kPolicyAlone;
    }
    return nullptr;
}

// The first digits of a registry's version, as rows have them.
std::string version_of(const flowclass_registry& given) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : std::span(given.facts.version).first(batch::kVersionOctets)) {
        text.push_back(kDigits[octet >> 4U]);
        text.push_back(kDigits[octet & 15U]);
    }
    return text;
}

batch::Judges judges_of(const flowclass_registry* registry, const flowclass_policy* policy) {
    batch::Judges judges;
    if (registry != nullptr) {
        judges.registry = registry->registry;
        judges.registry_version = version_of(*registry);
    }
    if (policy != nullptr) {
        judges.policy = policy->policy;
    }
    return judges;
}

engine::Options options_of(const flowclass_engine_options& given) {
    engine::Options options;
    options.idle_timeout = given.idle_timeout_ns;
    options.active_timeout = given.active_timeout_ns;
    options.tcp_linger = given.tcp_linger_ns;
    options.memcap =
        given.memcap == 0 ? capi::usual_memcap() : static_cast<std::size_t>(given.memcap);
    options.threads = given.threads;
    options.batch_rows = given.batch_rows;
    options.vlan_in_key = (given.flags & FLOWCLASS_ENGINE_VLAN_IN_KEY) != 0;
    options.tunnels = (given.flags & FLOWCLASS_ENGINE_TUNNELS) != 0;
    options.rows = (given.flags & FLOWCLASS_ENGINE_ROWS) != 0;
    options.heads = (given.flags & FLOWCLASS_ENGINE_HEADS) != 0;
    options.features = (given.flags & FLOWCLASS_ENGINE_FEATURES) != 0;
    if (given.anonymize_key != nullptr) {
        crypto::CryptoPanKey key{};
        const base::Bytes octets(given.anonymize_key, key.size());
        std::copy(octets.begin(), octets.end(), key.begin());
        options.anonymize = key;
    }
    batch::Judges judges = judges_of(given.registry, given.policy);
    options.registry = std::move(judges.registry);
    options.policy = std::move(judges.policy);
    options.registry_version = std::move(judges.registry_version);
    return options;
}

// The same before the engine's end.
template <typename Work>
flowclass_status with_running(flowclass_engine* handle, Work&& work) noexcept {
    return with(handle, [&](flowclass_engine& whole) -> flowclass_status {
        if (whole.finished) {
            return say(whole, FLOWCLASS_WRONG_STATE, "The engine is finished.");
        }
        return work(whole);
    });
}

bool is_permitted(const flowclass_packet& packet) noexcept {
    return packet.captured <= packet.wire_length &&
           (packet.octets != nullptr || packet.captured == 0);
}

flowclass_status push_packets(flowclass_engine& handle,
                              std::uint32_t link_type,
                              std::span<const flowclass_packet> packets,
                              std::uint64_t first_frame) {
    if (!std::all_of(packets.begin(), packets.end(), is_permitted)) {
        return say(handle,
                   FLOWCLASS_INVALID_ARGUMENT,
                   "A packet has no octets, or fewer on the wire than captured.");
    }
    handle.views.clear();
    handle.views.reserve(packets.size());
    for (const flowclass_packet& packet : packets) {
        handle.views.push_back({packet.time,
                                base::Bytes(packet.octets, packet.captured),
                                packet.wire_length,
                                link_type,
                                first_frame++});
    }
    handle.engine.push_packets(handle.views);
    handle.views.clear();
    return FLOWCLASS_OK;
}

flowclass_source_report report_of(const capture::CaptureReport& report) {
    flowclass_source_report out{};
    out.problem = static_cast<std::int32_t>(report.problem);
    out.format = capture::to_string(report.format);
    out.packets = report.packets;
    out.octets = report.bytes_consumed;
    out.problem_offset = report.problem_offset;
    out.packets_without_interface = report.packets_without_interface;
    out.blocks_skipped = report.skipped_blocks_other;
    for (const capture::SkippedBlocks& blocks :
         std::span(report.skipped_blocks).first(report.skipped_types)) {
        out.blocks_skipped += blocks.count;
    }
    capi::copy_text(out.sentence, report.sentence());
    return out;
}

}  // namespace

flowclass_status flowclass_engine_options_init(flowclass_engine_options* options) {
    if (!capi::has_size(options)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    capi::write_struct(usual_options(), options);
    return FLOWCLASS_OK;
}

flowclass_status flowclass_engine_open(const flowclass_engine_options* options,
                                       flowclass_engine** out,
                                       flowclass_error* error) {
    if (out == nullptr) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
    }
    *out = nullptr;
    flowclass_engine_options given = usual_options();
    if (options != nullptr) {
        if (const flowclass_status status = capi::read_struct(options, given);
            status != FLOWCLASS_OK) {
            return fail(
                error, status, "struct_size is wrong, or of a newer header than this library.");
        }
    }
    if (const char* defect = defect_of(given)) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, defect);
    }
    return capi::guarded_open(error, [&]() -> flowclass_status {
        engine::Options read = options_of(given);
        if (!capi::can_reserve(read.memcap, read.threads)) {
            return fail(error,
                        FLOWCLASS_OUT_OF_MEMORY,
                        "There is not enough address space for the tables: give a smaller memcap.");
        }
        *out = std::make_unique<flowclass_engine>(std::move(read)).release();
        return FLOWCLASS_OK;
    });
}

void flowclass_engine_close(flowclass_engine* engine) {
    const std::unique_ptr<flowclass_engine> owner(engine);
}

const char* flowclass_engine_error(const flowclass_engine* engine) {
    return engine == nullptr ? "" : engine->error.data();
}

flowclass_status flowclass_begin_source(flowclass_engine* engine, const char* name, size_t length) {
    return with_running(engine, [&](flowclass_engine& handle) -> flowclass_status {
        if ((name == nullptr && length > 0) || length > UINT16_MAX ||
            handle.sources == UINT32_MAX || !registry::is_utf8({name, length})) {
            return say(handle,
                       FLOWCLASS_INVALID_ARGUMENT,
                       "The name is NULL, longer than 65535 octets, or not UTF-8.");
        }
        handle.engine.begin_source(length == 0 ? std::string() : std::string(name, length));
        ++handle.sources;
        handle.source_open = true;
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_use_source(flowclass_engine* engine, uint32_t number) {
    return with_running(engine, [&](flowclass_engine& handle) -> flowclass_status {
        if (number >= handle.sources) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "No such source was begun.");
        }
        handle.engine.use_source(number);
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_push(flowclass_engine* engine, const void* octets, size_t size) {
    return with_running(engine, [&](flowclass_engine& handle) -> flowclass_status {
        if (octets == nullptr && size > 0) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "octets is NULL.");
        }
        if (!handle.source_open) {
            return say(handle, FLOWCLASS_WRONG_STATE, "No source was begun.");
        }
        handle.engine.push(base::Bytes(static_cast<const std::uint8_t*>(octets), size));
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_push_packets(flowclass_engine* engine,
                                        uint32_t link_type,
                                        const flowclass_packet* packets,
                                        size_t count,
                                        uint64_t first_frame) {
    return with_running(engine, [&](flowclass_engine& handle) -> flowclass_status {
        if ((packets == nullptr && count > 0) || first_frame == 0) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "packets is NULL, or first_frame is 0.");
        }
        if (handle.sources == 0) {
            return say(handle, FLOWCLASS_WRONG_STATE, "No source was begun.");
        }
        return push_packets(handle, link_type, {packets, count}, first_frame);
    });
}

flowclass_status flowclass_advance(flowclass_engine* engine, int64_t now) {
    return with_running(engine, [now](flowclass_engine& handle) -> flowclass_status {
        handle.engine.advance(now);
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_end_source(flowclass_engine* engine, flowclass_source_report* out) {
    return with_running(engine, [out](flowclass_engine& handle) -> flowclass_status {
        if (out != nullptr && !capi::has_size(out)) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, "struct_size of the report is wrong.");
        }
        if (!handle.source_open) {
            return say(handle, FLOWCLASS_WRONG_STATE, "No source was begun.");
        }
        const capture::CaptureReport& report = handle.engine.end_source();
        handle.source_open = false;
        if (out != nullptr) {
            capi::write_struct(report_of(report), out);
        }
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_set_judges(flowclass_engine* engine,
                                      const flowclass_registry* registry,
                                      const flowclass_policy* policy) {
    return with_running(engine, [&](flowclass_engine& handle) -> flowclass_status {
        if (policy != nullptr && registry == nullptr) {
            return say(handle, FLOWCLASS_INVALID_ARGUMENT, kPolicyAlone);
        }
        handle.engine.set_judges(judges_of(registry, policy));
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_flush(flowclass_engine* engine) {
    return with(engine, [](flowclass_engine& handle) -> flowclass_status {
        handle.engine.flush();
        return FLOWCLASS_OK;
    });
}

flowclass_status flowclass_finish(flowclass_engine* engine) {
    return with(engine, [](flowclass_engine& handle) -> flowclass_status {
        handle.engine.finish();
        handle.finished = true;
        handle.source_open = false;
        return FLOWCLASS_OK;
    });
}
