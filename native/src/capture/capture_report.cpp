#include "capture/capture_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace flowclass::capture {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(Format::count_)> kFormatNames = {
    "unknown",
    "empty",
    "pcap-le-usec",
    "pcap-be-usec",
    "pcap-le-nsec",
    "pcap-be-nsec",
    "pcap-modified-le-usec",
    "pcap-modified-be-usec",
    "pcapng-le",
    "pcapng-be",
};

constexpr std::array<const char*, static_cast<std::size_t>(Problem::count_)> kProblemNames = {
    "none",
    "empty",
    "not_a_capture",
    "unsupported_format",
    "cut",
    "garbled",
};

std::string hex(std::uint64_t value) {
    std::array<char, 24> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "0x%08llx", static_cast<unsigned long long>(value));
    return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

std::string cut_sentence(const char* what, const CaptureReport& report) {
    return "The capture is cut short: it ends inside the " + std::string(what) +
           " that begins at byte " + std::to_string(report.problem_offset) + ", of which " +
           std::to_string(report.first) + " of at least " + std::to_string(report.second) +
           " bytes are there.";
}

std::string garbled_sentence(const std::string& what, const CaptureReport& report) {
    return "The capture is garbled at byte " + std::to_string(report.problem_offset) + ": " + what +
           "; nothing behind it was read.";
}

std::string version_sentence(const char* what, const char* known, const CaptureReport& report) {
    return std::string(what) + " version " + std::to_string(report.first) + "." +
           std::to_string(report.second) + " at byte " + std::to_string(report.problem_offset) +
           " is not supported, only " + known + " is.";
}

}  // namespace

const char* to_string(Format format) noexcept {
    return kFormatNames[static_cast<std::size_t>(format)];
}

const char* to_string(Problem problem) noexcept {
    return kProblemNames[static_cast<std::size_t>(problem)];
}

void CaptureReport::count_skipped(std::uint32_t block_type) noexcept {
    for (std::size_t index = 0; index < skipped_types; ++index) {
        if (skipped_blocks[index].type == block_type) {
            ++skipped_blocks[index].count;
            return;
        }
    }
    if (skipped_types == kSkippedTypes) {
        ++skipped_blocks_other;
        return;
    }
    skipped_blocks[skipped_types] = {block_type, 1};
    ++skipped_types;
}

void CaptureReport::set_problem(Problem what,
                                Finding why,
                                std::uint64_t offset,
                                std::uint64_t number,
                                std::uint64_t other_number) noexcept {
    if (problem != Problem::none) {
        return;
    }
    problem = what;
    finding = why;
    problem_offset = offset;
    first = number;
    second = other_number;
}

std::string CaptureReport::sentence() const {
    const std::string one = std::to_string(first);
    const std::string two = std::to_string(second);
    switch (finding) {
        case Finding::no_bytes:
            return "The input is empty.";
        case Finding::unknown_magic:
            return "The input is not a capture: its first bytes are neither those of pcap nor "
                   "those of pcapng.";
        case Finding::other_format:
            return "The input is a file of format " + std::string(name) +
                   ", which is not supported here; convert it to pcap or pcapng.";
        case Finding::pcap_version:
            return version_sentence("pcap", "2.x", *this);
        case Finding::section_version:
            return version_sentence("pcapng section", "1.x", *this);
        case Finding::cut_in_file_header:
            return cut_sentence("file header", *this);
        case Finding::cut_in_record:
            return cut_sentence("record", *this);
        case Finding::cut_in_block:
            return cut_sentence("block", *this);
        case Finding::record_too_long:
            return garbled_sentence(
                "a record claims " + one + " captured bytes, more than the " + two + " it may have",
                *this);
        case Finding::byte_order_magic:
            return garbled_sentence(
                "a section header has the byte-order mark " + hex(first) + " instead of 0x1a2b3c4d",
                *this);
        case Finding::block_too_short:
            return garbled_sentence("a block claims a length of " + one + " bytes, less than the " +
                                        two + " it must have",
                                    *this);
        case Finding::block_too_long:
            return garbled_sentence("a block claims a length of " + one + " bytes, more than the " +
                                        two + " it may have",
                                    *this);
        case Finding::block_lengths_differ:
            return garbled_sentence(
                "a block says " + one + " bytes at its beginning and " + two + " at its end",
                *this);
        case Finding::packet_exceeds_block:
            return garbled_sentence(
                "a packet claims " + one + " captured bytes in a block that has room for " + two,
                *this);
        case Finding::option_exceeds_block:
            return garbled_sentence("an option of an interface claims " + one +
                                        " bytes in a block that has room for " + two,
                                    *this);
        case Finding::none:
        case Finding::count_:
            break;
    }
    return {};
}

// draft-ietf-opsawg-pcapng, "Block Type Codes"; the last two are of the tools named.
std::string block_name(std::uint32_t block_type) {
    switch (block_type) {
        case 0x00000004:
            return "name_resolution";
        case 0x00000005:
            return "interface_statistics";
        case 0x00000007:
            return "irig_timestamp";
        case 0x00000009:
            return "systemd_journal_export";
        case 0x0000000a:
            return "decryption_secrets";
        case 0x00000bad:
        case 0x40000bad:
            return "custom";
        case 0x00000201:
            return "sysdig_machine_info";
        case 0x00000204:
            return "sysdig_event";
        default:
            return "block_" + hex(block_type);
    }
}

}  // namespace flowclass::capture
