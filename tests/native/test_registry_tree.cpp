// The radix tree and the set table against a scan over all prefixes, at the edges and on seeded
// random nests.
#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <vector>

#include "check.hpp"
#include "registry/covering_set.hpp"
#include "registry/radix_tree.hpp"

namespace {

using flowclass::base::IpAddress;
using flowclass::registry::CoveringSets;
using flowclass::registry::first_key;
using flowclass::registry::Key;
using flowclass::registry::key_of;
using flowclass::registry::last_key;
using flowclass::registry::parse_prefix;
using flowclass::registry::precedes;
using flowclass::registry::Prefix;
using flowclass::registry::RadixTree;

struct Built {
    std::vector<Prefix> prefixes;
    CoveringSets sets;
    RadixTree tree;
};

Built build(std::vector<Prefix> prefixes) {
    std::vector<std::uint32_t> order(prefixes.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return precedes(prefixes[left], prefixes[right]);
    });
    Built built{std::move(prefixes), {}, {}};
    built.sets = CoveringSets::build(built.prefixes, std::move(order));
    auto tree = RadixTree::build(built.sets.leaves(built.prefixes));
    CHECK(tree.ok());
    built.tree = std::move(tree.value());
    return built;
}

std::vector<Prefix> parse_all(const std::vector<const char*>& texts) {
    std::vector<Prefix> prefixes;
    for (const char* text : texts) {
        auto prefix = parse_prefix(text);
        CHECK(prefix.ok());
        prefixes.push_back(prefix.value());
    }
    return prefixes;
}

std::vector<std::uint32_t> scan(const std::vector<Prefix>& prefixes, const IpAddress& address) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t index = 0; index < prefixes.size(); ++index) {
        const Prefix& prefix = prefixes[index];
        if (prefix.address.version == address.version && first_key(prefix) <= key_of(address) &&
            key_of(address) <= last_key(prefix)) {
            found.push_back(index);
        }
    }
    return found;
}

std::vector<std::uint32_t> look_up(const Built& built, const IpAddress& address) {
    std::vector<std::uint32_t> found = built.sets.entries(built.tree.find(address));
    std::sort(found.begin(), found.end());
    return found;
}

std::string joined(const std::vector<std::uint32_t>& entries) {
    std::string text;
    for (const std::uint32_t entry : entries) {
        text += std::to_string(entry) + " ";
    }
    return text;
}

IpAddress address_of(Key key, int version) {
    const auto high = static_cast<std::uint64_t>(key >> 64U);
    return version == 4 ? IpAddress::v4(static_cast<std::uint32_t>(high >> 32U))
                        : IpAddress::v6(high, static_cast<std::uint64_t>(key));
}

// The ends of every prefix and their neighbours: where an answer can change.
std::vector<IpAddress> edges(const std::vector<Prefix>& prefixes) {
    std::vector<IpAddress> addresses;
    for (const Prefix& prefix : prefixes) {
        const int version = prefix.address.version;
        const Key unit = version == 4 ? Key{1} << 96U : Key{1};
        for (const Key key : {first_key(prefix), last_key(prefix)}) {
            for (const Key edge : {key - unit, key, key + unit}) {
                addresses.push_back(address_of(edge, version));
            }
        }
    }
    return addresses;
}

void compare(const Built& built, const std::vector<IpAddress>& addresses) {
    std::vector<std::uint32_t> bulk(addresses.size());
    std::vector<std::uint32_t> portable(addresses.size());
    built.tree.find(addresses, bulk);
    built.tree.find(addresses, portable, RadixTree::Code::portable);
    CHECK(bulk == portable);
    const auto adopted = RadixTree::adopt(built.tree.words(), built.sets.size());
    CHECK(adopted.ok());
    for (std::size_t index = 0; index < addresses.size(); ++index) {
        CHECK_EQ(joined(look_up(built, addresses[index])),
                 joined(scan(built.prefixes, addresses[index])));
        CHECK_EQ(bulk[index], built.tree.find(addresses[index]));
    }
}

std::vector<Prefix> random_prefixes(std::mt19937_64& random, std::size_t count, int version) {
    std::vector<Prefix> prefixes;
    const unsigned width = version == 4 ? 32 : 128;
    while (prefixes.size() < count) {
        Key key = static_cast<Key>(random()) << 64U | random();
        // Most prefixes are near an earlier one, so that they nest and share long paths.
        if (!prefixes.empty() && random() % 4 != 0) {
            const Prefix& near = prefixes[random() % prefixes.size()];
            const auto kept = static_cast<unsigned>(random() % (width + 1));
            key = (first_key(near) & ~flowclass::registry::host_mask(kept)) |
                  (key & flowclass::registry::host_mask(kept));
        }
        const auto length = static_cast<unsigned>(random() % (width + 1));
        key &= ~flowclass::registry::host_mask(length);
        prefixes.push_back({address_of(key, version), static_cast<std::uint8_t>(length)});
    }
    return prefixes;
}

}  // namespace

TEST(registry_tree_empty) {
    const Built built = build({});
    CHECK_EQ(built.tree.find(IpAddress::v4(0)), 0U);
    CHECK_EQ(built.tree.find(IpAddress::v6(~0ULL, ~0ULL)), 0U);
    CHECK_EQ(built.tree.find(IpAddress{}), 0U);
    CHECK_EQ(RadixTree().find(IpAddress::v4(0x01020304)), 0U);
}

TEST(registry_tree_whole_space_and_its_ends) {
    compare(build(parse_all({"0.0.0.0/0", "0.0.0.0/32", "255.255.255.255/32"})),
            edges(parse_all({"0.0.0.0/0", "0.0.0.0/32", "255.255.255.255/32", "::/0"})));
    const auto six =
        parse_all({"::/0", "::/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "8000::/1"});
    compare(build(six), edges(six));
}

TEST(registry_tree_one_version_says_nothing_of_the_other) {
    const Built built = build(parse_all({"1.2.3.4/32", "::ffff:1.2.3.4/128", "::102:304/128"}));
    CHECK_EQ(joined(look_up(built, IpAddress::v4(0x01020304))), "0 ");
    CHECK_EQ(joined(look_up(built, IpAddress::v6(0, 0xffff01020304ULL))), "1 ");
    CHECK_EQ(joined(look_up(built, IpAddress::v6(0, 0x01020304ULL))), "2 ");
}

TEST(registry_tree_nested_sets_longest_first) {
    const Built built =
        build(parse_all({"10.0.0.0/8", "10.1.2.3/32", "10.1.0.0/16", "10.1.2.3/32"}));
    CHECK_EQ(joined(built.sets.entries(built.tree.find(IpAddress::v4(0x0a010203)))), "1 3 2 0 ");
    CHECK_EQ(joined(look_up(built, IpAddress::v4(0x0a010204))), "0 2 ");
    CHECK_EQ(joined(look_up(built, IpAddress::v4(0x0a020000))), "0 ");
    CHECK_EQ(joined(look_up(built, IpAddress::v4(0x0b000000))), "");
}

TEST(registry_tree_every_length_of_one_address) {
    for (const char* text :
         {"203.0.113.77", "0.0.0.0", "255.255.255.255", "2001:db8:1:2:3:4:5:6"}) {
        const Prefix host = parse_prefix(text).value();
        std::vector<Prefix> prefixes;
        for (unsigned length = 0; length <= host.length; ++length) {
            const Key key = first_key(host) & ~flowclass::registry::host_mask(length);
            prefixes.push_back(
                {address_of(key, host.address.version), static_cast<std::uint8_t>(length)});
        }
        compare(build(prefixes), edges(prefixes));
        for (const Prefix& alone : prefixes) {
            compare(build({alone}), edges(prefixes));
        }
    }
}

TEST(registry_tree_dense_nodes) {
    std::vector<Prefix> prefixes;
    for (std::uint32_t host = 0; host < 256; ++host) {
        prefixes.push_back({IpAddress::v4(0xc0000200U | host), 32});
    }
    for (std::uint32_t net = 0; net < 256; net += 3) {
        prefixes.push_back({IpAddress::v4(0xc6330000U | net << 8U), 24});
    }
    compare(build(prefixes), edges(prefixes));
}

// Enough runs for nodes of every kind at every width of the first level, and groups that are not
// full.
TEST(registry_tree_wide_first_level) {
    std::mt19937_64 random(99);
    std::vector<Prefix> prefixes;
    for (std::uint32_t count = 0; count < 600'000; ++count) {
        const auto address = static_cast<std::uint32_t>(random());
        prefixes.push_back({IpAddress::v4(address), 32});
        const std::uint64_t high = 0x20010db800000000ULL | (random() & 0xffffff00ULL);
        prefixes.push_back({IpAddress::v6(high, 0), 64});
    }
    const Built built = build(std::move(prefixes));
    CHECK(built.tree.words()[0] > RadixTree::kLeastRootBits);
    std::vector<IpAddress> addresses;
    for (std::size_t index = 0; index < built.prefixes.size(); index += 997) {
        addresses.push_back(built.prefixes[index].address);
    }
    std::vector<std::uint32_t> found(addresses.size());
    built.tree.find(addresses, found);
    for (std::size_t index = 0; index < addresses.size(); ++index) {
        const std::vector<std::uint32_t> entries = built.sets.entries(found[index]);
        CHECK(!entries.empty());
        for (const std::uint32_t entry : entries) {
            CHECK(built.prefixes[entry].address == addresses[index]);
        }
        const IpAddress& address = addresses[index];
        if (address.version == 6) {
            CHECK_EQ(built.tree.find(IpAddress::v6(address.high | 0x80U, ~0ULL)), 0U);
        }
    }
}

TEST(registry_tree_refuses_words_that_lead_astray) {
    std::mt19937_64 random(5);
    std::vector<Prefix> prefixes = random_prefixes(random, 200, 4);
    const std::vector<Prefix> six = random_prefixes(random, 200, 6);
    prefixes.insert(prefixes.end(), six.begin(), six.end());
    const Built built = build(std::move(prefixes));
    const std::vector<IpAddress> addresses = edges(built.prefixes);
    std::vector<std::uint32_t> found(addresses.size());
    const auto original = built.tree.words();
    std::size_t refused = 0;
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::uint32_t> words(original.begin(), original.end());
        const std::size_t place = round % 8 == 0 ? random() % 2 : random() % words.size();
        words[place] ^= 1U << (random() % 32);
        const auto tree = RadixTree::adopt(words, built.sets.size());
        refused += tree.ok() ? 0U : 1U;
        if (tree.ok()) {
            tree.value().find(addresses, found);
            for (const std::uint32_t set : found) {
                CHECK(set < built.sets.size());
            }
        }
        words.resize(random() % words.size());
        CHECK(!RadixTree::adopt(words, built.sets.size()).ok());
    }
    CHECK(refused > 100);
}

TEST(registry_tree_random_nests_equal_a_scan) {
    std::mt19937_64 random(20241120);
    for (int round = 0; round < 60; ++round) {
        const std::size_t count = 1 + random() % 80;
        std::vector<Prefix> prefixes = random_prefixes(random, count, 4);
        const std::vector<Prefix> six = random_prefixes(random, count, 6);
        prefixes.insert(prefixes.end(), six.begin(), six.end());
        std::vector<IpAddress> addresses = edges(prefixes);
        std::shuffle(addresses.begin(), addresses.end(), random);
        compare(build(std::move(prefixes)), addresses);
    }
}

TEST(registry_tree_columns_of_numbers) {
    std::mt19937_64 random(7);
    std::vector<Prefix> prefixes = random_prefixes(random, 300, 4);
    const std::vector<Prefix> six = random_prefixes(random, 300, 6);
    prefixes.insert(prefixes.end(), six.begin(), six.end());
    const Built built = build(prefixes);
    std::vector<std::uint32_t> four_words;
    std::vector<std::uint8_t> six_octets;
    std::vector<std::uint32_t> four_expected;
    std::vector<std::uint32_t> six_expected;
    for (const IpAddress& address : edges(prefixes)) {
        if (address.version == 4) {
            four_words.push_back(static_cast<std::uint32_t>(address.low));
            four_expected.push_back(built.tree.find(address));
        } else {
            const auto octets = address.to_bytes();
            six_octets.insert(six_octets.end(), octets.begin(), octets.end());
            six_expected.push_back(built.tree.find(address));
        }
    }
    std::vector<std::uint32_t> four_found(four_words.size());
    std::vector<std::uint32_t> six_found(six_expected.size());
    built.tree.find_v4(four_words, four_found);
    built.tree.find_v6(six_octets, six_found);
    CHECK(four_found == four_expected);
    CHECK(six_found == six_expected);
    built.tree.find_v4(four_words, four_found, RadixTree::Code::portable);
    built.tree.find_v6(six_octets, six_found, RadixTree::Code::portable);
    CHECK(four_found == four_expected);
    CHECK(six_found == six_expected);
}

TEST(registry_prefix_texts) {
    CHECK_EQ(to_string(parse_prefix("192.0.2.0/24").value()), "192.0.2.0/24");
    CHECK_EQ(to_string(parse_prefix("192.0.2.7").value()), "192.0.2.7/32");
    CHECK_EQ(to_string(parse_prefix("2001:DB8::/32").value()), "2001:db8::/32");
    CHECK_EQ(to_string(parse_prefix("::ffff:1.2.3.4").value()), "::ffff:1.2.3.4/128");
    for (const char* wrong : {"",
                              "/",
                              "1.2.3.4/",
                              "1.2.3.4/33",
                              "1.2.3.4/24",
                              "::1/129",
                              "::1/64",
                              "1.2.3.4/-1",
                              "1.2.3.4/ 8",
                              "1.2.3.4/0x8",
                              "1.2.3.4/256",
                              "1.2.3/8",
                              "a/8",
                              "1.2.3.4/24/24"}) {
        CHECK(!parse_prefix(wrong).ok());
    }
}
