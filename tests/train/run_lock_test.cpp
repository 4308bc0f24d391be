// One run at a time in an output folder, and no lock that outlives its process.
#include "train/run_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "golden.h"
#include "train/checkpoint.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

std::string refusal(const fs::path& folder) {
  try {
    const RunLock lock(folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

// A process that holds the lock of `folder` until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& folder) {
    int ready[2];
    if (pipe(ready) != 0) throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ == 0) {
      const RunLock lock(folder);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) throw std::runtime_error("the other process died");
    close(ready[0]);
    close(ready[1]);
  }
  ~Holder() { kill_it(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  pid_t process() const { return process_; }
  void kill_it() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

 private:
  pid_t process_ = 0;
};

TEST(RunLock, TheSecondIsToldWhoTheFirstIs) {
  const test::ScratchFolder scratch;
  const Holder holder(scratch / "out");
  const std::string text = refusal(scratch / "out");
  char host[256] = {};
  ASSERT_EQ(gethostname(host, sizeof host - 1), 0);
  EXPECT_NE(text.find("process " + std::to_string(holder.process()) + " on " + host + ", started 20"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("OUTPUT_DIR"), std::string::npos) << text;
}

TEST(RunLock, EndsWithItsProcess) {
  const test::ScratchFolder scratch;
  {
    Holder holder(scratch / "out");
    holder.kill_it();
  }
  EXPECT_TRUE(fs::exists(scratch / "out/.strider.lock"));
  EXPECT_EQ(refusal(scratch / "out"), "accepted");
  EXPECT_EQ(refusal(scratch / "out"), "accepted");
}

TEST(RunLock, ShowsOnlyWhatCanBePrinted) {
  const test::ScratchFolder scratch;
  const RunLock lock(scratch / "out");
  scratch.write("out/.strider.lock", "\x1b[2Jprocess 1\nsecond line");
  const std::string text = refusal(scratch / "out");
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_NE(text.find("process 1"), std::string::npos) << text;
  EXPECT_EQ(text.find("second"), std::string::npos) << text;
}

TEST(RunLock, ALinkIsNotFollowed) {
  const test::ScratchFolder scratch;
  const fs::path precious = scratch.write("precious", "mine");
  fs::create_directory(scratch / "out");
  fs::create_symlink(precious, scratch / "out/.strider.lock");
  EXPECT_NE(refusal(scratch / "out").find(".strider.lock"), std::string::npos);
  EXPECT_EQ(test::read_text(precious), "mine");
}

TEST(RunLock, RemovesWhatKilledRunsLeft) {
  const test::ScratchFolder scratch;
  for (const char* name : {".checkpoint-10.partial-4711", ".final_model.partial-12.old", ".mine.partial-4711",
                           ".checkpoint-10.partial-x", "checkpoint-10.partial-4711", ".checkpoint-10.partial-"}) {
    scratch.write("out/" + std::string(name) + "/model.safetensors", "half");
  }
  scratch.write("out/.trainer_state.json.partial-99", "half");
  scratch.write("out/.token_representations.npz.partial-99", "of an extraction that may run");
  EXPECT_EQ(refusal(scratch / "out"), "accepted");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(scratch / "out")) left.push_back(entry.path().filename());
  std::sort(left.begin(), left.end());
  EXPECT_EQ(left, (std::vector<std::string>{".checkpoint-10.partial-", ".checkpoint-10.partial-x", ".mine.partial-4711",
                                            ".strider.lock", ".token_representations.npz.partial-99",
                                            "checkpoint-10.partial-4711"}));
}

// Mode 1733: a run could write its checkpoints there, but never find them again.
TEST(RunLock, AnOutputFolderThatCannotBeListedIsRefusedWithAdvice) {
  const test::ScratchFolder scratch;
  fs::permissions(scratch.path(), fs::perms::all);
  fs::create_directory(scratch / "out");
  ASSERT_EQ(chmod((scratch / "out").c_str(), geteuid() == 0 ? 01733 : 0311), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(98);
    try {
      const RunLock lock(scratch / "out");
      list_checkpoints(scratch / "out");
    } catch (const Error& error) {
      _exit(error.details().advice.find("that you may read") != std::string::npos ? 7 : 8);
    }
    _exit(9);
  }
  int status = 0;
  waitpid(child, &status, 0);
  fs::permissions(scratch / "out", fs::perms::owner_all);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(RunLock, AFolderThatNoOneMayWriteToIsNamed) {
  const test::ScratchFolder scratch;
  scratch.write("file", "");
  const std::string text = refusal(scratch / "file/out");
  EXPECT_NE(text.find("cannot make the output folder"), std::string::npos) << text;
  EXPECT_NE(text.find("file/out"), std::string::npos) << text;
}

}  // namespace
}  // namespace strider
