// A value or a sentence that says what was wrong: set-up functions return it instead of throwing.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace flowclass::base {

struct Error {
    std::string sentence;
};

template <typename T>
class Result {
  public:
    // NOLINTBEGIN(google-explicit-constructor): reads as `return value;` and `return Error{};`
    Result(T value) : content_(std::move(value)) {}
    Result(Error error) : content_(std::move(error)) {}
    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] bool ok() const noexcept { return std::holds_alternative<T>(content_); }
    [[nodiscard]] T& value() noexcept { return *std::get_if<T>(&content_); }
    [[nodiscard]] const T& value() const noexcept { return *std::get_if<T>(&content_); }
    [[nodiscard]] const std::string& error() const noexcept {
        return std::get_if<Error>(&content_)->sentence;
    }

  private:
    std::variant<T, Error> content_;
};

}  // namespace flowclass::base
