#include "io/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "io/file_steps.h"
#include "io/leftovers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1 << 20;

void make_folders(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code status;
  fs::create_directories(folder, status);
  if (status) fail_on_file("cannot make the folder", status.value(), folder);
}

// A folder behind a link is replaced where it is, and the link stays.
fs::path real_place(const fs::path& folder) {
  const fs::path place = folder.has_filename() ? folder : folder.parent_path();
  std::error_code status;
  if (!fs::is_symlink(place, status)) return place;
  fs::path real = fs::canonical(place, status);
  if (status) fail_on_file("cannot follow the link", status.value(), place);
  return real;
}

/// Whether there is a folder at `place`; throws Error when something else does.
bool folder_stands_at(const fs::path& place) {
  std::error_code status;
  const fs::file_type type = fs::symlink_status(place, status).type();
  if (type == fs::file_type::not_found) return false;
  if (type == fs::file_type::none) fail_on_file("cannot look at the folder", status.value(), place);
  if (type == fs::file_type::directory) return true;
  throw Error("something that is no folder is where a folder is to be written",
              {.file = place.string(), .place = {}, .advice = "Move it away, or choose another place."});
}

// Returns 0, or the error number of something that cannot be flushed here.
int flush_tree(const fs::path& folder) {
  std::error_code status;
  int refused = 0;
  fs::recursive_directory_iterator entry(folder, status);
  for (; !status && entry != fs::recursive_directory_iterator(); entry.increment(status)) {
    const fs::file_type type = entry->symlink_status().type();
    int answer = 0;
    if (type == fs::file_type::regular) answer = flush_file(entry->path());
    if (type == fs::file_type::directory) answer = flush_folder(entry->path());
    if (refused == 0) refused = answer;
  }
  if (status) fail_on_file("cannot list what was just written", status.value(), folder);
  const int answer = flush_folder(folder);
  return refused != 0 ? refused : answer;
}

/// The notice of a name that came into a folder: `refused` is what flushing its content gave.
Notices flush_parent(const fs::path& path, int refused) {
  const int answer = flush_folder(path.parent_path());
  return flush_notice(path.parent_path(), refused != 0 ? refused : answer);
}

// For filesystems that cannot exchange two names (NFS, some overlays). A kill between the two renames leaves both whole
// folders under hidden names and none under the right one, until the next writer puts the old one back; a failure puts
// it back at once. Returns the name under which the old folder is then.
fs::path replace_in_two_steps(const fs::path& partial, const fs::path& folder) {
  const fs::path aside = partial.string() + ".old";
  if (rename(folder.c_str(), aside.c_str()) != 0) fail_on_file("cannot move the old folder aside", errno, folder);
  if (rename(partial.c_str(), folder.c_str()) != 0) {
    const int error_number = errno;
    if (rename(aside.c_str(), folder.c_str()) != 0) fail_on_file("cannot put the old folder back", errno, aside);
    fail_on_file("cannot put the folder in its place", error_number, folder);
  }
  return aside;
}

bool exchange(const fs::path& one, const fs::path& other) {
  return renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
}

}  // namespace

Notices write_file_atomically(const fs::path& file, std::string_view bytes) {
  AtomicFile writer(file);
  writer.write(bytes);
  return writer.commit();
}

AtomicFile::AtomicFile(fs::path file) : file_(std::move(file)), partial_(partial_name(file_)) {
  make_folders(file_.parent_path());
  clear_abandoned(file_);
  descriptor_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_on_file("cannot write the file", errno, file_);
  lock_while_writing(descriptor_);
  buffer_.reserve(kBufferBytes);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(partial_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    write_all(descriptor_, bytes, file_);
    return;
  }
  buffer_.append(bytes);
}

void AtomicFile::flush() {
  write_all(descriptor_, buffer_, file_);
  buffer_.clear();
}

Notices AtomicFile::commit() {
  flush();
  const int refused = flush_open_file(descriptor_, file_);
  if (close(descriptor_) != 0) {
    const int error_number = errno;
    descriptor_ = -1;
    unlink(partial_.c_str());
    fail_on_file("cannot close the file", error_number, file_);
  }
  descriptor_ = -1;
  rename_into_place(partial_, file_);
  return flush_parent(file_, refused);
}

AtomicFolder::AtomicFolder(fs::path folder) : folder_(real_place(folder)), partial_(partial_name(folder_)) {
  make_folders(folder_.parent_path());
  clear_abandoned(folder_);
  folder_stands_at(folder_);
  std::error_code status;
  fs::remove_all(partial_, status);
  if (mkdir(partial_.c_str(), 0777) != 0) fail_on_file("cannot make the folder", errno, folder_);
  descriptor_ = open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ >= 0) lock_while_writing(descriptor_);
}

AtomicFolder::~AtomicFolder() {
  if (descriptor_ >= 0) close(descriptor_);
  if (committed_) return;
  std::error_code ignored;  // what cannot be removed here is removed by the next writer of this name
  fs::remove_all(partial_, ignored);
}

// Where there was a folder already, the two change places in one step, so at every moment a whole one is there.
// Whatever a system answers that cannot do this, the plain renames do, or say what is wrong.
Notices AtomicFolder::commit() {
  const int refused = flush_tree(partial_);
  fs::path old;
  if (folder_stands_at(folder_)) {
    old = exchange(partial_, folder_) ? partial_ : replace_in_two_steps(partial_, folder_);
  } else if (rename(partial_.c_str(), folder_.c_str()) != 0) {
    fail_on_file("cannot put the folder in its place", errno, folder_);
  }
  committed_ = true;
  Notices notices = flush_parent(folder_, refused);
  if (old.empty()) return notices;
  if (const int error_number = remove_what_can_be(old)) notices.add(removal_notice(old, error_number));
  return notices;
}

Notices move_into_place(const fs::path& staged, const fs::path& folder, const std::vector<std::string>& names) {
  int refused = 0;
  for (const std::string& name : names) {
    const int answer = flush_file(staged / name);
    if (refused == 0) refused = answer;
  }
  for (const std::string& name : names) {
    if (rename((staged / name).c_str(), (folder / name).c_str()) != 0) {
      fail_on_file("cannot put the file in its place", errno, folder / name);
    }
  }
  return flush_parent(folder / names.front(), refused);
}

Notices remove_atomically(const fs::path& path) {
  const fs::path place = path.has_filename() ? path : path.parent_path();
  const fs::path partial = partial_name(place);
  Notices notices;
  int error_number = rename(place.c_str(), partial.c_str()) == 0 ? 0 : errno;
  if (error_number == ENOTEMPTY ||
      error_number == EEXIST) {  // what an earlier removal by this process could not remove
    if (const int in_the_way = remove_what_can_be(partial)) {
      fail_on_file("cannot remove what an earlier removal left", in_the_way, partial);
    }
    error_number = rename(place.c_str(), partial.c_str()) == 0 ? 0 : errno;
  }
  if (error_number == ENOENT) return notices;
  if (error_number != 0) fail_on_file("cannot remove", error_number, place);
  if (const int stuck = remove_what_can_be(partial)) notices.add(removal_notice(place, stuck));
  return notices;
}

}  // namespace strider
