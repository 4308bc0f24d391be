// What a terminal and a file get to see of a run.
#include "report/training_report.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace strider {
namespace {

using std::chrono::milliseconds;

/// A file in memory, and what was written to it.
class Paper {
 public:
  Paper() : file_(open_memstream(&text_, &size_)) {}
  ~Paper() {
    std::fclose(file_);
    std::free(text_);
  }
  Paper(const Paper&) = delete;
  Paper& operator=(const Paper&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

/// What a terminal shows after `text`: lines that stay, and the one that the cursor is in.
std::vector<std::string> shown(const std::string& text) {
  std::vector<std::string> lines(1);
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      lines.emplace_back();
      column = 0;
    } else if (text[i] == '\r') {
      column = 0;
    } else if (text.compare(i, 3, "\x1b[K") == 0) {
      lines.back().resize(column);
      i += 2;
    } else {
      if (column == lines.back().size()) lines.back().push_back(' ');
      lines.back()[column++] = text[i];
    }
  }
  return lines;
}

ProgressFigures some_figures() {
  return {.step = 1234,
          .max_steps = 2280,
          .loss = 2.1034,
          .excess = 0.3934,
          .tokens_per_second = 12345,
          .share_of_peak = 0.61,
          .seconds_left = 200};
}

TEST(Progress, SaysEverythingWhereThereIsRoom) {
  const std::string bar = progress_bar(some_figures(), 140);
  EXPECT_EQ(bar,
            "[################..............] 1,234/2,280  loss 2.103 (+0.393 over the best)  12.3k tokens/s  "
            "61% of peak  3 min 20 s left");
}

TEST(Progress, NeverWiderThanTheWindow) {
  const ProgressFigures figures = some_figures();
  for (int columns = 0; columns < 160; ++columns) {
    EXPECT_LE(progress_bar(figures, columns).size(), static_cast<std::size_t>(columns)) << columns;
  }
  EXPECT_EQ(progress_bar(figures, 24), "1,234/2,280  loss 2.103");
  EXPECT_EQ(progress_bar(figures, 4), "1,23");
}

TEST(Progress, BarIsFullAtTheEndAndEmptyAtTheStart) {
  ProgressFigures figures = some_figures();
  figures.step = 0;
  EXPECT_EQ(progress_bar(figures, 140).substr(0, 33), "[..............................] ");
  figures.step = figures.max_steps;
  EXPECT_EQ(progress_bar(figures, 140).substr(0, 33), "[##############################] ");
}

TEST(Progress, RecentWorkCountsMost) {
  SpeedMeter meter;
  EXPECT_EQ(meter.tokens_per_second(), 0.0);
  for (int i = 0; i < 100; ++i) meter.add(1000, 1e9, 1, 1.0);
  EXPECT_NEAR(meter.tokens_per_second(), 1000, 1e-6);
  for (int i = 0; i < 60; ++i) meter.add(1000, 1e9, 1, 0.5);
  EXPECT_NEAR(meter.tokens_per_second(), 2000, 60);
  EXPECT_NEAR(meter.seconds_per_step(), 0.5, 0.02);
}

TEST(ScreenTest, ATerminalShowsTheLastStatusBelowTheLines) {
  Paper paper;
  const Clock::time_point start{};
  {
    Screen screen(paper.file(), true, 80);
    EXPECT_EQ(screen.columns(), 79);
    screen.status("a long status line", start);
    screen.status("too soon", start + milliseconds(99));
    EXPECT_EQ(shown(paper.text()), (std::vector<std::string>{"a long status line"}));
    screen.status("short", start + milliseconds(100));
    EXPECT_EQ(shown(paper.text()), (std::vector<std::string>{"short"}));
    screen.line("stays");
    screen.status("next", start + milliseconds(101));
    EXPECT_EQ(shown(paper.text()), (std::vector<std::string>{"stays", "next"}));
  }
  EXPECT_EQ(shown(paper.text()), (std::vector<std::string>{"stays", ""}));
}

TEST(ScreenTest, LinesAreWrappedAtWordsOnATerminalAlone) {
  const std::string text = "  Time: 12 min 30 s at the least, for arithmetic alone\nshort";
  for (const bool is_terminal : {true, false}) {
    Paper paper;
    Screen screen(paper.file(), is_terminal, 30);
    screen.line(text);
    screen.line("/a/path/that/has/no/space/and/is/long");
    const std::string rows = "  Time: 12 min 30 s at the\n    least, for arithmetic\n    alone\nshort";
    EXPECT_EQ(paper.text(), (is_terminal ? rows : text) + "\n/a/path/that/has/no/space/and/is/long\n");
  }
}

// The terminal has wrapped the line; both of its rows are drawn over.
TEST(ScreenTest, ANarrowerWindowKeepsNoStaleStatus) {
  int terminal = -1, screen_side = -1;
  winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(openpty(&terminal, &screen_side, nullptr, nullptr, &size), 0);
  std::FILE* const out = fdopen(screen_side, "w");
  const Clock::time_point start{};
  {
    Screen screen(out, true);
    screen.status(std::string(90, '#'), start);
    size.ws_col = 50;
    ASSERT_EQ(ioctl(terminal, TIOCSWINSZ, &size), 0);
    screen.status("next", start + milliseconds(100));
  }
  std::fclose(out);
  // What was written arrives in parts; the end of the other side is an error here (EIO).
  std::string text, part(4096, '\0');
  for (ssize_t count = 1; count > 0;) {
    count = read(terminal, part.data(), part.size());
    if (count > 0) text.append(part, 0, static_cast<std::size_t>(count));
  }
  EXPECT_NE(text.find("#\x1b[K\x1b[1A\r\x1b[Jnext"), std::string::npos) << text;
  close(terminal);
}

TEST(ScreenTest, AFileGetsPlainLinesOnly) {
  Paper paper;
  {
    Screen screen(paper.file(), false);
    screen.status("a status", Clock::time_point{});
    screen.line("stays");
    screen.clear_status();
  }
  EXPECT_EQ(paper.text(), "stays\n");
}

RunStarted some_run() {
  RunStarted s;
  s.config = "configs/config_2M_llama.json";
  s.hidden_size = 128;
  s.layers = 8;
  s.heads = s.key_value_heads = 8;
  s.intermediate_size = 512;
  s.vocab_size = 1200;
  s.parameters = 2406528;
  s.embedding_parameters = 307200;
  s.train_walks = 114000;
  s.validation_walks = 6000;
  s.tokens_per_epoch = 14592000;
  s.max_length = 128;
  s.max_steps = s.steps_per_epoch = 2280;
  s.walks_per_step = 50;
  s.eval_steps = 200;
  s.best_loss = 1.71;
  s.peak_flops = 200e9;
  s.flops_per_epoch = 2e14;
  s.loss_denominator = "labels";
  s.precision = "float32";
  return s;
}

TEST(TrainingReportTest, SummaryHasTheCountsThatAPaperNeeds) {
  Paper paper;
  Screen screen(paper.file(), false);
  TrainingReport(screen).on_start(some_run());
  const std::string text = paper.text();
  EXPECT_NE(text.find("2,406,528 (307,200 embedding, 2,099,328 non-embedding, 87.2%)"), std::string::npos) << text;
  EXPECT_NE(text.find("2,280 steps of 50 walks (1 epoch)"), std::string::npos) << text;
  EXPECT_NE(text.find("114,000 walks to train on, 14,592,000 tokens"), std::string::npos) << text;
  EXPECT_NE(text.find("16 min 40 s at the least, for arithmetic alone"), std::string::npos) << text;
  EXPECT_NE(text.find("1.7100 per predicted token"), std::string::npos) << text;
}

TEST(TrainingReportTest, Bfloat16MayBeFasterThanTheFloat32Peak) {
  Paper paper;
  Screen screen(paper.file(), false);
  RunStarted summary = some_run();
  summary.precision = "bfloat16";
  TrainingReport(screen).on_start(summary);
  const std::string text = paper.text();
  EXPECT_NE(text.find("Precision: bfloat16 products, float32 sums and weights"), std::string::npos) << text;
  EXPECT_EQ(text.find("at the least"), std::string::npos) << text;
}

TEST(TrainingReportTest, ExcessIsPerPredictedTokenWhateverTheLossIs) {
  Paper paper;
  Screen screen(paper.file(), false);
  TrainingReport report(screen);
  report.on_start(some_run());
  const std::size_t before = paper.text().size();
  report.on_step({.step = 1, .loss = 2.0, .loss_per_prediction = 2.2, .tokens = 6400, .flops = 1e11, .seconds = 1.0});
  report.on_step({.step = 2, .loss = 1.8, .loss_per_prediction = 2.0, .tokens = 6400, .flops = 1e11, .seconds = 1.0});
  report.on_log({.step = 2, .loss = 1.9, .loss_per_prediction = 2.1, .grad_norm = 0.5, .learning_rate = 1e-5});
  report.on_evaluation({.step = 2, .loss = 1.8, .loss_per_prediction = 1.81, .seconds = 20.0});
  const std::string text = paper.text().substr(before);
  EXPECT_NE(text.find("step 2/2,280  loss 1.9000  +0.3900 over the best  learning rate 1.000e-05  gradient norm 0.500  "
                      "6,400 tokens/s  50% of peak"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("Step 2: evaluation loss 1.8000, +0.1000 over the best possible (20 s)\n"), std::string::npos)
      << text;
}

TEST(TrainingReportTest, BfloatRunsAreComparedWithTheFloat32Peak) {
  Paper paper;
  Screen screen(paper.file(), false);
  TrainingReport report(screen);
  RunStarted run = some_run();
  run.precision = "bfloat16";
  report.on_start(run);
  report.on_step({.step = 1, .loss = 2.0, .loss_per_prediction = 2.0, .tokens = 6400, .flops = 3e11, .seconds = 1.0});
  report.on_log({.step = 1, .loss = 2.0, .loss_per_prediction = 2.0, .grad_norm = 0.5, .learning_rate = 1e-5});
  EXPECT_NE(paper.text().find("150% of float32 peak"), std::string::npos) << paper.text();
}

TEST(TrainingReportTest, TimeLeftCountsTheEvaluationsToCome) {
  Paper paper;
  Screen screen(paper.file(), false);
  TrainingReport report(screen);
  RunStarted run = some_run();
  run.max_steps = 400;
  report.on_start(run);
  report.on_step({.step = 200, .loss = 2.0, .loss_per_prediction = 2.0, .tokens = 6400, .flops = 1e11, .seconds = 1.0});
  report.on_evaluation({.step = 200, .loss = 2.0, .loss_per_prediction = 2.0, .seconds = 40.0});
  report.on_log({.step = 200, .loss = 2.0, .loss_per_prediction = 2.0, .grad_norm = 0.5, .learning_rate = 1e-4});
  EXPECT_NE(paper.text().find("4 min 00 s left"), std::string::npos) << paper.text();  // 200 steps and one evaluation
}

TEST(TrainingReportTest, TheEndTellsWhereTheTimeWent) {
  Paper paper;
  Screen screen(paper.file(), false);
  RunEnded end;
  end.wall_seconds = {{"steps", 37.0}, {"evaluation", 2.5}, {"checkpoints", 0.5}};
  TrainingReport(screen).on_end(end);
  EXPECT_NE(paper.text().find("steps 92.5%, evaluation 6.2%, checkpoints 1.2%\n"), std::string::npos) << paper.text();
}

TEST(TrainingReportTest, TheEndTellsOfAMeanOfWeights) {
  Paper paper;
  Screen screen(paper.file(), false);
  RunEnded end;
  end.averaged_steps = 1200;
  TrainingReport(screen).on_end(end);
  EXPECT_NE(paper.text().find("its weights are the mean of those after 1,200 of the last steps (AVERAGE_SHARE)\n"),
            std::string::npos)
      << paper.text();
}

TEST(TrainingReportTest, ATerminalKeepsEvaluationsAndNotSteps) {
  Paper paper;
  {
    Screen screen(paper.file(), true, 200);
    Clock::time_point now{};
    TrainingReport report(screen, [&] { return now; });
    report.on_start(some_run());
    const std::size_t before = shown(paper.text()).size();
    for (int step = 1; step <= 20; ++step) {
      now += milliseconds(20);
      report.on_step({.step = step, .loss = 2.0, .loss_per_prediction = 2.0, .tokens = 1, .flops = 1, .seconds = 0.02});
      report.on_log({.step = step, .loss = 2.0, .loss_per_prediction = 2.0, .grad_norm = 0.5, .learning_rate = 1e-5});
    }
    EXPECT_EQ(shown(paper.text()).size(), before);
    report.on_evaluation({.step = 20, .loss = 1.9, .loss_per_prediction = 1.9, .seconds = 0.1});
    report.on_checkpoint({20, "out/checkpoint-20"});
    EXPECT_EQ(shown(paper.text()).size(), before + 2);
  }
  EXPECT_EQ(shown(paper.text()).back(), "");
}

}  // namespace
}  // namespace strider
