// Preloaded into the program under test: the N-th call that writes below a folder fails, or all calls of some names do.
// For fault_test.py and unsupported_test.py.
//   STRIDER_FAULT_FOLDER   absolute; only calls on files below it count
//   STRIDER_FAULT_NUMBER   N, from 1
//   STRIDER_FAULT_CALLS    instead of a number: "flock,fsync_folder"; all calls of these names fail
//   STRIDER_FAULT_PATH     with it: only on paths that this extended regular expression is found in
//   STRIDER_FAULT_ERRNO    with which error
//   STRIDER_FAULT_LASTS    1: so do all later ones that take space on the disk
// Each failed call is reported on standard error: "injected fault N: write /folder/file". The calls of a folder, and
// those past the page cache, have names of their own: fsync_folder, open_direct, pwrite_direct; unlink, rmdir and
// remove count as remove.
#include <dlfcn.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

struct Plan {
  const char* folder = std::getenv("STRIDER_FAULT_FOLDER");
  long number = number_in("STRIDER_FAULT_NUMBER");
  int error = static_cast<int>(number_in("STRIDER_FAULT_ERRNO"));
  bool lasts = number_in("STRIDER_FAULT_LASTS") == 1;
  const char* calls = std::getenv("STRIDER_FAULT_CALLS");
  const char* pattern = std::getenv("STRIDER_FAULT_PATH");
  std::atomic<long> count{0};

  static long number_in(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? 0 : std::atol(text);
  }

  bool is_found_in(const char* path) const {
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) std::abort();
    const bool found = regexec(&compiled, path, 0, nullptr, 0) == 0;
    regfree(&compiled);
    return found;
  }

  bool wants(std::string_view call, const char* path, long at, bool takes_space) const {
    if (calls == nullptr) return at == number || (at > number && lasts && takes_space);
    if (pattern != nullptr && !is_found_in(path)) return false;
    for (std::string_view all = calls; !all.empty();) {
      const std::size_t comma = std::min(all.find(','), all.size());
      if (all.substr(0, comma) == call) return true;
      all.remove_prefix(std::min(comma + 1, all.size()));
    }
    return false;
  }
};

Plan& plan() {
  static Plan made;
  return made;
}

enum class Takes { kSpace, kNoSpace };

bool fails(const char* call, const char* path, Takes takes) {
  Plan& p = plan();
  if (p.folder == nullptr || path == nullptr || !std::string_view(path).starts_with(p.folder)) return false;
  const long number = p.count.fetch_add(1) + 1;
  if (!p.wants(call, path, number, takes == Takes::kSpace)) return false;
  char line[PATH_MAX + 100];
  const int length = snprintf(line, sizeof line, "injected fault %ld: %s %s\n", number, call, path);
  syscall(SYS_write, STDERR_FILENO, line, static_cast<std::size_t>(length));
  errno = p.error;
  return true;
}

bool fails(const char* call, int descriptor, Takes takes) {
  if (plan().folder == nullptr) return false;
  const int before = errno;
  const int flags = fcntl(descriptor, F_GETFL);
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = flags < 0 ? -1 : readlink(link, path, sizeof path - 1);
  errno = before;
  // A folder's descriptor can be flushed or locked, though nothing is written by it.
  const bool writes = (flags & O_ACCMODE) != O_RDONLY || std::string_view(call).starts_with("fsync") ||
                      std::string_view(call) == "flock";
  if (length < 0 || !writes) return false;
  path[length] = '\0';
  return fails(call, path, takes);
}

// Paths that a program gives may be relative to where it runs.
bool fails_at(const char* call, const char* path, Takes takes) {
  if (plan().folder == nullptr || path == nullptr) return false;
  if (path[0] == '/') return fails(call, path, takes);
  char whole[2 * PATH_MAX], here[PATH_MAX];
  if (getcwd(here, sizeof here) == nullptr) return false;
  snprintf(whole, sizeof whole, "%s/%s", here, path);
  return fails(call, whole, takes);
}

template <typename Function>
Function next(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function>(found);
}

int open_file(const char* name, int folder, const char* path, int flags, mode_t mode) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  if (writes && fails_at((flags & O_DIRECT) != 0 ? "open_direct" : name, path, Takes::kSpace)) return -1;
  return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

#define STRIDER_OPEN(name)                                 \
  int name(const char* path, int flags, ...) {             \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_of(flags, arguments);         \
    va_end(arguments);                                     \
    return open_file("open", AT_FDCWD, path, flags, mode); \
  }
STRIDER_OPEN(open)
STRIDER_OPEN(open64)
#undef STRIDER_OPEN

#define STRIDER_OPENAT(name)                               \
  int name(int folder, const char* path, int flags, ...) { \
    va_list arguments;                                     \
    va_start(arguments, flags);                            \
    const mode_t mode = mode_of(flags, arguments);         \
    va_end(arguments);                                     \
    return open_file("openat", folder, path, flags, mode); \
  }
STRIDER_OPENAT(openat)
STRIDER_OPENAT(openat64)
#undef STRIDER_OPENAT

FILE* fopen(const char* path, const char* mode) {
  if (std::strpbrk(mode, "wa+") != nullptr && fails_at("fopen", path, Takes::kSpace)) return nullptr;
  return next<FILE* (*)(const char*, const char*)>("fopen")(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  if (std::strpbrk(mode, "wa+") != nullptr && fails_at("fopen", path, Takes::kSpace)) return nullptr;
  return next<FILE* (*)(const char*, const char*)>("fopen64")(path, mode);
}

size_t fwrite(const void* data, size_t size, size_t count, FILE* file) {
  if (fails("fwrite", fileno(file), Takes::kSpace)) return 0;
  return next<size_t (*)(const void*, size_t, size_t, FILE*)>("fwrite")(data, size, count, file);
}

int fclose(FILE* file) {
  const bool failed = fails("fclose", fileno(file), Takes::kNoSpace);
  const int error = errno;
  const int result = next<int (*)(FILE*)>("fclose")(file);
  if (failed) errno = error;
  return failed ? EOF : result;
}

ssize_t write(int descriptor, const void* data, size_t size) {
  if (fails("write", descriptor, Takes::kSpace)) return -1;
  return syscall(SYS_write, descriptor, data, size);
}

ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  if (fails("writev", descriptor, Takes::kSpace)) return -1;
  return syscall(SYS_writev, descriptor, parts, count);
}

ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  const int before = errno;
  const bool direct = plan().folder != nullptr && (fcntl(descriptor, F_GETFL) & O_DIRECT) != 0;
  errno = before;
  if (fails(direct ? "pwrite_direct" : "pwrite", descriptor, Takes::kSpace)) return -1;
  return syscall(SYS_pwrite64, descriptor, data, size, offset);
}

ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  return pwrite(descriptor, data, size, offset);
}

int ftruncate(int descriptor, off_t length) noexcept {
  if (fails("ftruncate", descriptor, Takes::kSpace)) return -1;
  return static_cast<int>(syscall(SYS_ftruncate, descriptor, length));
}

int fsync(int descriptor) {
  struct stat about {};
  const bool folder = plan().folder != nullptr && fstat(descriptor, &about) == 0 && S_ISDIR(about.st_mode);
  if (fails(folder ? "fsync_folder" : "fsync", descriptor, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

int flock(int descriptor, int operation) noexcept {
  if (fails("flock", descriptor, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_flock, descriptor, operation));
}

int statx(int folder, const char* path, int flags, unsigned mask, struct statx* about) noexcept {
  const bool by_descriptor = path[0] == '\0';
  if (by_descriptor ? fails("statx", folder, Takes::kNoSpace) : fails_at("statx", path, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_statx, folder, path, flags, mask, about));
}

int close(int descriptor) {
  const bool failed = fails("close", descriptor, Takes::kNoSpace);
  const int error = errno;
  const auto result = static_cast<int>(syscall(SYS_close, descriptor));
  if (failed) errno = error;
  return failed ? -1 : result;
}

int rename(const char* from, const char* to) noexcept {
  if (fails_at("rename", to, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (fails_at("renameat2", to, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (fails_at("mkdir", path, Takes::kSpace)) return -1;
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  char place[64], whole[2 * PATH_MAX];
  snprintf(place, sizeof place, "/proc/self/fd/%d", folder);
  const ssize_t length = folder == AT_FDCWD ? -1 : readlink(place, whole, PATH_MAX - 1);
  if (length > 0) snprintf(whole + length, sizeof whole - static_cast<std::size_t>(length), "/%s", path);
  if (fails_at("unlinkat", length > 0 ? whole : path, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, folder, path, flags));
}

int unlink(const char* path) noexcept {
  if (fails_at("remove", path, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int rmdir(const char* path) noexcept {
  if (fails_at("remove", path, Takes::kNoSpace)) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

int remove(const char* path) noexcept {
  if (fails_at("remove", path, Takes::kNoSpace)) return -1;
  const auto result = static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  if (result == 0 || errno != EISDIR) return result;
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

}  // extern "C"
