// Fuzz target of the C ABI: the input is a sequence of calls with their arguments, good and bad, in
// any order. Aborts when a call gives a status it cannot have, when a batch is not what it says,
// when what is counted does not add up, or when a text has no end.
//
//   each call: what(1), then what that call reads; octets run out: everything is closed
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.hpp"
#include "flowclass/flowclass.h"
#include "registry/snapshot.hpp"

namespace {

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
namespace registry = flowclass::registry;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

flowclass_status sane(flowclass_status status) {
    require(status >= FLOWCLASS_OK && status <= FLOWCLASS_BROKEN);
    return status;
}

template <typename T>
T sized() {
    T out{};
    out.struct_size = sizeof out;
    return out;
}

// A snapshot of a few prefixes, without its hash.
std::vector<std::uint8_t> good_snapshot() {
    registry::TextColumns texts;
    texts.registration_id = {"four", "narrow", "six"};
    texts.category = {"organization", "organization", "person"};
    texts.status = {"approved", "pending", "approved"};
    texts.prefix = {"0.0.0.0/1", "10.0.0.0/8", "2001:db8::/32"};
    texts.protocols = {{"ike"}, {}, {}};
    texts.valid_from = {registry::kOpenStart, 0, 5};
    texts.valid_until = {registry::kOpenEnd, 100, registry::kOpenEnd};
    texts.submitted_at = {registry::kNotKnown, 3, 1};
    texts.approved_at = {registry::kNotKnown, registry::kNotKnown, 4};
    auto columns = registry::read_columns(std::move(texts));
    require(columns.ok());
    const auto built = registry::Registry::build(std::move(columns.value()), {});
    require(built.ok());
    auto file = registry::write_snapshot(built.value(), {7, {}, {}});
    require(file.ok());
    file.value().resize(file.value().size() + registry::kSnapshotHashBytes);
    return std::move(file.value());
}

flowclass_address address_of(ByteReader& in) {
    flowclass_address out{};
    constexpr std::array<std::uint8_t, 4> kVersions{4, 6, 0, 5};
    out.version = kVersions.at(in.u8() & 3U);
    const Bytes octets = in.bytes(std::min<std::size_t>(in.remaining(), 16));
    std::copy(octets.begin(), octets.end(), std::begin(out.octets));
    return out;
}

// At most this many octets of what is left.
Bytes some(ByteReader& in) {
    const std::size_t wanted = in.be16();
    return in.bytes(std::min(wanted, in.remaining()));
}

// One of everything; what is missing is NULL.
class Session {
  public:
    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        flowclass_registry_close(registry_);
        flowclass_policy_close(policy_);
        flowclass_engine_close(engine_);
        flowclass_matcher_close(matcher_);
        if (stream_.release != nullptr) {
            drain_stream();
            stream_.release(&stream_);
        }
    }

    void call(ByteReader& in) {
        switch (in.u8() % 18) {
            case 0:
                return open_engine(in);
            case 1:
                return open_registry(in);
            case 2:
                return open_policy(in);
            case 3:
                return begin_source(in);
            case 4:
                return push(in);
            case 5:
                return push_packets(in);
            case 6:
                return end_source(in);
            case 7:
                return note(flowclass_advance(engine_, static_cast<std::int64_t>(in.be64())));
            case 8:
                return note(flowclass_flush(engine_));
            case 9:
                return note(flowclass_finish(engine_));
            case 10:
                return poll();
            case 11:
                return poll_stream();
            case 12:
                return count();
            case 13:
                return match_head(in);
            case 14:
                return match_registry(in);
            case 15:
                return judge(in);
            case 16:
                return note(flowclass_use_source(engine_, in.u8()));
            default:
                return drain_stream();
        }
    }

  private:
    void note(flowclass_status status) {
        sane(status);
        require(std::memchr(flowclass_engine_error(engine_), 0, 256) != nullptr);
        require(engine_ != nullptr || status == FLOWCLASS_INVALID_ARGUMENT);
    }

    void open_engine(ByteReader& in) {
        flowclass_engine_close(engine_);
        auto options = sized<flowclass_engine_options>();
        require(flowclass_engine_options_init(&options) == FLOWCLASS_OK);
        const std::uint8_t choice = in.u8();
        options.flags = in.u8() & 63U;
        options.memcap = std::uint64_t{1} << (20U + (choice & 3U));
        options.threads = (choice & 4U) == 0 ? 1 : 2;
        options.batch_rows = in.u8();
        options.idle_timeout_ns = (choice & 8U) == 0 ? options.idle_timeout_ns : in.be32();
        static constexpr std::array<std::uint8_t, 32> kKey{1, 2, 3};
        options.anonymize_key = (choice & 16U) == 0 ? nullptr : kKey.data();
        options.registry = (choice & 32U) == 0 ? nullptr : registry_;
        options.policy = (choice & 64U) == 0 ? nullptr : policy_;
        auto error = sized<flowclass_error>();
        const flowclass_status status = sane(flowclass_engine_open(&options, &engine_, &error));
        require((status == FLOWCLASS_OK) == (engine_ != nullptr));
        require(status == FLOWCLASS_OK || error.text[0] != '\0');
    }

    void open_registry(ByteReader& in) {
        static const std::vector<std::uint8_t> good = good_snapshot();
        flowclass_registry_close(registry_);
        auto error = sized<flowclass_error>();
        std::vector<std::uint8_t> file = good;
        if (in.u8() == 0) {
            const Bytes octets = some(in);
            file.assign(octets.begin(), octets.end());
        }
        const std::uint32_t flags = (in.u8() & 7U) == 0 ? 0 : FLOWCLASS_REGISTRY_UNVERIFIED;
        const flowclass_status status = sane(
            flowclass_registry_open_memory(file.data(), file.size(), flags, &registry_, &error));
        require((status == FLOWCLASS_OK) == (registry_ != nullptr));
        require(status == FLOWCLASS_OK || error.text[0] != '\0');
    }

    void open_policy(ByteReader& in) {
        flowclass_policy_close(policy_);
        auto options = sized<flowclass_policy_options>();
        require(flowclass_policy_options_init(&options) == FLOWCLASS_OK);
        options.classes = in.u8();
        options.default_outcome = in.u8() % 8 - 1;
        options.review_tier = in.u8() % 6 - 1;
        std::array<flowclass_phase, 4> phases{};
        for (flowclass_phase& phase : phases) {
            const Bytes name = in.bytes(std::min<std::size_t>(in.remaining(), 3));
            const void* const begin = name.data();
            phase = {{static_cast<const char*>(begin), name.size()},
                     static_cast<std::int64_t>(in.be64()),
                     static_cast<std::int64_t>(in.be64()),
                     in.u8() % 7};
        }
        options.phases = phases.data();
        options.phase_count = in.u8() % 5;
        std::array<flowclass_exemption, 2> exemptions{};
        for (flowclass_exemption& exemption : exemptions) {
            exemption = {address_of(in), in.u8(), static_cast<std::int64_t>(in.be64())};
        }
        options.exemptions = exemptions.data();
        options.exemption_count = in.u8() % 3;
        auto error = sized<flowclass_error>();
        const flowclass_status status = sane(flowclass_policy_open(&options, &policy_, &error));
        require((status == FLOWCLASS_OK) == (policy_ != nullptr));
        require(status == FLOWCLASS_OK || error.text[0] != '\0');
    }

    void begin_source(ByteReader& in) {
        const Bytes name = in.bytes(std::min<std::size_t>(in.remaining(), 4));
        const std::string text(name.begin(), name.end());
        note(flowclass_begin_source(engine_, text.data(), text.size()));
    }

    void push(ByteReader& in) {
        const Bytes octets = some(in);
        const std::vector<std::uint8_t> own(octets.begin(), octets.end());
        note(flowclass_push(engine_, own.data(), own.size()));
    }

    void push_packets(ByteReader& in) {
        const std::uint32_t link_type = in.be16();
        std::vector<flowclass_packet> packets;
        for (std::size_t count = in.u8() % 9; count > 0; --count) {
            const auto time = static_cast<std::int64_t>(in.be64());
            const std::uint32_t wire_length = in.be16();
            const Bytes octets = some(in);
            packets.push_back(
                {time, octets.data(), static_cast<std::uint32_t>(octets.size()), wire_length});
        }
        note(flowclass_push_packets(engine_, link_type, packets.data(), packets.size(), in.u8()));
    }

    void end_source(ByteReader& in) {
        auto report = sized<flowclass_source_report>();
        report.struct_size -= in.u8() == 0 ? 8 : 0;
        const flowclass_status status = flowclass_end_source(engine_, &report);
        note(status);
        if (status == FLOWCLASS_OK) {
            require(std::memchr(report.sentence, 0, sizeof report.sentence) != nullptr);
            require(report.problem >= 0 && report.problem <= FLOWCLASS_SOURCE_GARBLED);
            require((report.sentence[0] == '\0') == (report.problem == 0));
        }
    }

    static void take(ArrowArray& batch) {
        require(batch.length > 0 && batch.n_children > 40 && batch.offset == 0);
        for (ArrowArray* child :
             std::span(batch.children, static_cast<std::size_t>(batch.n_children))) {
            require(child->length == batch.length && child->null_count <= child->length);
        }
        batch.release(&batch);
        require(batch.release == nullptr);
    }

    void poll() {
        ArrowArray batch{};
        note(flowclass_poll(engine_, &batch));
        if (batch.release != nullptr) {
            take(batch);
        }
    }

    void poll_stream() {
        if (stream_.release != nullptr) {
            stream_.release(&stream_);
        }
        stream_ = {};
        note(flowclass_poll_stream(engine_, &stream_));
    }

    void drain_stream() {
        if (stream_.release == nullptr) {
            return;
        }
        ArrowSchema schema{};
        require(stream_.get_schema(&stream_, &schema) == 0);
        ArrowArray batch{};
        while (stream_.get_next(&stream_, &batch) == 0 && batch.release != nullptr) {
            require(schema.n_children == batch.n_children);
            take(batch);
        }
        schema.release(&schema);
    }

    void count() {
        auto counters = sized<flowclass_counters>();
        const flowclass_status status = flowclass_get_counters(engine_, &counters);
        note(status);
        if (status == FLOWCLASS_OK) {
            require(counters.packets_read == counters.packets_in_flows + counters.packets_skipped);
            require(counters.bytes_read ==
                    counters.bytes_in_flows + counters.bytes_skipped +
                        static_cast<std::uint64_t>(counters.link_overhead_bytes));
        }
        size_t length = 0;
        note(flowclass_counters_json(engine_, nullptr, 0, &length));
        std::string text(length + 1, 'x');
        note(flowclass_counters_json(engine_, text.data(), text.size(), &length));
        require(engine_ == nullptr || text.find('\0') == length);
    }

    void match_head(ByteReader& in) {
        if (matcher_ == nullptr) {
            require(flowclass_matcher_open(&matcher_, nullptr) == FLOWCLASS_OK);
        }
        auto head = sized<flowclass_head>();
        head.ip_proto = in.u8();
        head.syn_seen[0] = in.u8() & 1U;
        head.syn_seen[1] = in.u8() & 1U;
        head.src_port = in.be16();
        head.dst_port = in.be16();
        std::vector<flowclass_payload> payloads;
        for (std::size_t count = in.u8() % 20; count > 0; --count) {
            const std::uint8_t choice = in.u8();
            const Bytes octets = some(in);
            const auto captured = static_cast<std::uint32_t>(octets.size());
            payloads.push_back({static_cast<std::int64_t>(in.be64()),
                                octets.data(),
                                captured,
                                captured + (choice >> 2U),
                                in.be16(),
                                static_cast<std::uint8_t>(choice & 3U)});
        }
        head.payloads = payloads.data();
        head.payload_count = payloads.size();
        auto match = sized<flowclass_match>();
        if (sane(flowclass_match_head(matcher_, &head, &match)) != FLOWCLASS_OK) {
            return;
        }
        require(flowclass_tier_name(match.tier) != nullptr);
        require(flowclass_class_name(match.protocol_class) != nullptr);
        require(match.check_count <= FLOWCLASS_MAX_CHECKS);
        for (const flowclass_check& check : std::span(match.checks).first(match.check_count)) {
            require(check.packet >= 1 && check.packet <= payloads.size());
            require(check.rule.length > 0 && check.meaning.length > 0);
        }
        require(match.tier == 0 || match.check_count > 0);
        require(std::memchr(match.server_name, 0, sizeof match.server_name) != nullptr);
    }

    void match_registry(ByteReader& in) {
        std::vector<flowclass_registry_query> queries(in.u8() % 70);
        for (flowclass_registry_query& query : queries) {
            query = {address_of(in), address_of(in), in.u8(), {"ike", in.u8() % std::size_t{4}}};
        }
        std::vector<flowclass_registry_answer> answers(queries.size());
        const flowclass_status status = sane(
            flowclass_registry_match(registry_, queries.data(), queries.size(), answers.data()));
        if (status != FLOWCLASS_OK) {
            return;
        }
        for (const flowclass_registry_answer& answer : answers) {
            require(flowclass_registry_match_name(answer.match) != nullptr);
            require(flowclass_end_name(answer.end) != nullptr);
            auto entry = sized<flowclass_registry_entry>();
            require(
                (answer.entry == FLOWCLASS_NO_ENTRY) ==
                (flowclass_registry_get_entry(registry_, answer.entry, &entry) != FLOWCLASS_OK));
        }
    }

    void judge(ByteReader& in) {
        std::vector<flowclass_policy_query> queries(in.u8() % 70);
        for (flowclass_policy_query& query : queries) {
            query = {address_of(in),
                     address_of(in),
                     static_cast<std::int64_t>(in.be64()),
                     in.u8() % 7,
                     in.u8() % 5,
                     {0, static_cast<std::uint8_t>(in.u8() % 9), 0, 0, in.u8()}};
        }
        std::vector<flowclass_judgement> judgements(queries.size());
        if (sane(flowclass_policy_judge(
                policy_, queries.data(), queries.size(), judgements.data())) == FLOWCLASS_OK) {
            for (const flowclass_judgement& judgement : judgements) {
                require(flowclass_outcome_name(judgement.outcome) != nullptr);
                require(flowclass_reason_name(judgement.reason) != nullptr);
                const flowclass_text phase = flowclass_policy_phase_name(policy_, judgement.phase);
                require(judgement.phase != FLOWCLASS_NO_PHASE || phase.length == 0);
            }
        }
    }

    flowclass_engine* engine_ = nullptr;
    flowclass_registry* registry_ = nullptr;
    flowclass_policy* policy_ = nullptr;
    flowclass_matcher* matcher_ = nullptr;
    ArrowArrayStream stream_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in(Bytes(data, size));
    Session session;
    for (int calls = 0; in.remaining() > 0 && calls < 200; ++calls) {
        session.call(in);
    }
    return 0;
}
