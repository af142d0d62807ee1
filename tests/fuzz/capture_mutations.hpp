// Changes to a capture that leave its headers readable, so that what lies behind them is reached:
// records are doubled, swapped, left out, cut short, sent at another time, answered, and fields of
// their packets set to extremes. Takes: a pcap or a pcapng. Gives: another one, or says that the
// octets are none. The same random numbers give the same change.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "base/byte_reader.hpp"

namespace capture_mutations {

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using Octets = std::vector<std::uint8_t>;
using Random = std::minstd_rand;
// Changes octets without a thought for what they are, to at most so many.
using Blind = std::function<void(Octets&, std::size_t most)>;

inline constexpr std::array<std::uint32_t, 20> kExtremes{
    0,      1,      2,      3,       4,        7,         8,          0x7f,       0x80,       0xff,
    0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xfffffffe, ~0U};

inline std::size_t below(Random& random, std::size_t limit) {
    return limit == 0 ? 0 : random() % limit;
}

// A capture in parts: the file header (of a pcap alone), whole records or blocks, and what follows
// the last whole one.
class Shape {
  public:
    static std::optional<Shape> of(Bytes capture) {
        Shape shape;
        if (capture.size() < 12 || !shape.detect(capture)) {
            return std::nullopt;
        }
        shape.header_.assign(capture.begin(), capture.begin() + shape.header_size());
        Bytes rest = capture.subspan(shape.header_.size());
        for (std::size_t size = shape.unit_size(rest); size > 0; size = shape.unit_size(rest)) {
            shape.units.emplace_back(rest.begin(),
                                     rest.begin() + static_cast<std::ptrdiff_t>(size));
            rest = rest.subspan(size);
        }
        shape.tail_.assign(rest.begin(), rest.end());
        if (shape.units.empty()) {
            return std::nullopt;
        }
        return shape;
    }

    // Units at the end are left out where there is no room for them.
    [[nodiscard]] Octets octets(std::size_t most) const {
        Octets out = header_;
        for (const Octets& unit : units) {
            if (out.size() + unit.size() > most) {
                return out;
            }
            out.insert(out.end(), unit.begin(), unit.end());
        }
        if (out.size() + tail_.size() <= most) {
            out.insert(out.end(), tail_.begin(), tail_.end());
        }
        return out;
    }

    [[nodiscard]] std::uint32_t number(const Octets& unit, std::size_t place) const {
        ByteReader reader = flowclass::base::at(unit, place);
        return big_endian_ ? reader.be32() : reader.le32();
    }
    void set(Octets& unit, std::size_t place, std::uint32_t value) const {
        for (std::size_t octet = 0; octet < 4 && place + octet < unit.size(); ++octet) {
            const std::size_t shift = 8 * (big_endian_ ? 3 - octet : octet);
            unit[place + octet] = static_cast<std::uint8_t>(value >> shift);
        }
    }

    // The frame in a unit; empty where it has none.
    [[nodiscard]] Octets frame(const Octets& unit) const {
        const auto [begin, size] = frame_place(unit);
        const Bytes frame = Bytes(unit).subspan(begin, size);
        return {frame.begin(), frame.end()};
    }
    // Lengths around it are made to fit.
    void set_frame(Octets& unit, const Octets& frame) const {
        const auto [begin, size] = frame_place(unit);
        if (begin == 0) {
            return;
        }
        unit.resize(begin);
        unit.insert(unit.end(), frame.begin(), frame.end());
        const auto captured = static_cast<std::uint32_t>(frame.size());
        if (!is_pcapng_) {
            set(unit, 8, captured);
            set(unit, 12, std::max(captured, number(unit, 12)));
            return;
        }
        unit.resize((unit.size() + 3) / 4 * 4 + 4);
        set(unit, 20, captured);
        set(unit, 24, std::max(captured, number(unit, 24)));
        set(unit, 4, static_cast<std::uint32_t>(unit.size()));
        set(unit, unit.size() - 4, static_cast<std::uint32_t>(unit.size()));
    }

    // Where a record says when it was captured; nothing in other blocks.
    [[nodiscard]] std::optional<std::size_t> time_place(const Octets& unit) const {
        if (!is_pcapng_) {
            return 0;
        }
        return is_packet(unit) ? std::optional<std::size_t>(12) : std::nullopt;
    }
    // How many fields of four octets stand before the contents of a unit.
    [[nodiscard]] std::size_t fields() const { return is_pcapng_ ? 7 : record_header_ / 4; }
    [[nodiscard]] Octets& header() { return header_; }

    std::vector<Octets> units;

  private:
    static constexpr std::uint32_t kEnhancedPacket = 6;

    bool detect(Bytes capture) {
        ByteReader reader(capture);
        switch (reader.be32()) {
            case 0xa1b2c3d4:
            case 0xa1b23c4d:
                big_endian_ = true;
                return capture.size() >= 24;
            case 0xd4c3b2a1:
            case 0x4d3cb2a1:
                return capture.size() >= 24;
            case 0xa1b2cd34:
                big_endian_ = true;
                [[fallthrough]];
            case 0x34cdb2a1:
                record_header_ = 24;
                return capture.size() >= 24;
            case 0x0a0d0d0a:
                is_pcapng_ = true;
                big_endian_ = capture[8] == 0x1a;
                return true;
            default:
                return false;
        }
    }
    [[nodiscard]] std::ptrdiff_t header_size() const { return is_pcapng_ ? 0 : 24; }

    // Of the first record or block; 0 where it is not whole.
    [[nodiscard]] std::size_t unit_size(Bytes rest) const {
        ByteReader reader(rest);
        if (is_pcapng_) {
            reader.skip(4);
            const std::size_t size = big_endian_ ? reader.be32() : reader.le32();
            return size >= 12 && size % 4 == 0 && size <= rest.size() ? size : 0;
        }
        reader.skip(8);
        const std::size_t size = record_header_ + (big_endian_ ? reader.be32() : reader.le32());
        return rest.size() >= record_header_ && size <= rest.size() ? size : 0;
    }
    [[nodiscard]] bool is_packet(const Octets& unit) const {
        return unit.size() >= 32 && number(unit, 0) == kEnhancedPacket;
    }
    [[nodiscard]] std::pair<std::size_t, std::size_t> frame_place(const Octets& unit) const {
        if (!is_pcapng_) {
            const std::size_t begin = std::min(record_header_, unit.size());
            return {begin, unit.size() - begin};
        }
        if (!is_packet(unit)) {
            return {0, 0};
        }
        return {28, std::min<std::size_t>(number(unit, 20), unit.size() - 32)};
    }

    bool is_pcapng_ = false;
    bool big_endian_ = false;
    std::size_t record_header_ = 16;
    Octets header_, tail_;
};

// The packet as its receiver would answer it: ends of an Ethernet frame's IP packet swapped.
inline void answer(Octets& frame) {
    constexpr std::size_t kEthernet = 14;
    if (frame.size() < kEthernet + 44) {
        return;
    }
    const bool is_v4 = frame[kEthernet] >> 4U == 4;
    const std::ptrdiff_t size = is_v4 ? 4 : 16;
    const auto address = frame.begin() + kEthernet + (is_v4 ? 12 : 8);
    std::swap_ranges(address, address + size, address + size);
    const auto ports = frame.begin() + kEthernet + (is_v4 ? 20 : 40);
    std::swap_ranges(ports, ports + 2, ports + 2);
}

inline void set_extreme(Octets& octets, std::size_t most_place, Random& random) {
    const std::size_t at = below(random, std::min(most_place, octets.size()));
    const std::size_t width = 1 + below(random, 2);
    const std::uint32_t value = kExtremes[below(random, kExtremes.size())];
    for (std::size_t octet = 0; octet < width && at + octet < octets.size(); ++octet) {
        octets[at + octet] = static_cast<std::uint8_t>(value >> (8 * (width - 1 - octet)));
    }
}

inline void change_frame(Shape& shape, Octets& unit, Random& random, const Blind& blind) {
    constexpr std::size_t kHeaders = 64;  // of a frame: where its length fields stand
    constexpr std::size_t kLongest = 4096;
    Octets frame = shape.frame(unit);
    switch (below(random, 5)) {
        case 0:
            frame.resize(below(random, frame.size() + 1));
            break;
        case 1:
            set_extreme(frame, kHeaders, random);
            break;
        case 2:
            answer(frame);
            break;
        case 3: {  // the contents of another one behind these headers
            const Octets other = shape.frame(shape.units[below(random, shape.units.size())]);
            const std::size_t headers = 34 + 4 * below(random, 6);
            frame.resize(std::min(frame.size(), headers));
            frame.insert(
                frame.end(),
                other.begin() + static_cast<std::ptrdiff_t>(std::min(other.size(), headers)),
                other.end());
            break;
        }
        default:
            blind(frame, std::max(kLongest, frame.size()));
            break;
    }
    shape.set_frame(unit, frame);
}

inline void change_time(const Shape& shape, Octets& unit, Random& random) {
    const std::optional<std::size_t> place = shape.time_place(unit);
    if (!place) {
        return;
    }
    const std::size_t field = *place + 4 * below(random, 2);
    const auto step = static_cast<std::uint32_t>(below(random, 4000));
    const std::array<std::uint32_t, 3> values{kExtremes[below(random, kExtremes.size())],
                                              shape.number(unit, field) + step,
                                              shape.number(unit, field) - step};
    shape.set(unit, field, values[below(random, values.size())]);
}

inline void change_order(Shape& shape, std::size_t at, Random& random) {
    const std::size_t other = below(random, shape.units.size());
    switch (below(random, 3)) {
        case 0:
            std::swap(shape.units[at], shape.units[other]);
            break;
        case 1: {
            Octets copy = shape.units[at];
            shape.units.insert(shape.units.begin() + static_cast<std::ptrdiff_t>(other) + 1,
                               std::move(copy));
            break;
        }
        default:
            shape.units.erase(shape.units.begin() + static_cast<std::ptrdiff_t>(at));
            break;
    }
}

// One change. False, and nothing is done, where the octets are no capture with a record.
inline bool mutate(Octets& capture, std::size_t most, Random& random, const Blind& blind) {
    std::optional<Shape> shape = Shape::of(capture);
    if (!shape) {
        return false;
    }
    const std::size_t at = below(random, shape->units.size());
    Octets& unit = shape->units[at];
    switch (below(random, 8)) {
        case 0:
        case 1:
            change_order(*shape, at, random);
            break;
        case 2:
            change_time(*shape, unit, random);
            break;
        case 3: {  // a field of the container; what follows it may be lost
            Octets& fields =
                shape->header().empty() || below(random, 4) > 0 ? unit : shape->header();
            shape->set(fields,
                       4 * below(random, shape->fields()),
                       kExtremes[below(random, kExtremes.size())]);
            break;
        }
        default:
            change_frame(*shape, unit, random, blind);
            break;
    }
    capture = shape->octets(most);
    return true;
}

}  // namespace capture_mutations
