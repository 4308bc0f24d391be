#include "io/file_steps.h"

#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace strider {
namespace {

std::string advice_for(int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) return "Free some space there and run the same command again.";
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    return "Choose a folder that you may write to, or change its permissions.";
  }
  return {};
}

}  // namespace

std::filesystem::path partial_name(const std::filesystem::path& place) {
  return place.parent_path() / fmt::format(".{}.partial-{}", place.filename().string(), getpid());
}

void rename_into_place(const std::filesystem::path& partial, const std::filesystem::path& file) {
  if (rename(partial.c_str(), file.c_str()) == 0) return;
  const int error_number = errno;
  unlink(partial.c_str());
  fail_on_file("cannot put the file in its place", error_number, file);
}

void fail_on_file(const char* what, int error_number, const std::filesystem::path& file) {
  throw system_error(what, error_number, {.file = file.string(), .place = {}, .advice = advice_for(error_number)});
}

}  // namespace strider
