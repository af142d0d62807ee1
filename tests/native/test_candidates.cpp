// The table of first tests against each prefilter asked by itself.
#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "check.hpp"
#include "fingerprint/candidates.hpp"

namespace {

using namespace flowclass::fingerprint;

constexpr Prefilter kAnything{.ip_protos = {kUdp, kTcp, 47}};
constexpr Prefilter kByFirst{.ip_protos = {kUdp}, .first_bytes = ByteSet::range(0, 3)};
constexpr Prefilter kByLength{.ip_protos = {kTcp}, .least_length = 5, .most_length = 9};
constexpr Prefilter kByOctets{.ip_protos = {kUdp, kTcp},
                              .octets = {{{1, ByteSet::of({1, 2})},
                                          {3, ByteSet::masked(1, 1), kUdp},
                                          {2, ByteSet::range(0, 1), kTcp}}}};
constexpr Prefilter kTwoWays{.ip_protos = {kUdp, 47},
                             .first_bytes = ByteSet::range(0, 2),
                             .octets = {{{1, ByteSet::of({0})}, {2, ByteSet::of({0})}}},
                             .or_octets = {{{0, ByteSet::of({1})}, {3, ByteSet::of({3})}}}};

struct Filters {
    static constexpr std::array<const Prefilter*, 5> kAll{
        &kAnything, &kByFirst, &kByLength, &kByOctets, &kTwoWays};
};
using Table = Candidates<Filters>;
static_assert(Table::kForms == 6);

bool fits_length(const Prefilter& filter, std::size_t length) {
    return length >= filter.least_length && length <= filter.most_length;
}

bool lets_pass(const Prefilter& filter, std::uint8_t ip_proto, Bytes payload, std::size_t length) {
    const auto& protos = filter.ip_protos;
    return std::find(protos.begin(), protos.end(), ip_proto) != protos.end() && !payload.empty() &&
           fits_length(filter, length) && filter.first_bytes.contains(payload[0]) &&
           (passes_all(filter.octets, ip_proto, payload) ||
            (has_other_form(filter) && passes_all(filter.or_octets, ip_proto, payload)));
}

}  // namespace

TEST(candidates_are_those_whose_prefilter_lets_pass) {
    const Table table;
    std::mt19937 dice(7);
    std::array<std::size_t, Filters::kAll.size()> passed{};
    for (int round = 0; round < 200'000; ++round) {
        const auto ip_proto = std::array<std::uint8_t, 4>{kUdp, kTcp, 47, 1}[dice() % 4];
        std::vector<std::uint8_t> payload(dice() % 7);
        for (std::uint8_t& octet : payload) {
            octet = static_cast<std::uint8_t>(dice() % 5);
        }
        const auto length = static_cast<std::uint32_t>(payload.size() + dice() % 6);
        const Table::Mask mask = table.of(ip_proto, payload, length);
        std::array<bool, Filters::kAll.size()> found{};
        for (std::size_t number = 0; number < Table::kForms; ++number) {
            const Form& form = Table::form(number);
            const bool is_in = (mask.words[number / 64] >> number % 64 & 1U) != 0;
            found[form.matcher] =
                found[form.matcher] || (is_in && fits_length(*form.filter, length));
        }
        for (std::size_t matcher = 0; matcher < found.size(); ++matcher) {
            const bool wanted = lets_pass(*Filters::kAll[matcher], ip_proto, payload, length);
            CHECK_EQ(found[matcher], wanted);
            passed[matcher] += wanted ? 1 : 0;
        }
    }
    for (const std::size_t count : passed) {
        CHECK(count > 1'000 && count < 190'000);
    }
}

TEST(octets_by_mask) {
    constexpr ByteSet kSet = ByteSet::masked(0xc1, 0x80);
    for (unsigned octet = 0; octet < 256; ++octet) {
        CHECK_EQ(kSet.contains(static_cast<std::uint8_t>(octet)), (octet & 0xc1U) == 0x80);
    }
}
