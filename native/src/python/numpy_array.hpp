// A vector that becomes a numpy array, without a copy.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

template <typename T>
nanobind::object numpy_of(std::vector<T> values) {
    auto held = std::make_unique<std::vector<T>>(std::move(values));
    const std::size_t size = held->size();
    T* data = held->data();
    const nanobind::capsule owner(held.release(), [](void* pointer) noexcept {
        const std::unique_ptr<std::vector<T>> freed(static_cast<std::vector<T>*>(pointer));
    });
    using Array = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>;
    return nanobind::cast(Array(data, {size}, owner));
}
