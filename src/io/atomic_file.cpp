#include "io/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "io/file_steps.h"

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

/// Whether a folder stands at `place`; throws Error when something else does.
bool folder_stands_at(const fs::path& place) {
  std::error_code status;
  const fs::file_type type = fs::symlink_status(place, status).type();
  if (type == fs::file_type::not_found) return false;
  if (type == fs::file_type::none) fail_on_file("cannot look at the folder", status.value(), place);
  if (type == fs::file_type::directory) return true;
  throw Error("something that is no folder stands where a folder is to be written",
              {.file = place.string(), .place = {}, .advice = "Move it away, or choose another place."});
}

// fsync of a file or a folder. Folders of filesystems that cannot sync them (EINVAL) have nothing to lose.
void flush_to_disk(const fs::path& path, bool folder) {
  const int descriptor = open(path.c_str(), folder ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_on_file("cannot open what was just written", errno, path);
  const int result = fsync(descriptor);
  const int error_number = errno;
  close(descriptor);
  if (result != 0 && !(folder && error_number == EINVAL)) fail_on_file("cannot flush to the disk", error_number, path);
}

void write_all(int descriptor, std::string_view bytes, const fs::path& file) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_on_file("cannot write the file", errno, file);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void flush_parent(const fs::path& path) {
  const fs::path parent = path.parent_path();
  flush_to_disk(parent.empty() ? fs::path(".") : parent, true);
}

void flush_tree(const fs::path& folder) {
  std::error_code status;
  fs::recursive_directory_iterator entry(folder, status);
  for (; !status && entry != fs::recursive_directory_iterator(); entry.increment(status)) {
    const fs::file_type type = entry->symlink_status().type();
    if (type == fs::file_type::regular) flush_to_disk(entry->path(), false);
    if (type == fs::file_type::directory) flush_to_disk(entry->path(), true);
  }
  if (status) fail_on_file("cannot list what was just written", status.value(), folder);
  flush_to_disk(folder, true);
}

// For filesystems that cannot exchange two names (NFS, some overlays). A kill between the two renames leaves both whole
// folders under hidden names and none under the right one; a failure puts the old one back.
void replace_in_two_steps(const fs::path& partial, const fs::path& folder) {
  const fs::path aside = partial.string() + ".old";
  if (rename(folder.c_str(), aside.c_str()) != 0) fail_on_file("cannot move the old folder aside", errno, folder);
  if (rename(partial.c_str(), folder.c_str()) != 0) {
    const int error_number = errno;
    if (rename(aside.c_str(), folder.c_str()) != 0) fail_on_file("cannot put the old folder back", errno, aside);
    fail_on_file("cannot put the folder in its place", error_number, folder);
  }
  std::error_code status;
  fs::remove_all(aside, status);
  if (status) fail_on_file("cannot remove what was replaced", status.value(), aside);
}

}  // namespace

void write_file_atomically(const fs::path& file, std::string_view bytes) {
  AtomicFile writer(file);
  writer.write(bytes);
  writer.commit();
}

AtomicFile::AtomicFile(fs::path file) : file_(std::move(file)), partial_(partial_name(file_)) {
  make_folders(file_.parent_path());
  descriptor_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_on_file("cannot write the file", errno, file_);
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

void AtomicFile::commit() {
  flush();
  if (fsync(descriptor_) != 0) fail_on_file("cannot flush the file to the disk", errno, file_);
  if (close(descriptor_) != 0) {
    const int error_number = errno;
    descriptor_ = -1;
    unlink(partial_.c_str());
    fail_on_file("cannot close the file", error_number, file_);
  }
  descriptor_ = -1;
  rename_into_place(partial_, file_);
  flush_parent(file_);
}

AtomicFolder::AtomicFolder(fs::path folder) : folder_(real_place(folder)), partial_(partial_name(folder_)) {
  make_folders(folder_.parent_path());
  folder_stands_at(folder_);
  std::error_code status;
  fs::remove_all(partial_, status);
  if (mkdir(partial_.c_str(), 0777) != 0) fail_on_file("cannot make the folder", errno, folder_);
}

AtomicFolder::~AtomicFolder() {
  if (committed_) return;
  std::error_code ignored;  // what cannot be removed here is removed by the next writer of this name
  fs::remove_all(partial_, ignored);
}

// Where there was a folder already, the two change places in one step, so at every moment a whole one stands there.
void AtomicFolder::commit() {
  flush_tree(partial_);
  const bool replaces = folder_stands_at(folder_);
  if (renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, folder_.c_str(), RENAME_EXCHANGE) == 0) {
    committed_ = true;
    flush_parent(folder_);
    std::error_code status;
    fs::remove_all(partial_, status);  // the old one
    if (status) fail_on_file("cannot remove what was replaced", status.value(), partial_);
    return;
  }
  if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
    fail_on_file("cannot put the folder in its place", errno, folder_);
  if (replaces) {
    replace_in_two_steps(partial_, folder_);
  } else if (rename(partial_.c_str(), folder_.c_str()) != 0) {
    fail_on_file("cannot put the folder in its place", errno, folder_);
  }
  committed_ = true;
  flush_parent(folder_);
}

void remove_atomically(const fs::path& path) {
  const fs::path place = path.has_filename() ? path : path.parent_path();
  const fs::path partial = partial_name(place);
  std::error_code status;
  fs::remove_all(partial, status);
  if (status) fail_on_file("cannot remove what an earlier writer left", status.value(), partial);
  if (rename(place.c_str(), partial.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail_on_file("cannot remove", errno, place);
  }
  fs::remove_all(partial, status);
  if (status) fail_on_file("cannot remove", status.value(), partial);
}

}  // namespace strider
