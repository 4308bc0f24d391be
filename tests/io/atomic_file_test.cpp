#include "io/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <set>

#include "base/error.h"
#include "golden.h"
#include "writing.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

/// Runs `work` in a process of its own; its exit status, 99 for an exception that is no Error.
int status_of_process(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    int status = 99;
    try {
      status = work();
    } catch (...) {  // nothing may leave the forked process
    }
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch / "a/b/data.txt";
  const std::string large(3'000'000, 'x');  // larger than any buffer
  {
    AtomicFile writer(file);
    writer.write("start ");
    writer.write(large);
    writer.write(" end");
    EXPECT_FALSE(fs::exists(file));
    writer.commit();
  }
  EXPECT_EQ(test::read_text(file), "start " + large + " end");
  EXPECT_EQ(test::names_in(file.parent_path()), std::set<std::string>{"data.txt"});
}

TEST(AtomicFile, WithoutCommitTheOldOneStaysAndNothingIsLeft) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch.write("data.txt", "old");
  {
    AtomicFile writer(file);
    writer.write("new");
  }
  EXPECT_EQ(test::read_text(file), "old");
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"data.txt"});
  write_file_atomically(file, "");
  EXPECT_EQ(test::read_text(file), "");
}

TEST(AtomicFile, AKilledProcessLeavesTheOldOne) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch.write("data.txt", "old");
  EXPECT_EQ(status_of_process([&] {
              AtomicFile writer(file);
              writer.write(std::string(2'000'000, 'x'));
              _exit(3);
              return 0;
            }),
            3);
  EXPECT_EQ(test::read_text(file), "old");
}

TEST(AtomicFile, AFullDiskIsAnErrorThatLeavesTheOldOne) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch.write("data.txt", "old");
  EXPECT_EQ(status_of_process([&] {
              signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{100'000, 100'000};
              setrlimit(RLIMIT_FSIZE, &limit);
              try {
                write_file_atomically(file, std::string(2'000'000, 'x'));
              } catch (const Error& error) {
                return error.details().file == file.string() ? 7 : 8;
              }
              return 0;
            }),
            7);
  EXPECT_EQ(test::read_text(file), "old");
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"data.txt"});
}

TEST(AtomicFile, PlacesThatCannotBeAreNamed) {
  const test::ScratchFolder scratch;
  scratch.write("file", "x");
  fs::create_directories(scratch / "folder/inside");
  for (const fs::path& place : {scratch / "file/below.txt", scratch / "folder"}) {
    try {
      write_file_atomically(place, "text");
      ADD_FAILURE() << place << " was written";
    } catch (const Error& error) {
      EXPECT_NE(error.details().file.find(scratch.path().string()), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(test::names_in(scratch.path()), (std::set<std::string>{"file", "folder"}));
}

TEST(AtomicFile, AFolderWithoutPermissionSaysWhatToDo) {
  const test::ScratchFolder scratch;
  fs::create_directory(scratch / "closed");
  fs::permissions(scratch / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(scratch.path(), fs::perms::all);
  const int status = status_of_process([&] {
    if (geteuid() == 0 && setuid(65534) != 0) return 98;
    try {
      write_file_atomically(scratch / "closed/data.txt", "text");
    } catch (const Error& error) {
      const bool says = error.message().find("Permission denied") != std::string::npos;
      return says && error.details().advice.find("may write") != std::string::npos ? 7 : 8;
    }
    return 0;
  });
  fs::permissions(scratch / "closed", fs::perms::owner_all);
  EXPECT_EQ(status, 7);
}

TEST(RemoveAtomically, AKilledRemovalLeavesNothingHalfInItsPlace) {
  for (int moment = 0; moment < 40; ++moment) {
    const test::ScratchFolder scratch;
    for (int i = 0; i < 50; ++i) scratch.write("folder/" + std::to_string(i), "x");
    const pid_t child = fork();
    if (child == 0) {
      remove_atomically(scratch / "folder");
      _exit(0);
    }
    usleep(static_cast<useconds_t>(moment * 40));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (!fs::exists(scratch / "folder")) continue;
    const auto files = std::distance(fs::directory_iterator(scratch / "folder"), fs::directory_iterator());
    EXPECT_EQ(files, 50) << "killed after " << moment * 40 << " microseconds";
  }
}

TEST(RemoveAtomically, WhatAnEarlierRemovalLeftGoesToo) {
  const test::ScratchFolder scratch;
  scratch.write("folder/file", "x");
  scratch.write(".folder.partial-" + std::to_string(getpid()) + "/file", "left");
  EXPECT_TRUE(remove_atomically(scratch / "folder").empty());
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(RemoveAtomically, FilesFoldersAndWhatIsNotThere) {
  const test::ScratchFolder scratch;
  scratch.write("file", "x");
  scratch.write("folder/inner/file", "x");
  for (const char* name : {"file", "folder/", "nothing"}) remove_atomically(scratch / name);
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(AtomicFolder, ReplacesAWholeFolder) {
  const test::ScratchFolder scratch;
  scratch.write("run/old.txt", "old");
  scratch.write("run/deep/er.txt", "old");
  {
    AtomicFolder folder(scratch / "run/");  // a slash at the end is no other place
    write_file_atomically(folder.path() / "new.txt", "new");
    write_file_atomically(folder.path() / "sub/new.txt", "new");
    EXPECT_EQ(test::names_in(scratch / "run"), (std::set<std::string>{"old.txt", "deep"}));
    folder.commit();
  }
  EXPECT_EQ(test::names_in(scratch / "run"), (std::set<std::string>{"new.txt", "sub"}));
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"run"});
}

TEST(AtomicFolder, AppearsWhereNoneWas) {
  const test::ScratchFolder scratch;
  AtomicFolder folder(scratch / "a/b/run");
  write_file_atomically(folder.path() / "x", "1");
  folder.commit();
  EXPECT_EQ(test::names_in(scratch / "a/b"), std::set<std::string>{"run"});
  EXPECT_EQ(test::names_in(scratch / "a/b/run"), std::set<std::string>{"x"});
}

TEST(AtomicFolder, WithoutCommitTheOldOneStays) {
  const test::ScratchFolder scratch;
  scratch.write("run/old.txt", "old");
  {
    AtomicFolder folder(scratch / "run");
    write_file_atomically(folder.path() / "new.txt", "new");
  }
  EXPECT_EQ(test::names_in(scratch / "run"), std::set<std::string>{"old.txt"});
  EXPECT_EQ(test::names_in(scratch.path()), std::set<std::string>{"run"});
}

TEST(AtomicFolder, AFileInItsPlaceIsNotSwallowed) {
  const test::ScratchFolder scratch;
  const fs::path file = scratch.write("run", "a file");
  EXPECT_THROW(AtomicFolder{file}, Error);
  {
    AtomicFolder folder(scratch / "late");
    scratch.write("late", "a file that came meanwhile");
    EXPECT_THROW(folder.commit(), Error);
  }
  EXPECT_EQ(test::read_text(scratch / "late"), "a file that came meanwhile");
  EXPECT_EQ(test::names_in(scratch.path()), (std::set<std::string>{"run", "late"}));
}

TEST(AtomicFolder, ALinkStaysAndItsFolderIsReplaced) {
  const test::ScratchFolder scratch;
  scratch.write("disk/run/old.txt", "old");
  fs::create_directory_symlink("disk/run", scratch / "link");
  AtomicFolder folder(scratch / "link");
  write_file_atomically(folder.path() / "new.txt", "new");
  folder.commit();
  EXPECT_TRUE(fs::is_symlink(scratch / "link"));
  EXPECT_EQ(test::names_in(scratch / "disk/run"), std::set<std::string>{"new.txt"});
  EXPECT_EQ(test::names_in(scratch / "disk"), std::set<std::string>{"run"});
}

// A reader that looks at any moment finds one whole folder: the old or the new one.
TEST(AtomicFolder, EveryMomentShowsOneWholeFolder) {
  const test::ScratchFolder scratch;
  fs::create_directory(scratch / "a");
  fs::create_directory(scratch / "b");
  if (renameat2(AT_FDCWD, (scratch / "a").c_str(), AT_FDCWD, (scratch / "b").c_str(), RENAME_EXCHANGE) != 0) {
    GTEST_SKIP() << "this filesystem cannot exchange two names";
  }
  scratch.write("run/number", "0");
  const pid_t writer = fork();
  if (writer == 0) {
    for (int i = 1; i <= 30; ++i) {
      AtomicFolder folder(scratch / "run");
      write_file_atomically(folder.path() / "number", std::to_string(i));
      folder.commit();
    }
    _exit(0);
  }
  int looks = 0;
  int missing = 0;
  while (waitpid(writer, nullptr, WNOHANG) == 0) {
    if (!fs::exists(scratch / "run")) ++missing;
    ++looks;
  }
  EXPECT_EQ(missing, 0) << "of " << looks << " looks";
  EXPECT_GT(looks, 30);
  EXPECT_EQ(test::read_text(scratch / "run/number"), "30");
}

}  // namespace
}  // namespace strider
