#pragma once
// What the writers of files share: the name that a file has until it is whole, and the error of a failed system call.
#include <filesystem>

namespace strider {

/// Beside its place, so that the rename stays on one filesystem; hidden, and named after the process that writes it.
std::filesystem::path partial_name(const std::filesystem::path& place);

/// Renames; where that fails `partial` is removed and Error thrown.
void rename_into_place(const std::filesystem::path& partial, const std::filesystem::path& file);

/// Throws Error with strerror(error_number) and, for a full disk or a missing permission, what to do about it.
[[noreturn]] void fail_on_file(const char* what, int error_number, const std::filesystem::path& file);

}  // namespace strider
