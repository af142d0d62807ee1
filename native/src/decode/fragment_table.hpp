// Remembers what first fragments say (ports, upper protocol), so that later fragments join their
// flow. Takes: a first fragment's key and facts. Gives: the facts for a later fragment of the same
// datagram. Guarantees: all memory is taken at construction; when it is full the oldest entry goes,
// whatever the hash key, so the answer does not depend on the process. One entry a key: chains stay
// as short as a keyed hash makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace flowclass::decode {

// RFC 791 §2.3: addresses, protocol and identification. RFC 8200 §4.5 leaves the protocol out: 0
// for IPv6.
struct FragmentKey {
    base::IpAddress src;
    base::IpAddress dst;
    std::uint32_t id = 0;
    std::uint32_t overlay = 0;  // tells equal addresses in different overlay networks apart
    std::uint8_t ip_proto = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(src, dst, id, overlay, ip_proto);
    }

    friend bool operator==(const FragmentKey&, const FragmentKey&) noexcept = default;
};

struct FragmentFacts {
    std::uint16_t src_port = 0;
    std::uint16_t dst_port = 0;
    bool has_ports = false;
    std::uint8_t ip_proto = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(src_port, dst_port, has_ports, ip_proto, icmp_type, icmp_code);
    }
};

class FragmentTable {
  public:
    FragmentTable(std::size_t entries, base::TimeNs timeout, base::HashKey hash_key);

    // Returns false when a living entry had to go for it.
    bool learn(const FragmentKey& key, const FragmentFacts& facts, base::TimeNs now) noexcept;
    // Null when the first fragment was not seen, or longer ago than the timeout.
    [[nodiscard]] const FragmentFacts* find(const FragmentKey& key,
                                            base::TimeNs now) const noexcept;

    // What is remembered, the oldest first; a table that is filled so must be new.
    template <typename Archive>
    void keep(Archive& archive);

  private:
    static constexpr std::uint32_t kNone = 0xffffffff;
    struct Entry {
        FragmentKey key;
        FragmentFacts facts;
        std::uint32_t next = kNone;
        bool used = false;
        base::TimeNs time = 0;
    };

    [[nodiscard]] std::size_t bucket_of(const FragmentKey& key) const noexcept;
    [[nodiscard]] std::uint32_t entry_of(const FragmentKey& key, std::size_t bucket) const noexcept;
    [[nodiscard]] bool alive(const Entry& entry, base::TimeNs now) const noexcept;
    void unlink(std::uint32_t index) noexcept;

    base::HashKey hash_key_;
    base::TimeNs timeout_;
    std::vector<Entry> entries_;          // a ring in order of arrival
    std::vector<std::uint32_t> buckets_;  // first entry of each chain
    std::size_t oldest_ = 0;
};

template <typename Archive>
void FragmentTable::keep(Archive& archive) {
    constexpr std::size_t kLeastOctets = 16;
    std::size_t used = 0;
    for (const Entry& entry : entries_) {
        used += entry.used ? 1U : 0U;
    }
    const std::size_t count = archive.count(used, entries_.size(), kLeastOctets);
    for (std::size_t index = 0; archive.ok() && index < count; ++index) {
        if constexpr (Archive::kLoads) {
            FragmentKey key;
            FragmentFacts facts;
            base::TimeNs time = 0;
            archive(key, facts, time);
            archive.require(entry_of(key, bucket_of(key)) == kNone);
            if (archive.ok()) {
                static_cast<void>(learn(key, facts, time));
            }
        } else {
            // A ring that is not full begins at its front, and then its oldest place is unused.
            const std::size_t from = entries_[oldest_].used ? oldest_ : 0;
            Entry& entry = entries_[(from + index) % entries_.size()];
            archive(entry.key, entry.facts, entry.time);
        }
    }
}

}  // namespace flowclass::decode
