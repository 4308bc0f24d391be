#pragma once
// Files and folders that appear whole or not at all: written beside their place, flushed to the disk, renamed. What a
// filesystem cannot do for that (flush a folder, exchange two names) is done without; what is less safe then comes back
// as Notices for the user. Those of files inside an AtomicFolder may be dropped: its commit() gives the same.
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/notices.h"

namespace strider {

/// Replaces `file` by `bytes`; makes the folders above it. Throws Error (no permission, no space ...), leaving what was
/// there.
Notices write_file_atomically(const std::filesystem::path& file, std::string_view bytes);

/// A file that is written piece by piece and appears on commit(). Without commit() nothing is left of it, unless the
/// process was killed: what it left is removed by the next who writes the same file (io/leftovers.h).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path file);  // makes the folders above it
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::string_view bytes);
  Notices commit();

 private:
  void flush();
  std::filesystem::path file_, partial_;
  int descriptor_ = -1;
  std::string buffer_;
};

/// A folder that is filled under another name beside its place and appears on commit(), replacing a folder of that
/// name. Without commit() nothing is left of it, unless the process was killed: then a hidden
/// `.{name}.partial-{process id}` is beside the place, and the old folder, or the new one, whole in it. (Only on a
/// filesystem that cannot exchange two names can a kill in the moment between two renames leave both under hidden
/// names.) What a killed process left is removed, or put back in its place, by the next who writes the same folder.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path folder);  // makes the folders above it
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  const std::filesystem::path& path() const { return partial_; }  // where to write
  Notices commit();  // flushes every file and folder below path(), then renames

 private:
  std::filesystem::path folder_, partial_;
  int descriptor_ = -1;  // of partial_, for its lock
  bool committed_ = false;
};

/// Moves `names`, files of the folder `staged`, into `folder` on the same filesystem, in this order, after all of them
/// were flushed to the disk. Each appears whole; other files of the folder stay. Throws Error.
Notices move_into_place(const std::filesystem::path& staged, const std::filesystem::path& folder,
                        const std::vector<std::string>& names);

/// Removes a file, or a folder with all in it, so that a kill leaves it whole or under the hidden name of a partial:
/// never a folder in its place with half of its files. What does not exist is no error. Throws Error when it cannot be
/// moved from its place; what then cannot be removed, since a reader holds it, say, is named in what is returned and
/// stays under the hidden name.
Notices remove_atomically(const std::filesystem::path& path);

}  // namespace strider
