#include "io/leftovers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "golden.h"
#include "io/atomic_file.h"
#include "writing.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// The id of a process that has ended: no other has got it since, as ids are given out in turn.
pid_t ended_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

std::string partial_of(const std::string& name, pid_t process) {
  return "." + name + ".partial-" + std::to_string(process);
}

TEST(Leftovers, AreKnownByTheirNames) {
  const test::ScratchFolder scratch;
  for (const char* name :
       {".run.partial-12", ".run.partial-12.old", ".a.partial-1.partial-7", ".run.partial-", ".run.partial-x",
        ".run.partial--3", "run.partial-12", ".partial-12", ".run.partial-12.new", ".run.partial-99999999999999"}) {
    scratch.write(name, "x");
  }
  std::set<std::string> found;
  for (const Leftover& leftover : find_leftovers(scratch.path())) {
    found.insert(leftover.name + " " + std::to_string(leftover.process) + (leftover.is_old ? " old" : ""));
  }
  EXPECT_EQ(found, (std::set<std::string>{"run 12", "run 12 old", "a.partial-1 7"}));
  EXPECT_TRUE(find_leftovers(scratch / "nothing").empty());
}

TEST(Leftovers, TheNextWriterOfAPlaceRemovesThem) {
  const test::ScratchFolder scratch;
  const std::string folder = partial_of("run", ended_process());
  const std::string file = partial_of("data.csv", ended_process());
  const std::string other = partial_of("other", ended_process());
  const std::string alive = partial_of("run", getppid());
  for (const std::string& name : {folder, other, alive}) scratch.write(name + "/half", "x");
  scratch.write(file, "half");
  {
    AtomicFolder writer(scratch / "run");
    EXPECT_EQ(test::names_in(scratch.path()), (std::set<std::string>{file, other, alive, partial_of("run", getpid())}));
  }
  write_file_atomically(scratch / "data.csv", "whole");
  EXPECT_EQ(test::names_in(scratch.path()), (std::set<std::string>{"data.csv", other, alive}));
}

TEST(Leftovers, OfAKilledProcessAreRemovedOfOneThatRunsNot) {
  const test::ScratchFolder scratch;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t writer = fork();
  if (writer == 0) {
    const AtomicFolder folder(scratch / "run");
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  close(ready[1]);
  clear_abandoned(scratch / "run");
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{partial_of("run", writer)});

  // In another container the process id says nothing, but the lock does.
  Leftover seen_from_elsewhere = find_leftovers(scratch.path()).at(0);
  seen_from_elsewhere.process = ended_process();
  EXPECT_FALSE(is_abandoned(seen_from_elsewhere));

  kill(writer, SIGKILL);
  waitpid(writer, nullptr, 0);
  EXPECT_TRUE(is_abandoned(seen_from_elsewhere));
  clear_abandoned(scratch / "run");
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

// Killed between the two renames that replace a folder where names cannot be exchanged.
TEST(Leftovers, AnOldFolderGoesBackToItsEmptyPlace) {
  const test::ScratchFolder scratch;
  const std::string partial = partial_of("run", ended_process());
  scratch.write(partial + "/number", "new");
  scratch.write(partial + ".old/number", "old");
  clear_abandoned(scratch / "run");
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"run"});
  EXPECT_EQ(test::read_text(scratch / "run/number"), "old");

  scratch.write(partial + ".old/number", "older");
  clear_abandoned(scratch / "run");
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"run"});
  EXPECT_EQ(test::read_text(scratch / "run/number"), "old");
}

// Mode 1733, as shared folders for scratch data have it: names can be made in it, but not listed.
TEST(Leftovers, AFolderThatCannotBeListedServes) {
  const test::ScratchFolder scratch;
  fs::permissions(scratch.path(), fs::perms::all);
  fs::create_directory(scratch / "drop");
  ASSERT_EQ(chmod((scratch / "drop").c_str(), geteuid() == 0 ? 01733 : 0311), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(98);
    try {
      const Notices of_file = write_file_atomically(scratch / "drop/file", "whole");
      AtomicFolder folder(scratch / "drop/folder");
      write_file_atomically(folder.path() / "file", "whole");
      const Notices of_folder = folder.commit();
      const bool same = of_file.texts() == of_folder.texts();
      const bool says =
          of_file.texts().size() == 1 && of_file.texts()[0].find("Permission denied") != std::string::npos;
      _exit(same && says ? 7 : 8);
    } catch (...) {  // nothing may leave the forked process
      _exit(99);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  fs::permissions(scratch / "drop", fs::perms::owner_all);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(test::read_text(scratch / "drop/file"), "whole");
  EXPECT_EQ(test::read_text(scratch / "drop/folder/file"), "whole");
}

TEST(Leftovers, WhatCanBeRemovedIsRemoved) {
  const test::ScratchFolder scratch;
  for (const char* name : {"tree/a", "tree/b/c", "tree/d"}) scratch.write(name, "x");
  EXPECT_EQ(remove_what_can_be(scratch / "tree"), 0);
  EXPECT_EQ(remove_what_can_be(scratch / "tree"), 0);
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

}  // namespace
}  // namespace strider
