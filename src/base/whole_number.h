#pragma once
// Whole numbers in text of other programs.
#include <cstdint>
#include <optional>
#include <string_view>

namespace strider {

/// The whole number that all of `text` is: "7", or a decimal number that is exactly whole, as pandas writes the
/// integers of a column that it holds as floating point ("7.0", "1e+05"); with a sign or not. Nothing where it is none,
/// or where its magnitude is 2^53 or more and it is not written in digits alone.
std::optional<std::int64_t> parse_whole_number(std::string_view text);

}  // namespace strider
