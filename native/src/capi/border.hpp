// What every function of the C ABI needs at the border. Takes: the caller's structs, pointers and
// sizes. Gives: copies that are safe to work with, and a status where they are not. Guarantees: a
// struct is read and written only as far as its struct_size says; guarded() lets no exception out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

#include "base/byte_reader.hpp"
#include "base/ip_address.hpp"
#include "flowclass/flowclass.h"

namespace flowclass::capi {

// No struct of this interface comes near it: a greater size is an uninitialised one.
inline constexpr std::size_t kMostStructBytes = 65536;

// The size of a struct when it was published. One that grows is given its old size here.
template <typename T>
inline constexpr std::size_t kFirstBytes = sizeof(T);

template <typename T>
bool has_size(const T* given) noexcept {
    return given != nullptr && given->struct_size >= kFirstBytes<T> &&
           given->struct_size <= kMostStructBytes;
}

// Copies what is known; what the caller's newer header knows beyond that must be zeros.
template <typename T>
flowclass_status read_struct(const T* given, T& out) noexcept {
    if (!has_size(given)) {
        return FLOWCLASS_INVALID_ARGUMENT;
    }
    const std::size_t size = given->struct_size;
    const void* const begin = given;
    const base::Bytes octets(static_cast<const std::uint8_t*>(begin), size);
    const base::Bytes unknown = octets.subspan(std::min(size, sizeof(T)));
    if (std::any_of(
            unknown.begin(), unknown.end(), [](std::uint8_t octet) { return octet != 0; })) {
        return FLOWCLASS_UNSUPPORTED;
    }
    std::memcpy(&out, begin, std::min(size, sizeof(T)));
    return FLOWCLASS_OK;
}

// `out` has been looked at with has_size(). What its owner's newer header knows becomes zeros.
template <typename T>
void write_struct(T value, T* out) noexcept {
    const std::size_t size = out->struct_size;
    value.struct_size = out->struct_size;
    void* const begin = out;
    std::memset(begin, 0, size);
    std::memcpy(begin, &value, std::min(size, sizeof(T)));
}

inline flowclass_text text_of(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

// As much as there is room for; always ends with a 0.
inline void copy_text(std::span<char> room, std::string_view text) noexcept {
    const std::size_t count = std::min(text.size(), room.size() - 1);
    std::copy_n(text.begin(), count, room.begin());
    room[count] = '\0';
}

// Says what was wrong, where somebody wants to know.
inline flowclass_status fail(flowclass_error* error,
                             flowclass_status status,
                             std::string_view sentence) noexcept {
    if (has_size(error)) {
        error->status = status;
        copy_text(error->text, sentence);
    }
    return status;
}

// Runs work(), which may ask for memory. say(status, sentence) gives the status on.
template <typename Say, typename Work>
flowclass_status guarded(Say&& say, Work&& work) noexcept {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return say(FLOWCLASS_OUT_OF_MEMORY, "There is not enough memory.");
    } catch (...) {
        return say(FLOWCLASS_INTERNAL, "The library failed within itself.");
    }
}
template <typename Work>
flowclass_status guarded_open(flowclass_error* error, Work&& work) noexcept {
    return guarded([error](flowclass_status status,
                           const char* sentence) { return fail(error, status, sentence); },
                   work);
}

// False: neither 4, 6 nor 0.
inline bool read_address(const flowclass_address& given, base::IpAddress& out) noexcept {
    base::ByteReader reader{base::Bytes(given.octets)};
    switch (given.version) {
        case 0:
            out = {};
            return true;
        case 4:
            out = base::IpAddress::v4(reader.be32());
            return true;
        case 6: {
            const std::uint64_t high = reader.be64();
            out = base::IpAddress::v6(high, reader.be64());
            return true;
        }
        default:
            return false;
    }
}

template <typename Enum>
bool is_one_of(std::int64_t number) noexcept {
    return number >= 0 && number < static_cast<std::int64_t>(Enum::count_);
}

}  // namespace flowclass::capi
