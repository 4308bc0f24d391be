#pragma once
// What a killed process leaves beside the place of a file or folder that it was writing, replacing or removing:
// ".{name}.partial-{process id}" (see partial_name), and with ".old" behind it an old folder that was moved aside.
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/notices.h"

namespace strider {

struct Leftover {
  std::filesystem::path path;
  std::string name;     // of the place that it belongs to
  pid_t process = 0;    // that made it
  bool is_old = false;  // a whole folder that was moved aside, for a moment, to be replaced
};

/// All in `folder`. None where there is no such folder or it cannot be listed: then they stay.
std::vector<Leftover> find_leftovers(const std::filesystem::path& folder);

/// Whether no process works on it: its process is gone, as far as can be seen from here, and nobody holds the lock that
/// a writer has on what it writes. (A process of another machine or container is seen by its lock alone. Where the
/// filesystem has no locks it is not seen: two machines must not write the same place at once.)
bool is_abandoned(const Leftover& leftover);

/// What cannot be removed now (a reader holds a file of it, say) is named in what is returned, and stays for the next
/// who tries.
Notices remove_leftover(const Leftover& leftover);

/// Clears the abandoned leftovers of one place: removes them, or, when one is an old folder and the place is empty,
/// puts it back. What cannot be removed stays.
void clear_abandoned(const std::filesystem::path& place);

/// For the writer: takes the lock of an open file or folder if that can be had; it ends with the descriptor.
void lock_while_writing(int descriptor);

/// Removes a file or a whole folder: as much of it as can be. Returns the error number of what could not, else 0.
int remove_what_can_be(const std::filesystem::path& path);

/// "x cannot be removed now (Device or resource busy). It is left, and removing it is tried again later."
std::string removal_notice(const std::filesystem::path& place, int error_number);

}  // namespace strider
