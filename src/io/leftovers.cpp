#include "io/leftovers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "io/file_steps.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOld = ".old";

std::optional<Leftover> parse_leftover(const fs::path& path) {
  const std::string file_name = path.filename().string();
  const std::string_view whole = file_name;
  const std::size_t mark = whole.rfind(kPartialMark);
  if (!whole.starts_with('.') || mark == std::string_view::npos || mark < 2) return std::nullopt;
  Leftover leftover{.path = path, .name = std::string(whole.substr(1, mark - 1)), .process = 0, .is_old = false};
  std::string_view process = whole.substr(mark + kPartialMark.size());
  leftover.is_old = process.ends_with(kOld);
  if (leftover.is_old) process.remove_suffix(kOld.size());
  const char* const end = process.data() + process.size();
  const auto parsed = std::from_chars(process.data(), end, leftover.process);
  if (parsed.ec != std::errc() || parsed.ptr != end || leftover.process <= 0) return std::nullopt;
  return leftover;
}

bool is_locked(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool locked = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(descriptor);
  return locked;
}

}  // namespace

std::vector<Leftover> find_leftovers(const fs::path& folder) {
  std::vector<Leftover> leftovers;
  std::error_code status;
  const fs::path place = folder.empty() ? fs::path(".") : folder;
  for (fs::directory_iterator entry(place, status); !status && entry != fs::directory_iterator();
       entry.increment(status)) {
    if (auto leftover = parse_leftover(entry->path())) leftovers.push_back(std::move(*leftover));
  }
  return leftovers;
}

bool is_abandoned(const Leftover& leftover) {
  const bool gone = leftover.process != getpid() && kill(leftover.process, 0) != 0 && errno == ESRCH;
  return gone && !is_locked(leftover.path);
}

Notices remove_leftover(const Leftover& leftover) {
  Notices notices;
  const int error_number = remove_what_can_be(leftover.path);
  if (error_number != 0) notices.add(removal_notice(leftover.path.parent_path() / leftover.name, error_number));
  return notices;
}

void clear_abandoned(const fs::path& place) {
  for (const Leftover& leftover : find_leftovers(place.parent_path())) {
    if (leftover.name != place.filename() || !is_abandoned(leftover)) continue;
    std::error_code status;
    const bool is_empty = fs::symlink_status(place, status).type() == fs::file_type::not_found;
    if (leftover.is_old && is_empty) {
      fs::rename(leftover.path, place, status);
      if (!status) continue;
    }
    remove_leftover(leftover);
  }
}

void lock_while_writing(int descriptor) {
  static_cast<void>(flock(descriptor, LOCK_EX | LOCK_NB));  // a filesystem without locks: the process id has to do
}

int remove_what_can_be(const fs::path& path) {
  std::error_code status;
  fs::remove_all(path, status);
  if (!status) return 0;
  // It ends at the first entry that cannot be removed; the others need not stay for that.
  std::vector<fs::path> entries;
  std::error_code listing;
  for (fs::directory_iterator entry(path, listing); !listing && entry != fs::directory_iterator();
       entry.increment(listing)) {
    entries.push_back(entry->path());
  }
  std::error_code ignored;
  for (const fs::path& entry : entries) fs::remove_all(entry, ignored);
  fs::remove_all(path, status);
  return status.value();
}

std::string removal_notice(const fs::path& place, int error_number) {
  return fmt::format("{} cannot be removed now ({}). It is left, and removing it is tried again later.", place.string(),
                     std::strerror(error_number));
}

}  // namespace strider
