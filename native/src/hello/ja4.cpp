// JA4 (github.com/FoxIO-LLC/ja4, technical_details/JA4.md):
//
//  0         1          3           4         6            8        10 11       23 24      36
// | t, q, d | version  | d or i    | suites  | extensions | ALPN   | _ | suites | _ | extensions |
//   carrier             name sent    counts, 99 at most    first,      hash        hash, with the
//                       or not                             last                    signatures
#include "hello/ja4.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include "crypto/libcrypto.hpp"
#include "hello/parse.hpp"

namespace flowclass::hello {

namespace {

constexpr std::size_t kMostValues = kMaxHello / 2;
constexpr std::size_t kHashLength = 12;  // hex digits of each hash

char hex_digit(unsigned value) noexcept {
    constexpr std::string_view kDigits = "0123456789abcdef";
    return kDigits[value & 15U];
}

// 16-bit values without GREASE.
class Values {
  public:
    void add(std::uint16_t value) noexcept {
        if (!is_grease(value) && count_ < kMostValues) {
            values_[count_++] = value;
        }
    }
    void add_all(Bytes octets) noexcept {
        for (ByteReader reader(octets); reader.remaining() >= 2;) {
            add(reader.be16());
        }
    }
    void sort() noexcept {
        const auto all = std::span(values_).first(count_);
        std::sort(all.begin(), all.end());
    }
    [[nodiscard]] std::span<const std::uint16_t> all() const noexcept {
        return std::span(values_).first(count_);
    }

  private:
    std::array<std::uint16_t, kMostValues> values_;
    std::size_t count_ = 0;
};

// What is hashed: hex digits and commas. Two lists of a hello: 5 characters for each 2 octets.
class Text {
  public:
    void put(char character) noexcept {
        if (length_ < octets_.size()) {
            octets_[length_++] = static_cast<std::uint8_t>(character);
        }
    }
    void put_all(std::span<const std::uint16_t> values) noexcept {
        bool first = true;
        for (const std::uint16_t value : values) {
            if (!first) {
                put(',');
            }
            first = false;
            for (unsigned shift = 16; shift > 0; shift -= 4) {
                put(hex_digit(static_cast<unsigned>(value) >> (shift - 4U)));
            }
        }
    }
    [[nodiscard]] Bytes all() const noexcept { return Bytes(octets_).first(length_); }

  private:
    std::array<std::uint8_t, kMaxHello * 5 / 2 + 1> octets_;
    std::size_t length_ = 0;
};

// The result from left to right.
class Writer {
  public:
    explicit Writer(std::array<char, kJa4Length>& out) noexcept : rest_(out) {}

    void put(char character) noexcept {
        if (!rest_.empty()) {
            rest_.front() = character;
            rest_ = rest_.subspan(1);
        }
    }
    void put(std::string_view text) noexcept {
        for (const char character : text) {
            put(character);
        }
    }
    void put_count(std::size_t count) noexcept {
        const std::size_t shown = std::min<std::size_t>(count, 99);
        put(static_cast<char>('0' + shown / 10));
        put(static_cast<char>('0' + shown % 10));
    }

  private:
    std::span<char> rest_;
};

std::string_view version_name(std::uint16_t version) noexcept {
    switch (version) {
        case 0x0304:
            return "13";
        case 0x0303:
            return "12";
        case 0x0302:
            return "11";
        case 0x0301:
            return "10";
        case 0x0300:
            return "s3";
        case 0x0002:
            return "s2";
        case 0xfeff:
            return "d1";
        case 0xfefd:
            return "d2";
        case 0xfefc:
            return "d3";
        default:
            return "00";
    }
}

// The highest offered version. DTLS counts downwards: RFC 6347 §4.1.
std::uint16_t highest_version(const ClientHello& hello) noexcept {
    bool found = false;
    std::uint16_t highest = hello.legacy_version;
    for (ByteReader reader(hello.supported_versions); reader.remaining() >= 2;) {
        const std::uint16_t version = reader.be16();
        const bool higher = hello.carrier == Carrier::dtls ? version < highest : version > highest;
        if (!is_grease(version) && (!found || higher)) {
            highest = version;
            found = true;
        }
    }
    return highest;
}

bool is_alphanumeric(std::uint8_t octet) noexcept {
    return (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= 'a' && octet <= 'z');
}

// First and last character of the first protocol name, or of its hex form when either is neither
// letter nor digit.
void put_alpn(Bytes protocols, Writer& writer) noexcept {
    ByteReader reader(protocols);
    Bytes name = reader.bytes(reader.u8());
    while (name.size() == 2 && is_grease(ByteReader(name).be16())) {
        name = reader.bytes(reader.u8());
    }
    if (name.empty()) {
        writer.put("00");
    } else if (is_alphanumeric(name.front()) && is_alphanumeric(name.back())) {
        writer.put(static_cast<char>(name.front()));
        writer.put(static_cast<char>(name.back()));
    } else {
        writer.put(hex_digit(name.front() >> 4U));
        writer.put(hex_digit(name.back()));
    }
}

bool put_hash(bool any, Bytes text, Writer& writer) noexcept {
    if (!any) {
        writer.put("000000000000");
        return true;
    }
    crypto::Digest digest;
    if (!crypto::sha256(text, digest)) {
        return false;
    }
    for (std::size_t at = 0; at < kHashLength / 2; ++at) {
        writer.put(hex_digit(digest[at] >> 4U));
        writer.put(hex_digit(digest[at]));
    }
    return true;
}

// Suites, sorted.
bool put_suites(const Values& suites, Writer& writer) noexcept {
    Text text;
    text.put_all(suites.all());
    return put_hash(!suites.all().empty(), text.all(), writer);
}

// Extensions but for name and ALPN, sorted; then the signature algorithms as they were sent.
bool put_extensions(const ClientHello& hello, const Values& extensions, Writer& writer) noexcept {
    Text text;
    text.put_all(extensions.all());
    Values signatures;
    signatures.add_all(hello.signature_algorithms);
    if (!signatures.all().empty()) {
        text.put('_');
        text.put_all(signatures.all());
    }
    return put_hash(!extensions.all().empty(), text.all(), writer);
}

}  // namespace

bool make_ja4(const ClientHello& hello, std::array<char, kJa4Length>& out) noexcept {
    if (!crypto::libcrypto_available()) {
        return false;
    }
    Values suites;
    suites.add_all(hello.cipher_suites);
    suites.sort();
    Values extensions;
    std::size_t extension_count = 0;
    for (ByteReader reader(hello.extensions); reader.remaining() > 0;) {
        const std::uint16_t type = reader.be16();
        reader.skip(reader.be16());
        extension_count += is_grease(type) ? 0U : 1U;
        if (type != kServerName && type != kAlpn) {
            extensions.add(type);
        }
    }
    extensions.sort();
    Writer writer(out);
    writer.put(hello.carrier == Carrier::quic ? 'q' : hello.carrier == Carrier::dtls ? 'd' : 't');
    writer.put(version_name(highest_version(hello)));
    writer.put(hello.has_server_name ? 'd' : 'i');
    writer.put_count(suites.all().size());
    writer.put_count(extension_count);
    put_alpn(hello.application_protocols, writer);
    writer.put('_');
    if (!put_suites(suites, writer)) {
        return false;
    }
    writer.put('_');
    return put_extensions(hello, extensions, writer);
}

}  // namespace flowclass::hello
