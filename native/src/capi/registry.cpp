// The registry out of a snapshot, and look-ups in bulk. Takes: a file or octets, flows. Gives: what
// the registry says of them. A snapshot is verified before it is believed.
#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "capi/border.hpp"
#include "capi/handles.hpp"
#include "capture/mapped_file.hpp"
#include "crypto/libcrypto.hpp"

namespace {

using namespace flowclass;
using capi::fail;
using capi::text_of;

constexpr std::size_t kAtOnce = 64;

// Octets at an address that a map has too.
class Aligned {
  public:
    Aligned(const void* octets, std::size_t size) : words_((size + 7) / 8), size_(size) {
        if (size > 0) {
            std::memcpy(words_.data(), octets, size);
        }
    }
    [[nodiscard]] base::Bytes bytes() const noexcept {
        const void* const begin = words_.data();
        return {static_cast<const std::uint8_t*>(begin), size_};
    }

  private:
    std::vector<std::uint64_t> words_;
    std::size_t size_;
};

// Whether the SHA-256 that ends the file is that of what stands before.
flowclass_status verify(base::Bytes file, flowclass_error* error) {
    const base::Bytes body = file.first(file.size() - registry::kSnapshotHashBytes);
    crypto::Digest digest{};
    if (!crypto::sha256(body, digest)) {
        return fail(
            error, FLOWCLASS_UNSUPPORTED, "There is no libcrypto to verify the snapshot with.");
    }
    const base::Bytes written = file.last(registry::kSnapshotHashBytes);
    return std::equal(digest.begin(), digest.end(), written.begin(), written.end())
               ? flowclass_status{FLOWCLASS_OK}
               : fail(error,
                      FLOWCLASS_BAD_DATA,
                      "The snapshot is not as it was written: its SHA-256 is another.");
}

flowclass_status open(base::Bytes file,
                      std::shared_ptr<const void> memory,
                      std::uint32_t flags,
                      flowclass_registry** out,
                      flowclass_error* error) {
    if (const auto defect = registry::snapshot_defect(file)) {
        return fail(error, FLOWCLASS_BAD_DATA, defect->sentence);
    }
    if ((flags & FLOWCLASS_REGISTRY_UNVERIFIED) == 0) {
        if (const flowclass_status status = verify(file, error); status != FLOWCLASS_OK) {
            return status;
        }
    }
    auto opened = registry::open_snapshot(file, std::move(memory));
    if (!opened.ok()) {
        return fail(error, FLOWCLASS_BAD_DATA, opened.error());
    }
    auto made = std::make_unique<flowclass_registry>();
    made->registry = std::make_shared<const registry::Registry>(std::move(opened.value().registry));
    made->facts = std::move(opened.value().facts);
    *out = made.release();
    return FLOWCLASS_OK;
}

flowclass_status open_file(const char* path,
                           std::uint32_t flags,
                           flowclass_registry** out,
                           flowclass_error* error) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        return fail(error, FLOWCLASS_IO, std::string(path) + " is a directory, not a snapshot.");
    }
    auto mapped = capture::MappedFile::open(path);
    if (!mapped.ok()) {
        return fail(error, FLOWCLASS_IO, mapped.error());
    }
    const auto held = std::make_shared<const capture::MappedFile>(std::move(mapped.value()));
    return open(held->bytes(), held, flags, out, error);
}

bool is_permitted(std::uint32_t flags) noexcept {
    return (flags & ~FLOWCLASS_REGISTRY_UNVERIFIED) == 0;
}

flowclass_status match_some(const registry::Registry& registry,
                            std::span<const flowclass_registry_query> queries,
                            std::span<flowclass_registry_answer> answers) noexcept {
    std::array<base::IpAddress, kAtOnce> src;
    std::array<base::IpAddress, kAtOnce> dst;
    std::array<base::TimeNs, kAtOnce> time{};
    std::array<std::string_view, kAtOnce> protocol;
    std::array<registry::FlowMatch, kAtOnce> found;
    const std::size_t count = queries.size();
    for (std::size_t row = 0; row < count; ++row) {
        const flowclass_registry_query& query = queries[row];
        if (!capi::read_address(query.src, src.at(row)) ||
            !capi::read_address(query.dst, dst.at(row)) ||
            (query.protocol.data == nullptr && query.protocol.length > 0)) {
            return FLOWCLASS_INVALID_ARGUMENT;
        }
        time.at(row) = query.time;
        protocol.at(row) = {query.protocol.data, query.protocol.length};
    }
    registry.match({std::span(src).first(count),
                    std::span(dst).first(count),
                    std::span(time).first(count),
                    std::span(protocol).first(count)},
                   std::span(found).first(count));
    for (std::size_t row = 0; row < count; ++row) {
        const registry::FlowMatch& match = found.at(row);
        answers[row] = {match.entry,
                        static_cast<std::uint8_t>(match.match),
                        static_cast<std::uint8_t>(match.end),
                        0,
                        match.submitted_at};
    }
    return FLOWCLASS_OK;
}

}  // namespace

flowclass_status flowclass_registry_open(const char* path,
                                         uint32_t flags,
                                         flowclass_registry** out,
                                         flowclass_error* error) {
    if (out == nullptr) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
    }
    *out = nullptr;
    if (path == nullptr || !is_permitted(flags)) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "path is NULL, or a flag is unknown.");
    }
    return capi::guarded_open(error, [&] { return open_file(path, flags, out, error); });
}

flowclass_status flowclass_registry_open_memory(const void* octets,
                                                size_t size,
                                                uint32_t flags,
                                                flowclass_registry** out,
                                                flowclass_error* error) {
    if (out == nullptr) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "out is NULL.");
    }
    *out = nullptr;
    if ((octets == nullptr && size > 0) || !is_permitted(flags)) {
        return fail(error, FLOWCLASS_INVALID_ARGUMENT, "octets is NULL, or a flag is unknown.");
    }
    return capi::guarded_open(error, [&] {
        const auto held = std::make_shared<const Aligned>(octets, size);
        return open(held->bytes(), held, flags, out, error);
    });
}

void flowclass_registry_close(flowclass_registry* registry) {
    const std::unique_ptr<flowclass_registry> owner(registry);
}

flowclass_status flowclass_registry_get_facts(const flowclass_registry* registry,
                                              flowclass_registry_facts* out) {
    if (registry == nullptr || !capi::has_size(out)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    flowclass_registry_facts facts{};
    facts.entries = static_cast<std::uint32_t>(registry->registry->size());
    facts.memory_bytes = registry->registry->memory_bytes();
    facts.built_at = registry->facts.built_at;
    std::copy(
        registry->facts.version.begin(), registry->facts.version.end(), std::begin(facts.version));
    capi::write_struct(facts, out);
    return FLOWCLASS_OK;
}

flowclass_status flowclass_registry_match(const flowclass_registry* registry,
                                          const flowclass_registry_query* queries,
                                          size_t count,
                                          flowclass_registry_answer* answers) {
    if (registry == nullptr || (count > 0 && (queries == nullptr || answers == nullptr))) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    const std::span all(queries, count);
    const std::span room(answers, count);
    for (std::size_t done = 0; done < count; done += kAtOnce) {
        const std::size_t some = std::min(kAtOnce, count - done);
        const flowclass_status status =
            match_some(*registry->registry, all.subspan(done, some), room.subspan(done, some));
        if (status != FLOWCLASS_OK) {
            return status;
        }
    }
    return FLOWCLASS_OK;
}

flowclass_status flowclass_registry_get_entry(const flowclass_registry* registry,
                                              uint32_t entry,
                                              flowclass_registry_entry* out) {
    if (registry == nullptr || !capi::has_size(out) || entry >= registry->registry->size()) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    const registry::EntryTable& table = registry->registry->table();
    const registry::Prefix prefix = table.prefix(entry);
    flowclass_registry_entry found{};
    found.status = static_cast<std::uint8_t>(table.status[entry]);
    found.prefix_length = prefix.length;
    found.prefix.version = prefix.address.version;
    const auto octets = prefix.address.to_bytes();
    std::copy_n(octets.begin(), prefix.address.byte_count(), std::begin(found.prefix.octets));
    found.registration_id = text_of(registry->registry->registration_id(entry));
    found.category = text_of(registry->registry->category(entry));
    found.valid_from = table.valid_from[entry];
    found.valid_until = table.valid_until[entry];
    found.submitted_at = table.submitted_at[entry];
    found.approved_at = table.approved_at[entry];
    capi::write_struct(found, out);
    return FLOWCLASS_OK;
}
