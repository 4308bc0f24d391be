#pragma once
// What the writers of files share: the name that a file has until it is whole, how it gets to the disk and to its
// place, and the error of a failed system call.
#include <filesystem>
#include <string_view>

#include "base/notices.h"

namespace strider {

inline constexpr std::string_view kPartialMark = ".partial-";

/// Beside its place, so that the rename stays on one filesystem; hidden, and named after the process that writes it.
std::filesystem::path partial_name(const std::filesystem::path& place);

/// Renames; where that fails `partial` is removed and Error thrown.
void rename_into_place(const std::filesystem::path& partial, const std::filesystem::path& file);

/// write(2) until all of it is written; in one call, unless the disk is full or a signal interrupts it. Throws Error.
void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& file);

/// fsync of an open file. Returns 0, or the error number of a filesystem that says that it cannot do that. Throws Error
/// when what was written did not get to the disk (EIO, ENOSPC ...); `file` is its name there.
int flush_open_file(int descriptor, const std::filesystem::path& file);

/// The same of a file that is closed already.
int flush_file(const std::filesystem::path& file);

/// fsync of a folder: that the names in it, such as that of a rename before, survive a loss of power. Some filesystems
/// cannot do that, and a folder that may be written to need not be readable, so whatever the answer, the work goes on.
/// Returns 0 or the error number. A disk that fails does so in the next write too.
int flush_folder(const std::filesystem::path& folder);

/// What a user should know when something in `folder` could not be flushed: nothing for error number 0.
Notices flush_notice(const std::filesystem::path& folder, int error_number);

/// Throws Error with strerror(error_number) and, for a full disk or a missing permission, what to do about it.
[[noreturn]] void fail_on_file(const char* what, int error_number, const std::filesystem::path& file);

}  // namespace strider
