// Which matchers are worth a trial. Takes: the matchers, and a direction's first payload. Gives: a
// mask of forms. A matcher has a form for each way its prefilter lets a payload begin, one or two,
// next to each other. Guarantees: what a mask leaves out the prefilter does not pass; lengths
// within a class are left to the caller.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint {

constexpr bool has_other_form(const Prefilter& filter) noexcept {
    return std::any_of(filter.or_octets.begin(), filter.or_octets.end(), [](const OctetTest& test) {
        return test.octets != ByteSet::all();
    });
}

constexpr bool asks(const OctetTest& test, std::uint8_t ip_proto) noexcept {
    return test.octets != ByteSet::all() && (test.ip_proto == 0 || test.ip_proto == ip_proto);
}

// Whether a payload passes tests, those that its prefix has the octets for.
inline bool passes_all(const OctetTests& tests, std::uint8_t ip_proto, Bytes payload) noexcept {
    return std::all_of(tests.begin(), tests.end(), [&](const OctetTest& test) {
        return !asks(test, ip_proto) || test.at >= payload.size() ||
               test.octets.contains(payload[test.at]);
    });
}

// One way in which a matcher's payloads begin.
struct Form {
    std::uint16_t matcher = 0;
    const Prefilter* filter = nullptr;
    const OctetTests* tests = nullptr;
};

// `Filters::kAll` is the matchers' prefilters, in their order, known to the compiler.
template <typename Filters>
inline constexpr std::size_t kFormCount = [] {
    std::size_t count = 0;
    for (const Prefilter* const filter : Filters::kAll) {
        count += has_other_form(*filter) ? 2 : 1;
    }
    return count;
}();

template <typename Filters>
inline constexpr std::array<Form, kFormCount<Filters>> kAllForms = [] {
    std::array<Form, kFormCount<Filters>> forms{};
    std::size_t count = 0;
    for (std::size_t matcher = 0; matcher < Filters::kAll.size(); ++matcher) {
        const Prefilter* const filter = Filters::kAll[matcher];
        const auto number = static_cast<std::uint16_t>(matcher);
        forms[count++] = {number, filter, &filter->octets};
        if (has_other_form(*filter)) {
            forms[count++] = {number, filter, &filter->or_octets};
        }
    }
    return forms;
}();

// Whether a form's matcher is tried over an IP protocol, and asks there. What is neither UDP nor
// TCP is taken together, under a number that IANA reserves.
inline constexpr std::uint8_t kNeither = 255;
constexpr bool asks(const Form& form, const OctetTest& test, std::uint8_t ip_proto) noexcept {
    const auto& protos = form.filter->ip_protos;
    return asks(test, ip_proto) &&
           std::any_of(protos.begin(), protos.end(), [ip_proto](std::uint8_t proto) {
               const bool neither = proto != 0 && proto != kUdp && proto != kTcp;
               return ip_proto == kNeither ? neither : proto == ip_proto;
           });
}

// At which offsets the payloads of an IP protocol are asked for an octet.
template <typename Filters>
constexpr std::array<bool, 256> asked_at(std::uint8_t ip_proto) noexcept {
    std::array<bool, 256> asked{};
    for (const Form& form : kAllForms<Filters>) {
        for (const OctetTest& test : *form.tests) {
            asked[test.at] = asked[test.at] || asks(form, test, ip_proto);
        }
    }
    return asked;
}
template <typename Filters>
constexpr std::size_t places_of(std::uint8_t ip_proto) noexcept {
    const auto asked = asked_at<Filters>(ip_proto);
    return static_cast<std::size_t>(std::count(asked.begin(), asked.end(), true));
}

template <typename Filters>
class Candidates {
  public:
    static constexpr std::size_t kForms = kFormCount<Filters>;
    static constexpr std::size_t kWords = (kForms + 63) / 64;

    struct Mask {
        std::array<std::uint64_t, kWords> words{};

        constexpr void add(std::size_t form) noexcept { words[form / 64] |= 1ULL << (form % 64); }
        constexpr void remove(std::size_t form) noexcept {
            words[form / 64] &= ~(1ULL << (form % 64));
        }
        constexpr void operator&=(const Mask& other) noexcept {
            for (std::size_t word = 0; word < kWords; ++word) {
                words[word] &= other.words[word];
            }
        }
        constexpr bool operator==(const Mask& other) const noexcept = default;
    };

    Candidates() noexcept {
        for (std::size_t form = 0; form < kForms; ++form) {
            const Prefilter& filter = *kAllForms<Filters>[form].filter;
            for (const std::uint8_t ip_proto : filter.ip_protos) {
                if (ip_proto != 0) {
                    by_ip_proto_[ip_proto].add(form);
                }
            }
            for (std::size_t value = 0; value < 256; ++value) {
                if (filter.first_bytes.contains(static_cast<std::uint8_t>(value))) {
                    by_first_byte_[value].add(form);
                }
            }
            for (std::size_t of = length_class(filter.least_length);
                 of <= length_class(filter.most_length);
                 ++of) {
                by_length_[of].add(form);
            }
        }
        udp_.fill(kUdp);
        tcp_.fill(kTcp);
        other_.fill(kNeither);
    }

    static constexpr const Form& form(std::size_t number) noexcept {
        return kAllForms<Filters>[number];
    }

    [[nodiscard]] Mask of(std::uint8_t ip_proto,
                          Bytes payload,
                          std::uint32_t length) const noexcept {
        if (payload.empty()) {
            return {};
        }
        Mask wanted = by_first_byte_[payload[0]];
        wanted &= by_length_[length_class(length)];
        wanted &= by_ip_proto_[ip_proto];
        return ip_proto == kUdp   ? udp_.narrowed(wanted, payload)
               : ip_proto == kTcp ? tcp_.narrowed(wanted, payload)
                                  : other_.narrowed(wanted, payload);
    }

  private:
    // Lengths by power of two: class k holds [2^(k-1), 2^k), the last all above.
    static constexpr std::size_t kLengthClasses = 13;
    static constexpr std::size_t length_class(std::uint32_t length) noexcept {
        return std::min<std::size_t>(std::bit_width(length), kLengthClasses - 1);
    }

    // A place's masks, each once: most octets are alike to all who ask there, and what is looked up
    // for every flow should stay in the nearest cache.
    struct Place {
        std::size_t offset = 0;
        std::array<std::uint8_t, 256> kind{};
        std::array<Mask, 256> masks{};
    };
    template <std::size_t kPlaces>
    struct Places {
        std::array<Place, kPlaces> places{};

        // By value: the mask stays in registers.
        [[nodiscard]] Mask narrowed(Mask wanted, Bytes payload) const noexcept {
            for (const Place& place : places) {
                if (place.offset >= payload.size()) {
                    break;
                }
                wanted &= place.masks[place.kind[payload[place.offset]]];
            }
            return wanted;
        }
        void fill(std::uint8_t ip_proto) noexcept {
            const auto asked = asked_at<Filters>(ip_proto);
            std::size_t count = 0;
            for (std::size_t offset = 0; offset < asked.size() && count < kPlaces; ++offset) {
                if (asked[offset]) {
                    fill_place(places[count++], offset, ip_proto);
                }
            }
        }

      private:
        static void fill_place(Place& place, std::size_t offset, std::uint8_t ip_proto) noexcept {
            place.offset = offset;
            std::array<Mask, 256> by_value;
            by_value.fill(everyone());
            for (std::size_t form = 0; form < kForms; ++form) {
                for (const OctetTest& test : *kAllForms<Filters>[form].tests) {
                    if (test.at == offset && asks(kAllForms<Filters>[form], test, ip_proto)) {
                        remove_others(by_value, form, test.octets);
                    }
                }
            }
            std::size_t kinds = 0;
            for (std::size_t value = 0; value < 256; ++value) {
                const auto known = std::span(place.masks).first(kinds);
                const auto found = std::find(known.begin(), known.end(), by_value[value]);
                const auto kind = static_cast<std::size_t>(std::distance(known.begin(), found));
                place.kind[value] = static_cast<std::uint8_t>(kind);
                if (kind == kinds) {
                    place.masks[kinds++] = by_value[value];
                }
            }
        }
        static constexpr Mask everyone() noexcept {
            Mask mask;
            for (std::size_t form = 0; form < kForms; ++form) {
                mask.add(form);
            }
            return mask;
        }
        static void remove_others(std::array<Mask, 256>& by_value,
                                  std::size_t form,
                                  const ByteSet& octets) noexcept {
            for (std::size_t value = 0; value < 256; ++value) {
                if (!octets.contains(static_cast<std::uint8_t>(value))) {
                    by_value[value].remove(form);
                }
            }
        }
    };

    std::array<Mask, 256> by_ip_proto_{};
    std::array<Mask, 256> by_first_byte_{};
    std::array<Mask, kLengthClasses> by_length_{};
    Places<places_of<Filters>(kUdp)> udp_;
    Places<places_of<Filters>(kTcp)> tcp_;
    Places<places_of<Filters>(kNeither)> other_;
};

}  // namespace flowclass::fingerprint
