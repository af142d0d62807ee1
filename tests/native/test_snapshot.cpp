// A snapshot that holds is opened where it lies and judges as what it was written from; each thing
// in it that does not hold is refused with a sentence of its own, and no cut or flipped bit leads a
// look-up outside it.
#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "registry/snapshot.hpp"

namespace {

using flowclass::base::Bytes;
using flowclass::base::IpAddress;
using namespace flowclass::registry;

constexpr std::size_t kSectionList = 80;  // offsets of the layout in snapshot.hpp
constexpr std::size_t kSectionOctets = 24;
constexpr std::size_t kEntries = 300;

// Of sections, from 0 on: the arrays of EntryTable, then what snapshot.hpp lists.
enum SectionPlace : std::size_t {
    bounds = 0,
    category = 3,
    status = 4,
    length = 6,
    valid_until = 10,
    rank = 13,
    permitted_set = 14,
    scope_texts = 17,
    sets = 18,
    order = 19,
    tree = 20,
    scope = 21,
    sources = 22
};

RegistryColumns columns() {
    RegistryColumns found;
    for (std::uint32_t row = 0; row < kEntries; ++row) {
        const bool four = row % 2 == 0;
        found.prefix.push_back(
            {four ? IpAddress::v4(0xc6336400U + row / 2)
                  : IpAddress::v6(0x20010db800000000ULL | std::uint64_t{row} << 16U, 0),
             static_cast<std::uint8_t>(four ? 32 : 48)});
        found.registration_id.push_back("R" + std::to_string(1000 + row));
        found.category.emplace_back("organization");
        found.status.push_back(row % 7 == 0 ? Status::pending : Status::approved);
        found.protocols.emplace_back(row % 3 == 0 ? 1 : 0, "ike");
        found.valid_from.push_back(kOpenStart);
        found.valid_until.push_back(1000 + row);
        found.submitted_at.push_back(kNotKnown);
        found.approved_at.push_back(kNotKnown);
    }
    return found;
}

Registry registry() {
    const std::array own{parse_prefix("198.51.100.0/24").value()};
    auto built = Registry::build(columns(), own);
    CHECK(built.ok());
    return std::move(built.value());
}

// Octets at an address that a map has too.
class File {
  public:
    explicit File(const std::vector<std::uint8_t>& octets)
        : words_((octets.size() + 7) / 8), size_(octets.size()) {
        std::copy(octets.begin(), octets.end(), this->octets().begin());
    }
    [[nodiscard]] std::span<std::uint8_t> octets() {
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): octets of the words
        return {reinterpret_cast<std::uint8_t*>(words_.data()), size_};
    }
    template <typename T>
    [[nodiscard]] T get(std::size_t at) {
        T value{};
        std::memcpy(&value, octets().subspan(at, sizeof(T)).data(), sizeof(T));
        return value;
    }
    template <typename T>
    void set(std::size_t at, T value) {
        std::memcpy(octets().subspan(at, sizeof(T)).data(), &value, sizeof(T));
    }
    [[nodiscard]] std::size_t listed(std::size_t section, std::size_t field) const {
        return kSectionList + section * kSectionOctets + field;
    }
    [[nodiscard]] std::size_t begin_of(std::size_t section) {
        return static_cast<std::size_t>(get<std::uint64_t>(listed(section, 8)));
    }
    [[nodiscard]] std::size_t count_of(std::size_t section) {
        return static_cast<std::size_t>(get<std::uint64_t>(listed(section, 16)));
    }
    [[nodiscard]] std::string refusal() {
        const auto opened = open_snapshot(octets(), nullptr);
        return opened.ok() ? "" : opened.error();
    }

  private:
    std::vector<std::uint64_t> words_;
    std::size_t size_;
};

std::vector<std::uint8_t> written() {
    auto file = write_snapshot(registry(), {7, {1, 2, 3}, {{"list.csv", {4, 5}}}});
    CHECK(file.ok());
    file.value().resize(file.value().size() + kSnapshotHashBytes);
    return std::move(file.value());
}

bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST(snapshot_opens_as_it_was_written) {
    File file(written());
    const Registry built = registry();
    auto opened = open_snapshot(file.octets(), nullptr);
    CHECK(opened.ok());
    const Snapshot& snapshot = opened.value();
    CHECK_EQ(snapshot.facts.built_at, 7);
    CHECK(snapshot.facts.version == (Sha256{1, 2, 3}));
    CHECK_EQ(snapshot.facts.sources.size(), 1U);
    CHECK_EQ(snapshot.facts.sources[0].name, "list.csv");
    CHECK_EQ(snapshot.registry.size(), kEntries);
    CHECK_EQ(snapshot.registry.tree().memory_bytes(), built.tree().memory_bytes());
    CHECK_EQ(snapshot.registry.tree().leaf_bytes(), built.tree().leaf_bytes());
    for (std::uint32_t entry = 0; entry < kEntries; ++entry) {
        CHECK_EQ(snapshot.registry.registration_id(entry), built.registration_id(entry));
        const IpAddress address = built.table().prefix(entry).address;
        const std::uint32_t set = built.tree().find(address);
        CHECK_EQ(snapshot.registry.tree().find(address), set);
        const EntryMatch match = snapshot.registry.judge_address(set, 1100, "ike");
        CHECK_EQ(match.entry, built.judge_address(set, 1100, "ike").entry);
        CHECK_EQ(match.match, built.judge_address(set, 1100, "ike").match);
    }
    CHECK(snapshot.registry.in_scope(IpAddress::v4(0xc6336401U)));
    CHECK(!snapshot.registry.in_scope(IpAddress::v4(0x01010101U)));
    const auto again = write_snapshot(snapshot.registry, snapshot.facts);
    CHECK(again.ok());
    const std::vector<std::uint8_t> first = written();
    CHECK(std::equal(again.value().begin(), again.value().end(), first.begin()));
}

TEST(snapshot_refuses_another_header) {
    const std::vector<std::uint8_t> good = written();
    const auto refusal = [&](std::size_t at, std::uint32_t value) {
        File file(good);
        file.set(at, value);
        return file.refusal();
    };
    CHECK(has(refusal(0, 0x464c457fU), "does not begin as a registry snapshot"));
    CHECK(has(refusal(8, kSnapshotFormat + 1), "this program reads"));
    CHECK(has(refusal(12, RadixTree::kLayout - 1), "this program reads"));
    CHECK(has(refusal(16, 4096), "its header says 4096"));
    CHECK(has(refusal(24, kEntries + 1), "different lengths"));
    CHECK(has(refusal(28, 1), "number of sections or entries"));
    CHECK(has(refusal(72, 7), "number of sections or entries"));
}

TEST(snapshot_refuses_sections_that_do_not_lie_in_it) {
    const std::vector<std::uint8_t> good = written();
    for (std::size_t section = 0; section <= sources; ++section) {
        const std::string name = "section " + std::to_string(section + 1) + " does not lie";
        for (const std::uint64_t offset :
             {std::uint64_t{0}, good.size() + 64, ~std::uint64_t{63}}) {
            File file(good);
            file.set(file.listed(section, 8), offset);
            CHECK(has(file.refusal(), name.c_str()));
        }
        File moved(good);
        moved.set(moved.listed(section, 8), std::uint64_t{moved.begin_of(section) + 1});
        CHECK(has(moved.refusal(), name.c_str()));
        File longer(good);
        longer.set(longer.listed(section, 16), ~std::uint64_t{0});
        CHECK(has(longer.refusal(), name.c_str()));
        File number(good);
        number.set(number.listed(section, 0), std::uint32_t{77});
        CHECK(has(number.refusal(), name.c_str()));
        File element(good);
        element.set(element.listed(section, 4), std::uint32_t{3});
        CHECK(has(element.refusal(), name.c_str()));
    }
}

TEST(snapshot_refuses_what_names_nothing) {
    const std::vector<std::uint8_t> good = written();
    const auto refusal = [&](SectionPlace section, std::size_t at, auto value) {
        File file(good);
        file.set(file.begin_of(section) + at, value);
        return file.refusal();
    };
    constexpr std::uint32_t kNone = 0x7fffffff;
    CHECK(has(refusal(bounds, 4, kNone), "the bounds of the texts"));
    CHECK(has(refusal(category, 8, kNone), "a text that is not there"));
    CHECK(has(refusal(status, 5, std::uint8_t{9}), "status, prefix or dates"));
    CHECK(has(refusal(length, 0, std::uint8_t{33}), "status, prefix or dates"));
    CHECK(has(refusal(valid_until, 16, kOpenStart), "status, prefix or dates"));
    CHECK(has(refusal(rank, 12, kNone), "a rank that is not there"));
    CHECK(has(refusal(permitted_set, 0, kNone), "a set of protocols that is not there"));
    CHECK(has(refusal(scope_texts, 0, std::uint32_t{0}), "the scope holds what is no prefix"));
    CHECK(has(refusal(order, 4, kNone), "the sets of entries name what is not there"));
    CHECK(has(refusal(sets, 12, kNone), "a set of entries names what is not there"));
    CHECK(has(refusal(sets, 2 * 12, std::uint32_t{1}), "lies in one that does not cover it"));
    CHECK(has(refusal(sources, 32, kNone), "the list of sources does not hold"));
}

TEST(snapshot_refuses_trees_that_lead_astray) {
    const std::vector<std::uint8_t> good = written();
    for (const SectionPlace section : {tree, scope}) {
        const auto refusal = [&](std::size_t word, std::uint32_t value) {
            File file(good);
            file.set(file.begin_of(section) + 4 * word, value);
            return file.refusal();
        };
        constexpr const char* kSentence = "a tree does not hold";
        CHECK(has(refusal(0, 31), kSentence));
        CHECK(has(refusal(1, 0), kSentence));
        CHECK(has(refusal(2, 0), kSentence));
        CHECK(has(refusal(2, 0x10000000), kSentence));
        CHECK(has(refusal(3, 1), kSentence));
        File file(good);
        const std::size_t buckets = file.get<std::uint32_t>(file.begin_of(section) + 8);
        const std::size_t root = RadixTree::kHeaderWords + buckets * RadixTree::kBucketWords;
        const auto last = static_cast<std::uint32_t>(file.count_of(section) - 1);
        for (std::uint32_t kind = 0; kind < 4; ++kind) {
            const std::uint32_t behind = kind << RadixTree::kIndexBits | last;
            CHECK(has(refusal(RadixTree::kHeaderWords + RadixTree::kBucketBlocks, behind),
                      kSentence));
            CHECK(has(refusal(root, behind), kSentence));
        }
        CHECK(has(refusal(last, 1), kSentence));
    }
}

TEST(snapshot_every_cut_is_refused) {
    const std::vector<std::uint8_t> good = written();
    for (std::size_t size = 0; size < good.size(); size += size < 800 ? 1 : 61) {
        File file(std::vector<std::uint8_t>(good.begin(),
                                            good.begin() + static_cast<std::ptrdiff_t>(size)));
        CHECK(file.refusal() != "");
        CHECK(snapshot_defect(file.octets()).has_value());
    }
}

// Whatever is opened in spite of a flipped bit answers every address with a set that is there. That
// the octets are those that were written is the hash's to say, which is not looked at here.
TEST(snapshot_flipped_bits_lead_nowhere) {
    const std::vector<std::uint8_t> good = written();
    const Registry built = registry();
    std::mt19937_64 random(11);
    std::vector<IpAddress> addresses;
    for (std::uint32_t entry = 0; entry < kEntries; ++entry) {
        const IpAddress address = built.table().prefix(entry).address;
        addresses.push_back(address);
        addresses.push_back(address.version == 4
                                ? IpAddress::v4(static_cast<std::uint32_t>(random()))
                                : IpAddress::v6(address.high, random()));
    }
    std::vector<std::uint32_t> found(addresses.size());
    std::size_t refused = 0;
    for (int round = 0; round < 4000; ++round) {
        File file(good);
        const std::size_t at = random() % good.size();
        file.set(at, static_cast<std::uint8_t>(file.octets()[at] ^ 1U << random() % 8));
        const auto opened = open_snapshot(file.octets(), nullptr);
        refused += opened.ok() ? 0U : 1U;
        if (opened.ok()) {
            const Registry& changed = opened.value().registry;
            changed.find(addresses, found);
            for (const std::uint32_t set : found) {
                CHECK(set < changed.sets().size());
                for (const std::uint32_t entry : changed.sets().entries(set)) {
                    CHECK(entry < changed.size());
                }
            }
        }
    }
    CHECK(refused > 400);
}
