// strider: reads the command line, runs one command, turns errors into exit codes: 0 done, 1 failed, 2 wrong usage.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/usage.h"

namespace {
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

// What was printed before the error comes before it, also where both go to one file.
void print_error(const char* text) {
  std::fflush(stdout);
  std::fprintf(stderr, "Error: %s\n", text);
}
}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // see cli/say.h
  CLI::App program{
      "Trains small Llama models on walks over graphs and extracts their token representations.\n"
      "The steps, in order: graph, walks, dataset, train, extract. Each reads what the one before wrote."};
  program.set_version_flag("--version", "strider " + strider::program_version());
  program.require_subcommand(1);
  program.get_formatter()->column_width(34);
  strider::cli::add_graph_command(program);
  strider::cli::add_walks_command(program);
  strider::cli::add_dataset_command(program);
  strider::cli::add_train_command(program);
  strider::cli::add_extract_command(program);
  strider::cli::add_measure_command(program);
  strider::cli::add_report_command(program);
  strider::cli::add_tune_command(program);
  strider::cli::add_inspect_command(program);
  strider::cli::add_doctor_command(program);
  strider::cli::add_completion_command(program);
  strider::cli::add_man_command(program);
  if (const std::string wrong = strider::cli::wrong_usage(program, argc, argv); !wrong.empty()) {
    print_error(wrong.c_str());
    return kWrongUsage;
  }
  try {
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& ended) {  // a command that ends with a code of its own
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : kWrongUsage;
  } catch (const strider::Error& error) {
    print_error(error.what());
  } catch (const std::bad_alloc&) {
    print_error("out of memory\n  Use a smaller BATCH_SIZE (with GRAD_ACCUM to keep the step) or fewer THREADS.");
  } catch (const std::exception& error) {
    print_error(error.what());
  }
  return kFailed;
}
