// What a capture was and how reading it ended: the container format, counts, and at most one
// problem. Plain values, filled without allocation; the sentences are made only when somebody asks
// for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace flowclass::capture {

// Byte order and time resolution of a pcap file are its own; a pcapng file is named after its first
// section.
enum class Format : std::uint8_t {
    unknown,
    empty,
    pcap_le_usec,
    pcap_be_usec,
    pcap_le_nsec,
    pcap_be_nsec,
    pcap_modified_le_usec,
    pcap_modified_be_usec,
    pcapng_le,
    pcapng_be,
    count_
};
const char* to_string(Format format) noexcept;

enum class Problem : std::uint8_t {
    none,
    empty,               // no bytes at all
    not_a_capture,       // the first bytes are no capture format's
    unsupported_format,  // a known format or version that is not read here
    cut,                 // the input ends inside a header, record or block
    garbled,             // a header that cannot be; nothing behind it is read
    count_
};
const char* to_string(Problem problem) noexcept;

// The exact finding behind a problem, with two numbers whose meaning its sentence tells.
enum class Finding : std::uint8_t {
    none,
    no_bytes,
    unknown_magic,
    other_format,          // `name` says which
    pcap_version,          // first.second
    section_version,       // first.second
    cut_in_file_header,    // first = bytes there
    cut_in_record,         // first = bytes there, second = bytes needed
    cut_in_block,          // the same
    record_too_long,       // first = captured length, second = limit
    byte_order_magic,      // first = what stands there
    block_too_short,       // first = total length, second = least
    block_too_long,        // first = total length, second = limit
    block_lengths_differ,  // first = leading, second = trailing total length
    packet_exceeds_block,  // first = captured length, second = room in the block
    option_exceeds_block,  // first = option length, second = room in the block
    count_
};

struct SkippedBlocks {
    std::uint32_t type = 0;
    std::uint64_t count = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(type, count);
    }
};

struct CaptureReport {
    static constexpr std::size_t kSkippedTypes = 16;

    Format format = Format::unknown;
    std::uint64_t packets = 0;         // handed on
    std::uint64_t bytes_consumed = 0;  // offset behind the last whole record, block or header

    // pcapng only.
    std::uint64_t sections = 0;
    std::uint64_t interfaces = 0;
    std::uint64_t packets_without_interface = 0;  // their interface was never described: skipped
    std::uint64_t interfaces_refused = 0;         // beyond the cap of interfaces a section may have
    std::array<SkippedBlocks, kSkippedTypes> skipped_blocks;  // by type, in order of appearance
    std::size_t skipped_types = 0;                            // how many of the array are in use
    std::uint64_t skipped_blocks_other = 0;                   // of types that found no place in it

    Problem problem = Problem::none;
    Finding finding = Finding::none;
    std::uint64_t problem_offset =
        0;  // byte of the input where the impossible or unfinished thing begins
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    const char* name = "";

    void count_skipped(std::uint32_t block_type) noexcept;
    // The first problem stays.
    void set_problem(Problem what,
                     Finding why,
                     std::uint64_t offset,
                     std::uint64_t number = 0,
                     std::uint64_t other_number = 0) noexcept;
    // All but the name.
    template <typename Archive>
    void keep(Archive& archive) {
        archive(format, packets, bytes_consumed, sections, interfaces);
        archive(packets_without_interface, interfaces_refused, skipped_blocks_other);
        archive.up_to(skipped_types, kSkippedTypes);
        for (std::size_t row = 0; archive.ok() && row < skipped_types; ++row) {
            archive(skipped_blocks[row]);
        }
        archive(problem, finding, problem_offset, first, second);
    }
    // What, where and why in one sentence; empty without a problem.
    [[nodiscard]] std::string sentence() const;
};

// "name_resolution", "custom", ..., or "block_0x0000abcd" for types this build has no name for.
std::string block_name(std::uint32_t block_type);

}  // namespace flowclass::capture
