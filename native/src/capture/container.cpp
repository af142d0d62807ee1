#include "capture/container.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace flowclass::capture {

namespace {

struct Magic {
    std::array<std::uint8_t, 8> bytes;
    std::size_t length;
    Container container;
    Format format;
    const char* foreign;
};

constexpr Magic pcap(std::array<std::uint8_t, 8> bytes, Format format) {
    return {bytes, 4, Container::pcap, format, ""};
}
constexpr Magic foreign(std::array<std::uint8_t, 8> bytes, std::size_t length, const char* name) {
    return {bytes, length, Container::foreign, Format::unknown, name};
}

// pcap, pcapng: the two drafts of the opsawg working group. snoop: RFC 1761. The compressions: RFC
// 1952, RFC 8878, the LZ4 frame format, the headers of bzip2 and xz. The rest: the readers of
// Wireshark's wiretap.
constexpr std::array kMagics = {
    pcap({0xd4, 0xc3, 0xb2, 0xa1}, Format::pcap_le_usec),
    pcap({0xa1, 0xb2, 0xc3, 0xd4}, Format::pcap_be_usec),
    pcap({0x4d, 0x3c, 0xb2, 0xa1}, Format::pcap_le_nsec),
    pcap({0xa1, 0xb2, 0x3c, 0x4d}, Format::pcap_be_nsec),
    pcap({0x34, 0xcd, 0xb2, 0xa1}, Format::pcap_modified_le_usec),
    pcap({0xa1, 0xb2, 0xcd, 0x34}, Format::pcap_modified_be_usec),
    Magic{{0x0a, 0x0d, 0x0d, 0x0a}, 4, Container::pcapng, Format::unknown, ""},
    foreign({'s', 'n', 'o', 'o', 'p', 0, 0, 0}, 8, "snoop"),
    foreign({'G', 'M', 'B', 'U'}, 4, "Network Monitor"),
    foreign({'R', 'T', 'S', 'S'}, 4, "Network Monitor 1.x"),
    foreign({0x1c, 0x00, 0x01, 0xab}, 4, "Ixia lcap (software)"),
    foreign({0x1c, 0x00, 0x01, 0xac}, 4, "Ixia lcap (hardware)"),
    foreign({0xab, 0x01, 0x00, 0x1c}, 4, "Ixia lcap (software)"),
    foreign({0xac, 0x01, 0x00, 0x1c}, 4, "Ixia lcap (hardware)"),
    foreign({0x1f, 0x8b}, 2, "gzip (decompress it first)"),
    foreign({0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd (decompress it first)"),
    foreign({0x04, 0x22, 0x4d, 0x18}, 4, "lz4 (decompress it first)"),
    foreign({'B', 'Z', 'h'}, 3, "bzip2 (decompress it first)"),
    foreign({0xfd, '7', 'z', 'X', 'Z', 0x00}, 6, "xz (decompress it first)"),
};

}  // namespace

Detection detect_container(base::Bytes head) noexcept {
    Detection result;
    for (const Magic& magic : kMagics) {
        const base::Bytes wanted = base::Bytes(magic.bytes).first(magic.length);
        const std::size_t shared = std::min(head.size(), wanted.size());
        if (!std::ranges::equal(head.first(shared), wanted.first(shared))) {
            continue;
        }
        if (shared == wanted.size()) {
            return {magic.container, magic.format, magic.foreign, 0, false};
        }
        result.need = result.container == Container::undecided
                          ? std::min(result.need, wanted.size())
                          : wanted.size();
        result.container = Container::undecided;
        result.may_be_capture |= magic.container != Container::foreign;
    }
    return result;
}

const char* foreign_name(std::uint8_t number) noexcept {
    return number > 0 && number <= kMagics.size() ? kMagics[number - 1U].foreign : "";
}

std::uint8_t foreign_number(const char* name) noexcept {
    const auto found = std::find_if(kMagics.begin(), kMagics.end(), [name](const Magic& magic) {
        return std::string_view(magic.foreign) == name;
    });
    return found == kMagics.end() || *name == 0
               ? std::uint8_t{0}
               : static_cast<std::uint8_t>(found - kMagics.begin() + 1);
}

}  // namespace flowclass::capture
