#pragma once
// Files and folders that appear whole or not at all: written beside their place, flushed to the disk, renamed.
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace strider {

/// Replaces `file` by `bytes`; makes the folders above it. Throws Error (no permission, no space ...), leaving what was
/// there.
void write_file_atomically(const std::filesystem::path& file, std::string_view bytes);

/// A file that is written piece by piece and appears on commit(). Without commit() nothing is left of it.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);  // makes the folders above it
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::string_view bytes);
  void commit();

 private:
  void flush();
  std::filesystem::path file_, partial_;
  int descriptor_ = -1;
  std::string buffer_;
};

/// A folder that is filled under another name beside its place and appears on commit(), replacing a folder of that
/// name. Without commit() nothing is left of it, unless the process was killed: then a hidden
/// `.{name}.partial-{process id}` stands beside the place, and the old folder, or the new one, whole in it. (Only on a
/// filesystem that cannot exchange two names can a kill in the moment between two renames leave both under hidden
/// names.)
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path folder);  // makes the folders above it
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  const std::filesystem::path& path() const { return partial_; }  // where to write
  void commit();  // flushes every file and folder below path(), then renames

 private:
  std::filesystem::path folder_, partial_;
  bool committed_ = false;
};

/// Removes a file, or a folder with all in it, so that a kill leaves it whole or under the hidden name of a partial:
/// never a folder in its place with half of its files. What does not exist is no error. Throws Error.
void remove_atomically(const std::filesystem::path& path);

}  // namespace strider
