// What clients said of themselves, for living flows. Takes: a ClientHello. Gives: a number to keep
// in the flow's slot; memory follows the text that there is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/virtual_array.hpp"
#include "hello/client_hello.hpp"

namespace flowclass::engine {

class HelloStore {
  public:
    static constexpr std::uint32_t kNone = 0xffffffff;

    // The three texts, put together from their nodes.
    class Text {
      public:
        [[nodiscard]] std::string_view server_name() const noexcept { return part(0); }
        [[nodiscard]] std::string_view alpn() const noexcept { return part(1); }
        [[nodiscard]] std::string_view ja4() const noexcept { return part(2); }

      private:
        friend class HelloStore;
        [[nodiscard]] std::string_view part(std::size_t number) const noexcept {
            std::size_t begin = 0;
            for (std::size_t before = 0; before < number; ++before) {
                begin += lengths_[before];
            }
            return {&octets_[begin], lengths_[number]};
        }
        std::array<std::uint8_t, 3> lengths_{};
        std::array<char, hello::kMaxServerName + hello::kMaxAlpn + hello::kJa4Length> octets_;
    };

    HelloStore() noexcept = default;
    explicit HelloStore(std::size_t capacity) noexcept : nodes_(capacity) {}

    // kNone for a hello without any text, and when the store is full (the texts stay null).
    std::uint32_t save(const hello::ClientHello& hello) noexcept;
    std::uint32_t copy(std::uint32_t index) noexcept;
    // Loading takes places for the texts, and fails where there are none.
    template <typename Archive>
    void keep(Archive& archive, std::uint32_t& index);
    void release(std::uint32_t index) noexcept;
    void read(std::uint32_t index, Text& out) const noexcept;

    [[nodiscard]] std::size_t used() const noexcept { return nodes_.used(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return nodes_.bytes(); }
    void prefetch(std::uint32_t index) const noexcept {
        if (index != kNone) {
            nodes_.prefetch(index);
        }
    }

  private:
    // Two cache lines: JA4 and a usual name and ALPN fit into one node.
    static constexpr std::size_t kOctets = 116;
    struct Node {
        std::uint32_t next;
        std::array<std::uint8_t, 3> lengths;
        std::array<char, kOctets> octets;
    };

  public:
    static constexpr std::size_t kNodeBytes = sizeof(Node);

  private:
    std::uint32_t save(std::array<std::uint8_t, 3> lengths, std::span<const char> octets) noexcept;

    base::Pool<Node> nodes_;
};

template <typename Archive>
void HelloStore::keep(Archive& archive, std::uint32_t& index) {
    Text text;
    if constexpr (!Archive::kLoads) {
        read(index, text);
    }
    archive(text.lengths_);
    archive.require(text.lengths_[2] <= hello::kJa4Length);
    const std::size_t size =
        std::size_t{text.lengths_[0]} + std::size_t{text.lengths_[1]} + text.lengths_[2];
    for (char& octet : std::span(text.octets_).first(archive.ok() ? size : 0)) {
        archive.up_to(octet, '~');
        archive.require(octet >= ' ');
    }
    if constexpr (Archive::kLoads) {
        index = archive.ok() ? save(text.lengths_, std::span(text.octets_).first(size)) : kNone;
        archive.require(index != kNone);
    }
}

}  // namespace flowclass::engine
