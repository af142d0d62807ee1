// Writes and opens the file of snapshot.hpp. The one place where octets of a file are looked at as
// elements: behind a check of bounds, element size and alignment, on a little-endian machine.
#include "registry/snapshot.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flowclass::registry {

namespace {

using base::ByteReader;
using base::Bytes;

constexpr std::array<std::uint8_t, 8> kMagic{0x89, 'F', 'C', 'R', 0x0d, 0x0a, 0x1a, 0x0a};
constexpr std::size_t kHeaderBytes = 80;
constexpr std::size_t kSectionBytes = 24;
constexpr std::size_t kSections = kEntryArrays + 5;
constexpr std::size_t kTableEnd = kHeaderBytes + kSections * kSectionBytes;
constexpr std::size_t kLeastBytes = kTableEnd + kSnapshotHashBytes;
constexpr std::size_t kMostNameBytes = 4096;
constexpr std::size_t kLeastAlignment = 8;
constexpr bool kLittleEndian = std::endian::native == std::endian::little;

// Written as they lie in memory: no padding whose octets would be by chance.
static_assert(std::has_unique_object_representations_v<CoveringSet> && sizeof(CoveringSet) == 12);

constexpr std::size_t aligned(std::size_t offset) noexcept {
    return (offset + kSnapshotAlignment - 1) / kSnapshotAlignment * kSnapshotAlignment;
}

struct Section {
    std::uint32_t number = 0;
    std::uint32_t element_bytes = 0;
    std::uint64_t offset = 0;
    std::uint64_t count = 0;
};

class Writer {
  public:
    template <typename T>
    void add(std::span<const T> elements) {
        static_assert(std::has_unique_object_representations_v<T>);
        out_.resize(aligned(out_.size()));
        sections_.push_back({static_cast<std::uint32_t>(sections_.size() + 1),
                             sizeof(T),
                             out_.size(),
                             elements.size()});
        const std::size_t offset = out_.size();
        out_.resize(offset + elements.size_bytes());
        if (!elements.empty()) {
            std::memcpy(
                std::span(out_).subspan(offset).data(), elements.data(), elements.size_bytes());
        }
    }

    std::vector<std::uint8_t> finish(const Registry& registry, const SnapshotFacts& facts) {
        at_ = 0;
        put(kMagic);
        put32(kSnapshotFormat);
        put32(RadixTree::kLayout);
        put64(out_.size() + kSnapshotHashBytes);
        put64(registry.size());
        put64(static_cast<std::uint64_t>(facts.built_at));
        put(facts.version);
        put32(static_cast<std::uint32_t>(sections_.size()));
        put32(0);
        for (const Section& section : sections_) {
            put32(section.number);
            put32(section.element_bytes);
            put64(section.offset);
            put64(section.count);
        }
        return std::move(out_);
    }

  private:
    void put(Bytes octets) {
        std::copy(octets.begin(), octets.end(), out_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ += octets.size();
    }
    void put32(std::uint32_t value) { put_little(value, 4); }
    void put64(std::uint64_t value) { put_little(value, 8); }
    void put_little(std::uint64_t value, unsigned bytes) {
        for (unsigned byte = 0; byte < bytes; ++byte) {
            out_[at_++] = static_cast<std::uint8_t>(value >> (8 * byte));
        }
    }

    std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kTableEnd);
    std::vector<Section> sections_;
    std::size_t at_ = 0;
};

std::vector<std::uint8_t> source_octets(const std::vector<SnapshotFacts::Source>& sources) {
    std::vector<std::uint8_t> octets;
    for (const SnapshotFacts::Source& source : sources) {
        octets.insert(octets.end(), source.sha256.begin(), source.sha256.end());
        for (unsigned byte = 0; byte < 4; ++byte) {
            octets.push_back(static_cast<std::uint8_t>(source.name.size() >> (8 * byte)));
        }
        octets.insert(octets.end(), source.name.begin(), source.name.end());
    }
    return octets;
}

Sha256 read_hash(ByteReader& reader) {
    Sha256 hash{};
    const Bytes octets = reader.bytes(hash.size());
    std::copy(octets.begin(), octets.end(), hash.begin());
    return hash;
}

// Nothing where the octets are no list of sources.
std::optional<std::vector<SnapshotFacts::Source>> read_sources(Bytes octets) {
    std::vector<SnapshotFacts::Source> sources;
    ByteReader reader(octets);
    while (reader.remaining() > 0) {
        SnapshotFacts::Source source;
        source.sha256 = read_hash(reader);
        const std::uint32_t length = reader.le32();
        const Bytes name = reader.bytes(length);
        source.name.assign(name.begin(), name.end());
        if (!reader.ok() || length > kMostNameBytes || !is_utf8(source.name)) {
            return std::nullopt;
        }
        sources.push_back(std::move(source));
    }
    return sources;
}

// Gives section after section of a file; after the first that does not hold, empty ones.
class SectionReader {
  public:
    explicit SectionReader(Bytes file) noexcept
        : file_(file), table_(file.subspan(kHeaderBytes, kSections * kSectionBytes)) {}

    template <typename T>
    std::span<const T> next() noexcept {
        static_assert(alignof(T) <= kLeastAlignment);
        const std::uint32_t number = table_.le32();
        const std::uint32_t element_bytes = table_.le32();
        const std::uint64_t offset = table_.le64();
        const std::uint64_t count = table_.le64();
        const std::size_t end = file_.size() - kSnapshotHashBytes;
        if (defect_ != 0 || number != ++expected_ || element_bytes != sizeof(T) ||
            offset < least_offset_ || offset > end || offset % kSnapshotAlignment != 0 ||
            count > (end - offset) / sizeof(T)) {
            defect_ = defect_ != 0 ? defect_ : expected_;
            return {};
        }
        const Bytes octets = file_.subspan(offset, count * sizeof(T));
        least_offset_ = offset + octets.size();
        // The file is mapped, so these octets are the elements; see the checks above.
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
        return {reinterpret_cast<const T*>(octets.data()), static_cast<std::size_t>(count)};
    }

    // The number of the section that does not hold; 0 = all do.
    [[nodiscard]] std::uint32_t defect() const noexcept { return defect_; }

  private:
    Bytes file_;
    ByteReader table_;
    std::uint64_t least_offset_ = kTableEnd;
    std::uint32_t expected_ = 0;
    std::uint32_t defect_ = 0;
};

struct Header {
    std::uint64_t entries = 0;
    base::TimeNs built_at = 0;
    Sha256 version{};
    std::uint32_t sections = 0;
};

Header read_header(Bytes file) {
    ByteReader reader(file);
    reader.skip(kMagic.size() + 16);
    Header header;
    header.entries = reader.le64();
    header.built_at = static_cast<base::TimeNs>(reader.le64());
    header.version = read_hash(reader);
    header.sections = reader.le32();
    return header;
}

struct Sections {
    EntryTable entries;
    std::span<const CoveringSet> sets;
    std::span<const std::uint32_t> order;
    std::span<const std::uint32_t> tree;
    std::span<const std::uint32_t> scope;
    Bytes sources;
};

Sections read_sections(SectionReader& reader) {
    Sections sections;
    for_each_array(sections.entries, [&]<typename T>(Array<T>& array) {
        array = Array<T>::looking_at(reader.next<T>());
    });
    sections.sets = reader.next<CoveringSet>();
    sections.order = reader.next<std::uint32_t>();
    sections.tree = reader.next<std::uint32_t>();
    sections.scope = reader.next<std::uint32_t>();
    sections.sources = reader.next<std::uint8_t>();
    return sections;
}

base::Result<Snapshot> checked(const Header& header,
                               const Sections& sections,
                               std::shared_ptr<const void> memory) {
    const EntryTable& entries = sections.entries;
    auto sources = read_sources(sections.sources);
    if (!sources) {
        return base::Error{"the list of sources does not hold"};
    }
    if (const char* defect = entry_defect(entries, static_cast<std::size_t>(header.entries))) {
        return base::Error{defect};
    }
    auto sets = CoveringSets::adopt(sections.sets, sections.order, entries.length);
    if (!sets.ok()) {
        return base::Error{sets.error()};
    }
    auto tree = RadixTree::adopt(sections.tree, sections.sets.size());
    // A scope of n prefixes has at most n sets and the empty one.
    auto scope = entries.scope.empty() ? base::Result<RadixTree>(RadixTree())
                                       : RadixTree::adopt(sections.scope, entries.scope.size() + 1);
    if (!tree.ok() || !scope.ok()) {
        return base::Error{"a tree does not hold: " + (tree.ok() ? scope.error() : tree.error())};
    }
    return Snapshot{Registry::of_parts(entries,
                                       std::move(sets.value()),
                                       std::move(tree.value()),
                                       std::move(scope.value()),
                                       std::move(memory)),
                    {header.built_at, header.version, *std::move(sources)}};
}

bool is_aligned(Bytes file) noexcept {
    return std::bit_cast<std::uintptr_t>(file.data()) % kLeastAlignment == 0;
}

}  // namespace

base::Result<std::vector<std::uint8_t>> write_snapshot(const Registry& registry,
                                                       const SnapshotFacts& facts) {
    if (!kLittleEndian) {
        return base::Error{"snapshots are written on little-endian machines only"};
    }
    for (const SnapshotFacts::Source& source : facts.sources) {
        if (source.name.size() > kMostNameBytes) {
            return base::Error{"the name of a source has more than 4096 octets"};
        }
    }
    Writer writer;
    for_each_array(registry.table(), [&](const auto& array) { writer.add(array.span()); });
    writer.add(registry.sets().sets());
    writer.add(registry.sets().order());
    writer.add(registry.tree().words());
    const bool has_scope = !registry.table().scope.empty();
    writer.add(has_scope ? registry.scope_tree().words() : std::span<const std::uint32_t>());
    const std::vector<std::uint8_t> sources = source_octets(facts.sources);
    writer.add(std::span<const std::uint8_t>(sources));
    return writer.finish(registry, facts);
}

std::optional<base::Error> snapshot_defect(Bytes file) {
    ByteReader reader(file);
    const Bytes magic = reader.bytes(kMagic.size());
    if (!std::equal(magic.begin(), magic.end(), kMagic.begin(), kMagic.end())) {
        return base::Error{"it does not begin as a registry snapshot does"};
    }
    const std::uint32_t format = reader.le32();
    const std::uint32_t layout = reader.le32();
    const std::uint64_t length = reader.le64();
    if (!reader.ok()) {
        return base::Error{"it ends within its header, at offset " + std::to_string(file.size())};
    }
    if (format != kSnapshotFormat || layout != RadixTree::kLayout) {
        return base::Error{"its format is version " + std::to_string(format) + "." +
                           std::to_string(layout) + ", this program reads " +
                           std::to_string(kSnapshotFormat) + "." +
                           std::to_string(RadixTree::kLayout)};
    }
    if (length != file.size()) {
        return base::Error{"it has " + std::to_string(file.size()) + " octets, its header says " +
                           std::to_string(length)};
    }
    if (length < kLeastBytes) {
        return base::Error{"it is shorter than its list of sections"};
    }
    return std::nullopt;
}

base::Result<Snapshot> open_snapshot(Bytes file, std::shared_ptr<const void> memory) {
    if (!kLittleEndian || !is_aligned(file)) {
        return base::Error{
            "it cannot be used where it lies: snapshots are little-endian, at a multiple of 8"};
    }
    if (std::optional<base::Error> defect = snapshot_defect(file)) {
        return *std::move(defect);
    }
    const Header header = read_header(file);
    if (header.sections != kSections || header.entries > RadixTree::kMaxId) {
        return base::Error{"its header has a number of sections or entries that cannot be"};
    }
    SectionReader reader(file);
    const Sections sections = read_sections(reader);
    if (reader.defect() != 0) {
        return base::Error{"section " + std::to_string(reader.defect()) +
                           " does not lie within the file as the list of sections says"};
    }
    return checked(header, sections, std::move(memory));
}

}  // namespace flowclass::registry
