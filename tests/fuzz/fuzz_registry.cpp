// Fuzz target of the registry. The input describes registrations, a scope and flows; what the tree,
// the covering sets and the judgement say is compared with a scan over all rows that follows the
// words at the top of registry/registry.hpp.
//
//   flags(1: bit 0 = a scope)  row count(1)  rows: version and length(2)  octets kept of the row
//   before(1)  address(16)  status(1)  valid_from(1)  valid_until(1)  submitted(1)  protocols(1)
//   then flows: src(1 row, 1 which end, 1 step)  dst(the same)  time(1)  protocol(1)
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.hpp"
#include "registry/registry.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::base::IpAddress;
using flowclass::base::TimeNs;
using namespace flowclass::registry;

namespace {

constexpr std::array<std::string_view, 3> kProtocols{"", "ike", "wireguard"};

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

IpAddress address_of(Key key, int version) {
    const auto high = static_cast<std::uint64_t>(key >> 64U);
    return version == 4 ? IpAddress::v4(static_cast<std::uint32_t>(high >> 32U))
                        : IpAddress::v6(high, static_cast<std::uint64_t>(key));
}

Prefix read_prefix(ByteReader& reader, const std::vector<Prefix>& before) {
    const int version = (reader.u8() & 1U) == 0 ? 4 : 6;
    const unsigned width = version == 4 ? 32 : 128;
    const unsigned length = reader.u8() % (width + 1);
    const unsigned kept = reader.u8() % (width + 1);
    const std::uint64_t high = reader.be64();
    Key key = make_key(high, reader.be64());
    if (!before.empty()) {  // near the row before, so that prefixes nest and share long paths
        key = (first_key(before.back()) & ~host_mask(kept)) | (key & host_mask(kept));
    }
    return {address_of(key & ~host_mask(length), version), static_cast<std::uint8_t>(length)};
}

// 0 and 255 are "open".
TimeNs read_time(ByteReader& reader) {
    const std::uint8_t value = reader.u8();
    return value == 0 ? kOpenStart : value == 255 ? kOpenEnd : TimeNs{value};
}

void read_row(ByteReader& reader, RegistryColumns& columns) {
    columns.prefix.push_back(read_prefix(reader, columns.prefix));
    columns.status.push_back(
        static_cast<Status>(reader.u8() % static_cast<unsigned>(Status::count_)));
    // In order unless they are equal, which build() must refuse.
    const auto [from, until] = std::minmax({read_time(reader), read_time(reader)});
    columns.valid_from.push_back(from);
    columns.valid_until.push_back(until);
    columns.submitted_at.push_back(read_time(reader));
    columns.approved_at.push_back(kNotKnown);
    const std::uint8_t protocols = reader.u8();
    std::vector<std::string> permitted;
    for (std::size_t index = 1; index < kProtocols.size(); ++index) {
        if ((protocols >> index & 1U) != 0) {
            permitted.emplace_back(kProtocols[index]);
        }
    }
    columns.protocols.push_back(std::move(permitted));
    // Few ids, in no order of the rows; several rows may share one.
    columns.registration_id.push_back("r" + std::to_string(protocols * 7 % 50));
    columns.category.emplace_back("organization");
}

bool covers(const Prefix& prefix, const IpAddress& address) {
    return prefix.address.version == address.version && first_key(prefix) <= key_of(address) &&
           key_of(address) <= last_key(prefix);
}

// The model: one row, one address, one flow.
RegistryMatch model_entry(const RegistryColumns& rows,
                          std::size_t row,
                          TimeNs time,
                          std::string_view protocol) {
    const Status status = rows.status[row];
    if (status == Status::rejected || status == Status::suspended || status == Status::revoked) {
        return RegistryMatch::inactive;
    }
    if ((status == Status::pending && rows.submitted_at[row] > time) ||
        rows.valid_from[row] > time) {
        return RegistryMatch::not_yet;
    }
    if (rows.valid_until[row] <= time && rows.valid_until[row] != kOpenEnd) {
        return RegistryMatch::expired;
    }
    const auto& permitted = rows.protocols[row];
    if (!protocol.empty() && !permitted.empty() &&
        std::find(permitted.begin(), permitted.end(), protocol) == permitted.end()) {
        return RegistryMatch::protocol_not_permitted;
    }
    return status == Status::pending ? RegistryMatch::pending : RegistryMatch::registered;
}

// What decides between two entries, as one value to compare: least wins. Entries that share a
// prefix and an id are told apart by their row.
struct Rank {
    RegistryMatch match = RegistryMatch::unregistered;
    TimeNs submitted = 0;
    unsigned host_bits = 0;
    std::string id;
    std::uint32_t row = 0;
};

bool wins(const Rank& left, const Rank& right) {
    if (left.match != right.match) {
        return left.match < right.match;
    }
    if (left.match == RegistryMatch::pending && left.submitted != right.submitted) {
        return left.submitted > right.submitted;
    }
    if (left.host_bits != right.host_bits) {
        return left.host_bits < right.host_bits;
    }
    return left.id != right.id ? left.id < right.id : left.row < right.row;
}

std::optional<Rank> model_address(const RegistryColumns& rows,
                                  const IpAddress& address,
                                  TimeNs time,
                                  std::string_view protocol) {
    std::optional<Rank> best;
    for (std::uint32_t row = 0; row < rows.prefix.size(); ++row) {
        if (!covers(rows.prefix[row], address)) {
            continue;
        }
        Rank rank{model_entry(rows, row, time, protocol),
                  rows.submitted_at[row],
                  128U - rows.prefix[row].length,
                  rows.registration_id[row],
                  row};
        if (!best || wins(rank, *best)) {
            best = std::move(rank);
        }
    }
    return best;
}

FlowMatch model_flow(const std::optional<Rank>& src, const std::optional<Rank>& dst) {
    if (!src && !dst) {
        return {};
    }
    const bool dst_decides = !src || (dst && wins(*dst, *src));
    const Rank& winner = dst_decides ? *dst : *src;
    MatchedEnd end = dst_decides ? MatchedEnd::dst : MatchedEnd::src;
    if (src && dst && src->match == dst->match) {
        end = MatchedEnd::both;
    }
    return {winner.row, winner.match, end, winner.submitted};
}

// An end of a row's prefix, or its neighbour: where answers change.
IpAddress read_address(ByteReader& reader, const std::vector<Prefix>& prefixes) {
    const std::size_t row = reader.u8();
    const std::uint8_t which = reader.u8();
    const std::uint8_t step = reader.u8();
    if (prefixes.empty() || which == 255) {
        return {};
    }
    const Prefix& prefix = prefixes[row % prefixes.size()];
    const int version = prefix.address.version;
    const Key unit = version == 4 ? Key{1} << 96U : Key{1};
    const Key end = (which & 1U) == 0 ? first_key(prefix) : last_key(prefix);
    const Key moved = (which & 2U) == 0 ? end + unit * (step % 3U) : end - unit * (step % 3U);
    return address_of(moved, version);
}

struct Flows {
    std::vector<IpAddress> src, dst;
    std::vector<TimeNs> time;
    std::vector<std::string_view> protocol;
};

Flows read_flows(ByteReader& reader, const std::vector<Prefix>& prefixes) {
    Flows flows;
    while (reader.remaining() >= 8) {
        flows.src.push_back(read_address(reader, prefixes));
        flows.dst.push_back(read_address(reader, prefixes));
        flows.time.push_back(reader.u8());
        flows.protocol.push_back(kProtocols[reader.u8() % kProtocols.size()]);
    }
    return flows;
}

void check_sets(const Registry& registry, const std::vector<IpAddress>& addresses) {
    std::vector<std::uint32_t> bulk(addresses.size());
    registry.find(addresses, bulk);
    for (std::size_t index = 0; index < addresses.size(); ++index) {
        require(bulk[index] == registry.tree().find(addresses[index]));
        std::vector<std::uint32_t> found = registry.sets().entries(bulk[index]);
        std::sort(found.begin(), found.end());
        std::vector<std::uint32_t> expected;
        for (std::uint32_t row = 0; row < registry.size(); ++row) {
            if (covers(registry.table().prefix(row), addresses[index])) {
                expected.push_back(row);
            }
        }
        require(found == expected);
    }
}

void check_flows(const Registry& registry,
                 const RegistryColumns& rows,
                 const std::vector<Prefix>& scope,
                 const Flows& flows) {
    std::vector<FlowMatch> found(flows.src.size());
    registry.match({flows.src, flows.dst, flows.time, flows.protocol}, found);
    for (std::size_t flow = 0; flow < found.size(); ++flow) {
        const auto in_scope = [&](const IpAddress& address) {
            return std::any_of(scope.begin(), scope.end(), [&](const Prefix& prefix) {
                return covers(prefix, address);
            });
        };
        FlowMatch expected{kNoEntry, RegistryMatch::out_of_scope, MatchedEnd::none, kNotKnown};
        if (scope.empty() || in_scope(flows.src[flow]) || in_scope(flows.dst[flow])) {
            expected = model_flow(
                model_address(rows, flows.src[flow], flows.time[flow], flows.protocol[flow]),
                model_address(rows, flows.dst[flow], flows.time[flow], flows.protocol[flow]));
        }
        require(found[flow].match == expected.match && found[flow].entry == expected.entry);
        require(found[flow].end == expected.end);
        require(found[flow].submitted_at == expected.submitted_at);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    const bool has_scope = (reader.u8() & 1U) != 0;
    const std::size_t count = reader.u8();
    RegistryColumns columns;
    while (columns.prefix.size() < count && reader.remaining() >= 24) {
        read_row(reader, columns);
    }
    const std::vector<Prefix> prefixes = columns.prefix;
    bool dates_in_order = true;
    for (std::size_t row = 0; row < prefixes.size(); ++row) {
        dates_in_order = dates_in_order && columns.valid_from[row] < columns.valid_until[row];
    }
    std::vector<Prefix> scope;
    if (has_scope && !prefixes.empty()) {
        scope.push_back(prefixes[prefixes.size() / 2]);
    }
    const auto built = Registry::build(columns, scope);
    require(built.ok() == dates_in_order);
    if (!built.ok()) {
        require(!built.error().empty());
        return 0;
    }
    const Flows flows = read_flows(reader, prefixes);
    check_sets(built.value(), flows.src);
    check_sets(built.value(), flows.dst);
    check_flows(built.value(), columns, scope, flows);
    return 0;
}
