// Hellos and heads for tests, built octet by octet. A head's octets lie in buffers of exactly their
// size, so that a read beyond them is seen by AddressSanitizer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hello/client_hello.hpp"

namespace hello_heads {

using Octets = std::vector<std::uint8_t>;
using flowclass::head::Direction;
using flowclass::head::FlowHead;
using flowclass::hello::ClientHello;

inline void put(Octets& out, std::size_t value, std::size_t octets) {
    while (octets > 0) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * --octets)));
    }
}
inline void put_all(Octets& out, const Octets& more) {
    out.insert(out.end(), more.begin(), more.end());
}
// A length of so many octets, then what it counts.
inline void put_counted(Octets& out, const Octets& more, std::size_t octets) {
    put(out, more.size(), octets);
    put_all(out, more);
}
inline Octets octets_of(std::string_view text) {
    return {text.begin(), text.end()};
}
inline Octets from_hex(std::string_view hex) {
    Octets out;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        out.push_back(
            static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
    }
    return out;
}
inline Octets words(std::initializer_list<std::uint16_t> values) {
    Octets out;
    for (const std::uint16_t value : values) {
        put(out, value, 2);
    }
    return out;
}
inline Octets part(const Octets& whole, std::size_t begin, std::size_t end) {
    return {whole.begin() + static_cast<std::ptrdiff_t>(begin),
            whole.begin() + static_cast<std::ptrdiff_t>(end)};
}

using Extension = std::pair<std::uint16_t, Octets>;

inline Extension server_name(std::string_view name, std::uint8_t type = 0) {
    Octets entry{type};
    put_counted(entry, octets_of(name), 2);
    Octets body;
    put_counted(body, entry, 2);
    return {std::uint16_t{0}, body};
}
inline Extension alpn(std::initializer_list<std::string_view> names) {
    Octets list;
    for (const std::string_view name : names) {
        put_counted(list, octets_of(name), 1);
    }
    Octets body;
    put_counted(body, list, 2);
    return {std::uint16_t{16}, body};
}
inline Extension supported_versions(std::initializer_list<std::uint16_t> versions) {
    Octets body;
    put_counted(body, words(versions), 1);
    return {std::uint16_t{43}, body};
}
inline Extension signature_algorithms(std::initializer_list<std::uint16_t> algorithms) {
    Octets body;
    put_counted(body, words(algorithms), 2);
    return {std::uint16_t{13}, body};
}

struct Hello {
    std::uint16_t version = 0x0303;
    Octets session_id;
    Octets suites = words({0x1301, 0x1302});
    std::vector<Extension> extensions;
    bool has_extensions = true;

    [[nodiscard]] Octets body(const Octets* cookie = nullptr) const {
        Octets out;
        put(out, version, 2);
        for (std::uint8_t octet = 0; octet < 32; ++octet) {
            out.push_back(octet);
        }
        put_counted(out, session_id, 1);
        if (cookie != nullptr) {
            put_counted(out, *cookie, 1);
        }
        put_counted(out, suites, 2);
        put_counted(out, {0}, 1);
        Octets block;
        for (const auto& [type, content] : extensions) {
            put(block, type, 2);
            put_counted(block, content, 2);
        }
        if (has_extensions) {
            put_counted(out, block, 2);
        }
        return out;
    }
    [[nodiscard]] Octets message() const {
        Octets out{1};
        put_counted(out, body(), 3);
        return out;
    }
};

// The hello of FoxIO's README and technical details: t13d1516h2_8daaf6152771_e5627efa2ab1.
inline Hello foxio_hello() {
    Hello hello;
    hello.suites = words({0xaaaa,
                          0x1301,
                          0x1302,
                          0x1303,
                          0xc02b,
                          0xc02f,
                          0xc02c,
                          0xc030,
                          0xcca9,
                          0xcca8,
                          0xc013,
                          0xc014,
                          0x009c,
                          0x009d,
                          0x002f,
                          0x0035});
    hello.extensions = {
        {0x1a1a, {}},
        {0x001b, {}},
        server_name("Example.com"),
        {0x0033, {}},
        alpn({"h2", "http/1.1"}),
        {0x4469, {}},
        {0x0017, {}},
        {0x002d, {}},
        signature_algorithms({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}),
        {0x0005, {}},
        {0x0023, {}},
        {0x0012, {}},
        supported_versions({0x2a2a, 0x0304, 0x0303}),
        {0xff01, {}},
        {0x000b, {}},
        {0x000a, {}},
        {0xfafa, {0}},
        {0x0015, {}}};
    return hello;
}

// TLS records of at most `most` octets each.
inline Octets records(const Octets& message, std::size_t most = 16384) {
    Octets out;
    for (std::size_t at = 0; at < message.size(); at += most) {
        put(out, 0x160301, 3);
        put_counted(out, part(message, at, std::min(message.size(), at + most)), 2);
    }
    return out;
}

class HeadBuilder {
  public:
    explicit HeadBuilder(std::uint8_t ip_proto) {
        head_.ip_proto = ip_proto;
        head_.from_stream_start = {true, true};
    }
    // A payload; `length` on the wire if more than its octets.
    HeadBuilder& add(const Octets& octets,
                     Direction direction = Direction::forward,
                     std::size_t length = 0) {
        const std::size_t index = flowclass::head::index_of(direction);
        flowclass::head::HeadEntry& entry = head_.entries[head_.entry_count++];
        entry.direction = direction;
        entry.start = static_cast<std::uint16_t>(kept_[index].size());
        entry.kept = static_cast<std::uint16_t>(octets.size());
        entry.length = static_cast<std::uint32_t>(std::max(length, octets.size()));
        ++head_.direction_count[index];
        put_all(kept_[index], octets);
        return *this;
    }
    HeadBuilder& from_start(bool known) {
        head_.from_stream_start = {known, known};
        return *this;
    }
    const FlowHead& head() {
        for (std::size_t index = 0; index < 2; ++index) {
            const std::size_t size = kept_[index].size();
            exact_[index] = std::make_unique<std::uint8_t[]>(size);
            std::copy(kept_[index].begin(), kept_[index].end(), exact_[index].get());
            head_.kept[index] = {exact_[index].get(), size};
        }
        return head_;
    }
    bool read(ClientHello& out) {
        return flowclass::hello::may_hold_hello(head()) && flowclass::hello::read(head_, out);
    }

  private:
    FlowHead head_;
    std::array<Octets, 2> kept_;
    std::array<std::unique_ptr<std::uint8_t[]>, 2> exact_;
};

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

}  // namespace hello_heads
