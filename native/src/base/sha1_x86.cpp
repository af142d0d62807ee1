// One block of SHA-1 by the SHA extensions (Intel, "Intel SHA Extensions", 2013: SHA1RNDS4,
// SHA1NEXTE, SHA1MSG1, SHA1MSG2). Four rounds are one instruction; a register holds a, b, c, d,
// another e in its top word, and four hold the schedule's last sixteen words.
#include "base/sha1_block.hpp"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include <cstddef>
#include <utility>

namespace flowclass::base {

namespace {

struct Rounds {
    __m128i abcd;
    __m128i before;  // abcd four rounds ago: SHA1NEXTE makes the next e of it
    // NOLINTNEXTLINE(modernize-avoid-c-arrays): std::array drops the type's alignment
    __m128i words[4];
};

template <std::size_t Group>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline void four_rounds(
    Rounds& state, __m128i start_e) noexcept {
    // NOLINTNEXTLINE(misc-const-correctness): written where Group is 4 or more
    __m128i& word = state.words[Group % 4];
    if constexpr (Group >= 4) {
        const __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(word, state.words[(Group + 1) % 4]),
                                            state.words[(Group + 2) % 4]);
        word = _mm_sha1msg2_epu32(mixed, state.words[(Group + 3) % 4]);
    }
    const __m128i e =
        Group == 0 ? _mm_add_epi32(start_e, word) : _mm_sha1nexte_epu32(state.before, word);
    state.before = state.abcd;
    state.abcd = _mm_sha1rnds4_epu32(state.abcd, e, Group / 5);
}

template <std::size_t... Groups>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline void all_rounds(
    Rounds& state, __m128i start_e, std::index_sequence<Groups...> /*groups*/) noexcept {
    (four_rounds<Groups>(state, start_e), ...);
}

}  // namespace

bool has_sha_instructions() noexcept {
    unsigned int eax = 0;
    unsigned int ebx = 0;
    unsigned int ecx = 0;
    unsigned int edx = 0;
    constexpr unsigned int kSha = 1U << 29U;    // leaf 7, EBX
    constexpr unsigned int kSse41 = 1U << 19U;  // leaf 1, ECX
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kSse41) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kSha) != 0;
}

[[gnu::target("sha,sse4.1")]] Sha1Words sha1_block_x86(const Sha1Block& block) noexcept {
    const auto word = [](std::uint32_t value) { return static_cast<int>(value); };
    const __m128i start = _mm_set_epi32(
        word(kSha1Start[0]), word(kSha1Start[1]), word(kSha1Start[2]), word(kSha1Start[3]));
    const __m128i start_e = _mm_set_epi32(word(kSha1Start[4]), 0, 0, 0);
    // Words are big-endian, and the first of four stands at the top.
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    Rounds state{start, start, {}};
    for (std::size_t part = 0; part < 4; ++part) {
        __m128i loaded;
        __builtin_memcpy(&loaded, &block[16 * part], sizeof loaded);
        state.words[part] = _mm_shuffle_epi8(loaded, order);
    }
    all_rounds(state, start_e, std::make_index_sequence<20>{});
    const __m128i e = _mm_sha1nexte_epu32(state.before, start_e);
    const __m128i abcd = _mm_add_epi32(state.abcd, start);
    return {static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 3)),
            static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 2)),
            static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 1)),
            static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 0)),
            static_cast<std::uint32_t>(_mm_extract_epi32(e, 3))};
}

}  // namespace flowclass::base

#else

namespace flowclass::base {

bool has_sha_instructions() noexcept {
    return false;
}

Sha1Words sha1_block_x86(const Sha1Block& block) noexcept {
    return sha1_block_plain(block);
}

}  // namespace flowclass::base

#endif
