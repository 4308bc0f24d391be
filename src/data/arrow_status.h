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

/// The reason, with the system's where there is one ("[errno 28] No space left on device").
inline std::string arrow_reason(const arrow::Status& status) {
  return status.detail() == nullptr ? status.message()
                                    : fmt::format("{}: {}", status.message(), status.detail()->ToString());
}

inline void check_arrow(const arrow::Status& status, const char* what, const std::filesystem::path& file,
                        const char* advice) {
  if (status.ok()) return;
  throw Error(fmt::format("{}: {}", what, arrow_reason(status)),
              {.file = file.string(), .place = {}, .advice = advice});
}

template <typename T>
T take_arrow(arrow::Result<T> result, const char* what, const std::filesystem::path& file, const char* advice) {
  check_arrow(result.status(), what, file, advice);
  return std::move(result).ValueUnsafe();
}

}  // namespace strider
