// What an engine counts: as plain numbers, and with everything that has a name as JSON. Takes: an
// engine, also a broken one. Gives: what it has counted so far.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "batch/dictionaries.hpp"
#include "capi/border.hpp"
#include "capi/handles.hpp"

namespace {

using namespace flowclass;

flowclass_counters counters_of(const engine::Engine& engine, const engine::Counters& counters) {
    flowclass_counters out{};
    out.started = engine.started() ? 1 : 0;
    out.time_first = engine.started() ? engine.time_first() : 0;
    out.time_last = engine.started() ? engine.time_last() : 0;
    out.packets_read = counters.read.packets;
    out.bytes_read = counters.read.bytes;
    out.packets_in_flows = counters.in_flows.packets;
    out.bytes_in_flows = counters.in_flows.bytes;
    out.link_overhead_bytes = counters.link_overhead_bytes;
    for (std::size_t row = 0; row < counters.skipped.size(); ++row) {
        out.packets_skipped += counters.skipped[row].tally.packets;
        out.bytes_skipped += counters.skipped[row].tally.bytes;
    }
    out.inner_packets = counters.inner_packets;
    out.flows = counters.flows;
    out.evicted = counters.evicted;
    out.out_of_order = counters.out_of_order;
    out.heads_refused = counters.heads_refused;
    out.heads_unsaved = counters.heads_unsaved;
    out.leaders_forgotten = counters.leaders_forgotten;
    out.evidence_refused = counters.evidence_refused;
    out.features_refused = counters.features_refused;
    const engine::MemoryUse memory = engine.memory();
    out.table_bytes = memory.tables;
    out.head_bytes = memory.heads;
    out.evidence_bytes = memory.evidence;
    out.peak_flows = memory.peak_flows;
    out.bytes_per_flow = memory.bytes_per_flow;
    return out;
}

// A JSON text that grows. Names are printable ASCII; what JSON wants escaped is, all the same.
class Json {
  public:
    void open(char bracket) {
        text_ += bracket;
        first_ = true;
    }
    void close(char bracket) {
        text_ += bracket;
        first_ = false;
    }
    Json& name(std::string_view text) {
        next();
        text_ += '"';
        for (const char letter : text) {
            if (letter == '"' || letter == '\\') {
                text_ += '\\';
            }
            text_ += letter;
        }
        text_ += "\":";
        first_ = true;
        return *this;
    }
    template <typename Number>
    void number(Number value) {
        next();
        text_ += std::to_string(value);
    }
    void null() {
        next();
        text_ += "null";
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

  private:
    void next() {
        if (!first_) {
            text_ += ',';
        }
        first_ = false;
    }

    std::string text_;
    bool first_ = true;
};

void write_numbers(const flowclass_counters& counters, Json& out) {
    using Row = std::pair<const char*, std::uint64_t flowclass_counters::*>;
    constexpr std::array kRows{
        Row{"packets_read", &flowclass_counters::packets_read},
        Row{"bytes_read", &flowclass_counters::bytes_read},
        Row{"packets_in_flows", &flowclass_counters::packets_in_flows},
        Row{"bytes_in_flows", &flowclass_counters::bytes_in_flows},
        Row{"inner_packets", &flowclass_counters::inner_packets},
        Row{"flows", &flowclass_counters::flows},
        Row{"evicted", &flowclass_counters::evicted},
        Row{"heads_unsaved", &flowclass_counters::heads_unsaved},
        Row{"leaders_forgotten", &flowclass_counters::leaders_forgotten},
        Row{"heads_refused", &flowclass_counters::heads_refused},
        Row{"features_refused", &flowclass_counters::features_refused},
        Row{"evidence_refused", &flowclass_counters::evidence_refused},
        Row{"out_of_order", &flowclass_counters::out_of_order},
        Row{"table_bytes", &flowclass_counters::table_bytes},
        Row{"head_bytes", &flowclass_counters::head_bytes},
        Row{"evidence_bytes", &flowclass_counters::evidence_bytes},
        Row{"peak_flows", &flowclass_counters::peak_flows},
        Row{"bytes_per_flow", &flowclass_counters::bytes_per_flow},
    };
    for (const auto& [name, member] : kRows) {
        out.name(name).number(counters.*member);
    }
    out.name("link_overhead_bytes").number(counters.link_overhead_bytes);
    for (const auto& [name, value] : {std::pair{"time_first", counters.time_first},
                                      std::pair{"time_last", counters.time_last}}) {
        out.name(name);
        counters.started != 0 ? out.number(value) : out.null();
    }
}

void write_skipped(const engine::SkipCounters& skipped, Json& out) {
    out.name("packets_skipped").open('{');
    for (std::size_t row = 0; row < skipped.size(); ++row) {
        const auto& [reason, tally] = skipped[row];
        out.name(reason.kind == packet::SkipKind::count_ ? "other" : packet::to_string(reason));
        out.open('[');
        out.number(tally.packets);
        out.number(tally.bytes);
        out.close(']');
    }
    out.close('}');
}

void write_verdicts(const std::vector<engine::VerdictCount>& verdicts, Json& out) {
    std::map<std::string, std::map<std::string, std::uint64_t>> protocols;
    std::map<std::string, std::uint64_t> outcomes;
    for (const auto& [key, flows] : verdicts) {
        const std::string& protocol = batch::protocol_names()[batch::protocol_index(key.matcher)];
        protocols[protocol][fingerprint::to_string(key.tier)] += flows;
        if (key.outcome) {
            outcomes[policy::to_string(*key.outcome)] += flows;
        }
    }
    const auto write = [&out](const std::map<std::string, std::uint64_t>& counts) {
        out.open('{');
        for (const auto& [name, count] : counts) {
            out.name(name).number(count);
        }
        out.close('}');
    };
    out.name("flows_by_protocol").open('{');
    for (const auto& [protocol, tiers] : protocols) {
        out.name(protocol);
        write(tiers);
    }
    out.close('}');
    out.name("outcomes");
    write(outcomes);
}

std::string json_of(const engine::Engine& engine) {
    const engine::Counters counters = engine.counters();
    const decode::DecodeCounters decoded = engine.decode_counters();
    Json out;
    out.open('{');
    write_numbers(counters_of(engine, counters), out);
    write_skipped(counters.skipped, out);
    out.name("flows_by_end_reason").open('{');
    for (std::size_t reason = 0; reason < counters.ended.size(); ++reason) {
        out.name(flow::to_string(static_cast<flow::EndReason>(reason)))
            .number(counters.ended[reason]);
    }
    out.close('}');
    out.name("heads_cut").number(counters.heads_cut);
    out.name("flows_alive").number(engine.memory().flows_alive);
    out.name("placed_anew").number(engine.memory().placed_anew);
    out.name("memcap").number(engine.options().memcap);
    out.name("inner_problems").open('{');
    for (const decode::DecodeCounterName& row : decode::kDecodeCounterNames) {
        out.name(row.name).number(decoded.*row.member);
    }
    out.close('}');
    write_verdicts(engine.verdicts(), out);
    out.close('}');
    return out.text();
}

// Counting leaves the engine as it is, so a failure here breaks nothing.
template <typename Work>
flowclass_status counting(Work&& work) noexcept {
    return capi::guarded([](flowclass_status status, const char*) { return status; }, work);
}

}  // namespace

flowclass_status flowclass_get_counters(const flowclass_engine* engine, flowclass_counters* out) {
    if (engine == nullptr || !capi::has_size(out)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    return counting([&] {
        capi::write_struct(counters_of(engine->engine, engine->engine.counters()), out);
        return flowclass_status{FLOWCLASS_OK};
    });
}

flowclass_status flowclass_counters_json(const flowclass_engine* engine,
                                         char* buffer,
                                         size_t capacity,
                                         size_t* length) {
    if (engine == nullptr || length == nullptr || (buffer == nullptr && capacity > 0)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    return counting([&]() -> flowclass_status {
        const std::string text = json_of(engine->engine);
        *length = text.size();
        if (capacity <= text.size()) {
            return FLOWCLASS_TOO_SMALL;
        }
        capi::copy_text({buffer, capacity}, text);
        return FLOWCLASS_OK;
    });
}
