// A registry as one file that is mapped, not read: *.fcr.
// Takes: a registry and facts about it, or the octets of a file. Gives: octets to write, or a
// registry that looks at them where they lie. Guarantees: open_snapshot() reads nothing outside the
// octets whatever they are, and after it no look-up does, as long as they stay as they are; it
// copies no column. It does not compare the SHA-256: its caller does, before the registry is used.
//
//     offset  octets
//          0       8  magic: 89 'F' 'C' 'R' 0d 0a 1a 0a (as PNG's: spoilt by a transfer as text)
//          8       4  format version, 1
//         12       4  layout of the trees' words (RadixTree::kLayout)
//         16       8  length of the file
//         24       8  number of entries
//         32       8  time of building, ns since 1970 UTC, as its builder gave it
//         40      32  version of the registry: SHA-256 of its content
//         72       4  number of sections
//         76       4  zero
//         80  24 each  sections: number(4) octets of an element(4) offset(8) number of elements(8)
//          -       -  the sections, each at a multiple of 64, zeros between them
//         -32     32  SHA-256 of everything before
// Integers are little-endian. The sections are, from number 1 on, the arrays of EntryTable in their
// order, the covering sets and their order of entries, the words of the tree and of the scope's
// tree (none without a scope), and the sources: SHA-256(32) length of the name(4) name, for each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/status.hpp"
#include "base/time.hpp"
#include "registry/registry.hpp"

namespace flowclass::registry {

using Sha256 = std::array<std::uint8_t, 32>;

inline constexpr std::uint32_t kSnapshotFormat = 1;
inline constexpr std::size_t kSnapshotAlignment = 64;  // of sections; 8 is asked of the octets
inline constexpr std::size_t kSnapshotHashBytes = sizeof(Sha256);

// Where a registry comes from, as its builder says; nothing here is judged by.
struct SnapshotFacts {
    struct Source {
        std::string name;
        Sha256 sha256{};
    };
    base::TimeNs built_at = 0;
    Sha256 version{};
    std::vector<Source> sources;
};

struct Snapshot {
    Registry registry;
    SnapshotFacts facts;
};

// The file without its last 32 octets: the SHA-256 of these is to be written behind them. An Error
// where the machine is not little-endian or a source's name is too long.
base::Result<std::vector<std::uint8_t>> write_snapshot(const Registry& registry,
                                                       const SnapshotFacts& facts);

// What the first octets and the length say against the file before anything is computed, or
// nothing.
std::optional<base::Error> snapshot_defect(base::Bytes file);

// `memory` is what holds `file`; the registry keeps it.
base::Result<Snapshot> open_snapshot(base::Bytes file, std::shared_ptr<const void> memory);

}  // namespace flowclass::registry
