// Fuzz target of registry snapshots: any octets as a file, and any octets written over a good one,
// so that what lies behind the header is reached too. What is taken over must answer every address
// from within the file, which the sanitizers watch.
//
//   kind(1): even = the rest is the file
//            odd  = which good file(1), then octets to write over: place(4) value(1); the top two
//                   bits of place say whether it lies anywhere, in the list of sections, in the
//                   columns, or among the last nodes of the tree
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_reader.hpp"
#include "registry/snapshot.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::base::IpAddress;
using flowclass::base::TimeNs;
using namespace flowclass::registry;

namespace {

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

IpAddress address_of(std::uint64_t number) {
    const std::uint64_t spread = number * 0x9e3779b97f4a7c15ULL;
    return (number & 1U) == 0 ? IpAddress::v4(static_cast<std::uint32_t>(spread >> 32U))
                              : IpAddress::v6(spread, spread * spread);
}

// Prefixes of both versions, spread and nested, so that the tree has every kind of node.
std::vector<std::uint8_t> good_file(std::size_t rows) {
    RegistryColumns columns;
    std::vector<Prefix> scope;
    for (std::size_t row = 0; row < rows; ++row) {
        const IpAddress near = row % 3 == 0 ? address_of(row) : columns.prefix.back().address;
        const unsigned length =
            (near.version == 4 ? 9U : 30U) + static_cast<unsigned>(row * 7 % 23);
        const Key key = (key_of(near) | Key{row} << 70U) & ~host_mask(length);
        const auto high = static_cast<std::uint64_t>(key >> 64U);
        const IpAddress address = near.version == 4
                                      ? IpAddress::v4(static_cast<std::uint32_t>(high >> 32U))
                                      : IpAddress::v6(high, static_cast<std::uint64_t>(key));
        columns.prefix.push_back({address, static_cast<std::uint8_t>(length)});
        columns.registration_id.push_back("r" + std::to_string(row));
        columns.category.emplace_back("organization");
        columns.status.push_back(static_cast<Status>(row % 5));
        columns.protocols.emplace_back(row % 2, "ike");
        columns.valid_from.push_back(kOpenStart);
        columns.valid_until.push_back(static_cast<TimeNs>(100 + row));
        columns.submitted_at.push_back(kNotKnown);
        columns.approved_at.push_back(kNotKnown);
    }
    if (rows < 10) {  // the large file ends with the nodes of its only tree
        scope.push_back(columns.prefix[4]);
    }
    const auto built = Registry::build(std::move(columns), scope);
    require(built.ok());
    auto file = write_snapshot(built.value(), {7, {}, {{"source.csv", {}}}});
    require(file.ok());
    file.value().resize(file.value().size() + kSnapshotHashBytes);
    return std::move(file.value());
}

// Octets at an address that a map has too.
class Aligned {
  public:
    explicit Aligned(Bytes octets) : words_((octets.size() + 7) / 8), size_(octets.size()) {
        if (!octets.empty()) {
            std::memcpy(words_.data(), octets.data(), octets.size());
        }
    }
    [[nodiscard]] Bytes bytes() const noexcept {
        return {static_cast<const std::uint8_t*>(static_cast<const void*>(words_.data())), size_};
    }

  private:
    std::vector<std::uint64_t> words_;
    std::size_t size_;
};

void use(const Snapshot& snapshot) {
    const Registry& registry = snapshot.registry;
    std::vector<IpAddress> addresses;
    for (std::uint64_t number = 0; number < 64; ++number) {
        addresses.push_back(address_of(number));
    }
    for (std::uint32_t entry = 0; entry < registry.size() && entry < 64; ++entry) {
        addresses.push_back(registry.table().prefix(entry).address);
        require(is_utf8(registry.registration_id(entry)) && is_utf8(registry.category(entry)));
        require(!registry.matched_prefix(entry).empty());
    }
    std::vector<std::uint32_t> sets(addresses.size());
    registry.find(addresses, sets);
    for (std::size_t index = 0; index < addresses.size(); ++index) {
        require(sets[index] < registry.sets().size());
        require(sets[index] == registry.tree().find(addresses[index]));
        const EntryMatch match = registry.judge_address(sets[index], 50, "ike");
        require(match.entry == kNoEntry || match.entry < registry.size());
        static_cast<void>(registry.in_scope(addresses[index]));
    }
}

void open(Bytes octets) {
    const auto held = std::make_shared<const Aligned>(octets);
    const auto opened = open_snapshot(held->bytes(), held);
    if (opened.ok()) {
        use(opened.value());
    } else {
        require(!opened.error().empty());
    }
}

// Where to write in a file of `size` octets.
std::size_t place_in(std::size_t size, std::uint32_t chosen) {
    constexpr std::size_t kList = 1024;
    constexpr std::size_t kColumns = 32768;
    const std::size_t rest = chosen & 0x3fffffffU;
    switch (chosen >> 30U) {
        case 0:
            return rest % size;
        case 1:
            return rest % kList;
        case 2:
            return rest % kColumns;
        default:
            return size - 1 - rest % kColumns;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    if ((reader.u8() & 1U) == 0) {
        open(reader.rest());
        return 0;
    }
    static const std::vector<std::uint8_t> small = good_file(5);
    static const std::vector<std::uint8_t> large = good_file(200);
    std::vector<std::uint8_t> file = (reader.u8() & 1U) == 0 ? small : large;
    while (reader.remaining() >= 5) {
        const std::size_t place = place_in(file.size(), reader.be32());
        file[place] = reader.u8();
    }
    open(file);
    return 0;
}
