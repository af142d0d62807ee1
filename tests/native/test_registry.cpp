// Outcomes of entries, addresses and flows: dates, statuses, protocols, which entry and which end
// decides, scope.
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "registry/registry.hpp"

namespace {

using flowclass::base::IpAddress;
using flowclass::base::parse_ip_address;
using flowclass::base::TimeNs;
using flowclass::registry::FlowMatch;
using flowclass::registry::kNoEntry;
using flowclass::registry::kNotKnown;
using flowclass::registry::kOpenEnd;
using flowclass::registry::kOpenStart;
using flowclass::registry::parse_prefix;
using flowclass::registry::Prefix;
using flowclass::registry::Registry;
using flowclass::registry::RegistryColumns;
using flowclass::registry::Status;

struct Row {
    const char* id;
    const char* prefix;
    Status status = Status::approved;
    TimeNs from = kOpenStart;
    TimeNs until = kOpenEnd;
    std::vector<std::string> protocols{};
    TimeNs submitted = kNotKnown;
};

RegistryColumns columns_of(const std::vector<Row>& rows) {
    RegistryColumns columns;
    for (const Row& row : rows) {
        columns.registration_id.emplace_back(row.id);
        columns.category.emplace_back("organization");
        columns.status.push_back(row.status);
        columns.prefix.push_back(parse_prefix(row.prefix).value());
        columns.protocols.push_back(row.protocols);
        columns.valid_from.push_back(row.from);
        columns.valid_until.push_back(row.until);
        columns.submitted_at.push_back(row.submitted);
        columns.approved_at.push_back(kNotKnown);
    }
    return columns;
}

Registry registry_of(const std::vector<Row>& rows, const std::vector<Prefix>& scope = {}) {
    auto built = Registry::build(columns_of(rows), scope);
    CHECK(built.ok());
    return std::move(built.value());
}

std::string match(const Registry& registry,
                  const char* src,
                  const char* dst,
                  TimeNs time,
                  std::string_view protocol = "wireguard") {
    const std::vector<IpAddress> sources{parse_ip_address(src).value_or(IpAddress{})};
    const std::vector<IpAddress> destinations{parse_ip_address(dst).value_or(IpAddress{})};
    std::vector<FlowMatch> out(1);
    registry.match({sources, destinations, std::span(&time, 1), std::span(&protocol, 1)}, out);
    std::string text = to_string(out[0].match);
    if (out[0].entry != kNoEntry) {
        text += " " + std::string(registry.registration_id(out[0].entry)) + " " +
                registry.matched_prefix(out[0].entry);
    }
    return text + " " + to_string(out[0].end);
}

}  // namespace

TEST(registry_dates_are_half_open) {
    const Registry registry = registry_of({{"A", "192.0.2.0/24", Status::approved, 100, 200}});
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 99), "not_yet A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 100), "registered A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 199), "registered A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 200), "expired A 192.0.2.0/24 src");
}

TEST(registry_open_dates_hold_at_the_ends_of_time) {
    const Registry registry = registry_of({{"A", "192.0.2.0/24"}});
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", INT64_MIN), "registered A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", INT64_MAX), "registered A 192.0.2.0/24 src");
}

TEST(registry_expired_host_hides_no_valid_network) {
    const Registry registry =
        registry_of({{"OLD", "192.0.2.7/32", Status::approved, kOpenStart, 50},
                     {"NET", "192.0.2.0/24"},
                     {"GONE", "192.0.2.7/32", Status::revoked}});
    CHECK_EQ(match(registry, "1.1.1.1", "192.0.2.7", 60), "registered NET 192.0.2.0/24 dst");
    CHECK_EQ(match(registry, "1.1.1.1", "192.0.2.7", 40), "registered OLD 192.0.2.7/32 dst");
}

TEST(registry_statuses) {
    for (const Status status : {Status::rejected, Status::suspended, Status::revoked}) {
        CHECK_EQ(match(registry_of({{"A", "192.0.2.0/24", status}}), "192.0.2.1", "8.8.8.8", 0),
                 "inactive A 192.0.2.0/24 src");
    }
    const Registry pending =
        registry_of({{"A", "192.0.2.0/24", Status::pending, kOpenStart, kOpenEnd, {}, 10}});
    CHECK_EQ(match(pending, "192.0.2.1", "8.8.8.8", 10), "pending A 192.0.2.0/24 src");
    CHECK_EQ(match(pending, "192.0.2.1", "8.8.8.8", 9), "not_yet A 192.0.2.0/24 src");
}

TEST(registry_permitted_protocols) {
    const Registry registry = registry_of({{"A",
                                            "192.0.2.0/24",
                                            Status::approved,
                                            kOpenStart,
                                            kOpenEnd,
                                            {"wireguard", "ike", "wireguard"}}});
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 0, "ike"), "registered A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 0, "wireguard"),
             "registered A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 0, "openvpn"),
             "protocol_not_permitted A 192.0.2.0/24 src");
    CHECK_EQ(match(registry, "192.0.2.1", "8.8.8.8", 0, ""), "registered A 192.0.2.0/24 src");
}

TEST(registry_best_for_the_registrant_wins) {
    const std::vector<Row> rows{
        {"GOOD", "10.0.0.0/8"},
        {"PENDING", "10.0.0.0/9", Status::pending, kOpenStart, kOpenEnd, {}, 1},
        {"OTHER", "10.0.0.0/10", Status::approved, kOpenStart, kOpenEnd, {"ike"}},
        {"FUTURE", "10.0.0.0/11", Status::approved, 1000},
        {"PAST", "10.0.0.0/12", Status::approved, kOpenStart, 10},
        {"GONE", "10.0.0.0/13", Status::suspended}};
    const std::vector<std::string> expected{"registered GOOD 10.0.0.0/8 src",
                                            "pending PENDING 10.0.0.0/9 src",
                                            "protocol_not_permitted OTHER 10.0.0.0/10 src",
                                            "not_yet FUTURE 10.0.0.0/11 src",
                                            "expired PAST 10.0.0.0/12 src",
                                            "inactive GONE 10.0.0.0/13 src"};
    for (std::size_t first = 0; first < rows.size(); ++first) {
        const Registry registry =
            registry_of({rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end()});
        CHECK_EQ(match(registry, "10.0.0.1", "8.8.8.8", 100), expected[first]);
    }
    CHECK_EQ(match(registry_of({}), "10.0.0.1", "8.8.8.8", 100), "unregistered none");
}

TEST(registry_ties) {
    const Registry same_prefix = registry_of({{"B", "10.0.0.0/8"}, {"A", "10.0.0.0/8"}});
    CHECK_EQ(match(same_prefix, "10.0.0.1", "8.8.8.8", 0), "registered A 10.0.0.0/8 src");
    const Registry nested = registry_of({{"A", "10.0.0.0/8"}, {"B", "10.0.0.0/16"}});
    CHECK_EQ(match(nested, "10.0.0.1", "8.8.8.8", 0), "registered B 10.0.0.0/16 src");
    const Registry pending =
        registry_of({{"A", "10.0.0.0/16", Status::pending, kOpenStart, kOpenEnd, {}, 5},
                     {"B", "10.0.0.0/8", Status::pending, kOpenStart, kOpenEnd, {}, 7},
                     {"C", "10.0.0.0/16", Status::pending}});
    CHECK_EQ(match(pending, "10.0.0.1", "8.8.8.8", 9), "pending B 10.0.0.0/8 src");
    CHECK_EQ(match(pending, "10.0.0.1", "8.8.8.8", 6), "pending A 10.0.0.0/16 src");
}

TEST(registry_which_end) {
    const Registry registry = registry_of({{"A", "10.0.0.0/8"},
                                           {"B", "192.0.2.0/24"},
                                           {"OLD", "198.51.100.0/24", Status::approved, 0, 10}});
    CHECK_EQ(match(registry, "10.0.0.1", "192.0.2.1", 20), "registered B 192.0.2.0/24 both");
    CHECK_EQ(match(registry, "192.0.2.1", "10.0.0.1", 20), "registered B 192.0.2.0/24 both");
    CHECK_EQ(match(registry, "198.51.100.1", "10.0.0.1", 20), "registered A 10.0.0.0/8 dst");
    CHECK_EQ(match(registry, "198.51.100.1", "8.8.8.8", 20), "expired OLD 198.51.100.0/24 src");
    CHECK_EQ(match(registry, "8.8.8.8", "9.9.9.9", 20), "unregistered none");
}

TEST(registry_mapped_addresses_are_what_is_on_the_wire) {
    const Registry registry = registry_of({{"A", "192.0.2.0/24"}});
    CHECK_EQ(match(registry, "::ffff:192.0.2.1", "2001:db8::1", 0), "unregistered none");
}

TEST(registry_scope) {
    const Registry registry =
        registry_of({{"A", "203.0.113.0/24"}},
                    {parse_prefix("10.0.0.0/8").value(), parse_prefix("10.1.0.0/16").value()});
    CHECK_EQ(match(registry, "203.0.113.1", "8.8.8.8", 0), "out_of_scope none");
    CHECK_EQ(match(registry, "10.1.2.3", "203.0.113.1", 0), "registered A 203.0.113.0/24 dst");
    CHECK_EQ(match(registry, "8.8.8.8", "10.2.2.3", 0), "unregistered none");
    CHECK(!registry.in_scope(parse_ip_address("2001:db8::1").value_or(IpAddress{})));
    CHECK(registry_of({}).in_scope(parse_ip_address("2001:db8::1").value_or(IpAddress{})));
}

TEST(registry_batches_longer_than_one_group) {
    const Registry registry = registry_of({{"A", "10.0.0.0/8"}});
    constexpr std::uint32_t kFlows = 1000;
    std::vector<IpAddress> src;
    const std::vector<IpAddress> dst(kFlows, IpAddress::v6(1, 2));
    const std::vector<TimeNs> time(kFlows, 5);
    const std::vector<std::string_view> protocol(kFlows, "ike");
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        src.push_back(IpAddress::v4(flow % 3 == 0 ? 0x0a000000U + flow : 0x0b000000U + flow));
    }
    std::vector<FlowMatch> out(kFlows);
    registry.match({src, dst, time, protocol}, out);
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        CHECK_EQ(out[flow].entry, flow % 3 == 0 ? 0U : kNoEntry);
    }
}

TEST(registry_build_refuses) {
    RegistryColumns uneven = columns_of({{"A", "10.0.0.0/8"}});
    uneven.category.clear();
    CHECK(!Registry::build(std::move(uneven), {}).ok());
    RegistryColumns host_bits = columns_of({{"A", "10.0.0.0/8"}});
    host_bits.prefix[0].address = IpAddress::v4(0x0a000001);
    CHECK_EQ(Registry::build(std::move(host_bits), {}).error(),
             "registry row 1: a prefix with host bits or an impossible length");
    CHECK(!Registry::build(columns_of({{"A", "10.0.0.0/8", Status::approved, 5, 5}}), {}).ok());
    CHECK(!Registry::build(columns_of({{"", "10.0.0.0/8"}}), {}).ok());
    const std::vector<Prefix> scope{{IpAddress::v4(1), 8}};
    CHECK(!Registry::build(columns_of({{"A", "10.0.0.0/8"}}), scope).ok());
}

TEST(registry_columns_from_texts) {
    using flowclass::registry::read_columns;
    using flowclass::registry::TextColumns;
    const TextColumns good{
        {"A"}, {"freelancer"}, {"suspended"}, {"10.0.0.0/8"}, {{}}, {0}, {1}, {0}, {0}};
    auto columns = read_columns(good);
    CHECK(columns.ok());
    CHECK(columns.value().status[0] == Status::suspended);
    TextColumns unknown = good;
    unknown.status[0] = "granted";
    CHECK_EQ(read_columns(unknown).error(), "registry row 1: unknown status 'granted'");
    TextColumns prefix = good;
    prefix.prefix[0] = "10.0.0.1/8";
    CHECK(!read_columns(prefix).ok());
}
