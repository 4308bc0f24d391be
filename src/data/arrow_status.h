#pragma once
// Arrow's way to report failures, turned into ours. Heavy: only the .cpp files of data/ that use Arrow include this.
#include <arrow/result.h>
#include <arrow/status.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/error.h"

namespace strider {

inline void check_arrow(const arrow::Status& status, const char* what, const std::filesystem::path& file,
                        const char* advice) {
  if (status.ok()) return;
  throw Error(fmt::format("{}: {}", what, status.message()), {.file = file.string(), .place = {}, .advice = advice});
}

template <typename T>
T take_arrow(arrow::Result<T> result, const char* what, const std::filesystem::path& file, const char* advice) {
  check_arrow(result.status(), what, file, advice);
  return std::move(result).ValueUnsafe();
}

}  // namespace strider
