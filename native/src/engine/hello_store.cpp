// Texts beyond the first node lie in a chain of nodes.
#include "engine/hello_store.hpp"

#include <algorithm>

namespace flowclass::engine {

std::uint32_t HelloStore::save(const hello::ClientHello& hello) noexcept {
    const std::array<std::string_view, 3> parts{hello.server_name(), hello.alpn(), hello.ja4()};
    Text text;
    char* end = text.octets_.data();
    for (std::size_t number = 0; number < parts.size(); ++number) {
        text.lengths_[number] = static_cast<std::uint8_t>(parts[number].size());
        end = std::copy(parts[number].begin(), parts[number].end(), end);
    }
    return end == text.octets_.data() ? kNone
                                      : save(text.lengths_, std::span(text.octets_.data(), end));
}

std::uint32_t HelloStore::save(std::array<std::uint8_t, 3> lengths,
                               std::span<const char> octets) noexcept {
    std::uint32_t first = kNone;
    std::uint32_t* link = &first;
    for (std::size_t done = 0; done < octets.size(); done += kOctets) {
        const std::uint32_t index = nodes_.acquire();
        if (index == kNone) {
            if (first != kNone) {
                release(first);
            }
            return kNone;
        }
        Node& node = nodes_[index];
        node.next = kNone;
        node.lengths = lengths;
        const auto part = octets.subspan(done, std::min(octets.size() - done, kOctets));
        std::copy(part.begin(), part.end(), node.octets.begin());
        *link = index;
        link = &node.next;
    }
    return first;
}

std::uint32_t HelloStore::copy(std::uint32_t index) noexcept {
    Text text;
    read(index, text);
    const std::size_t size = std::size_t{text.lengths_[0]} + text.lengths_[1] + text.lengths_[2];
    return save(text.lengths_, std::span<const char>(text.octets_).first(size));
}

void HelloStore::release(std::uint32_t index) noexcept {
    while (index != kNone) {
        const std::uint32_t next = nodes_[index].next;
        nodes_.release(index);
        index = next;
    }
}

void HelloStore::read(std::uint32_t index, Text& out) const noexcept {
    out.lengths_ = nodes_[index].lengths;
    const std::size_t size = std::size_t{out.lengths_[0]} + out.lengths_[1] + out.lengths_[2];
    for (std::size_t done = 0; done < size && index != kNone; done += kOctets) {
        const Node& node = nodes_[index];
        std::copy_n(node.octets.begin(), std::min(size - done, kOctets), &out.octets_[done]);
        index = node.next;
    }
}

}  // namespace flowclass::engine
