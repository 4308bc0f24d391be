// strider doctor: what this machine is to Strider, and what would make runs faster on it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/machine.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/doctor_advice.h"
#include "cli/say.h"
#include "data/libraries.h"
#include "engine/libraries.h"
#include "engine/precision.h"
#include "engine/product_speed.h"
#include "geometry/libraries.h"
#include "io/libraries.h"
#include "report/figures.h"
#include "report/libraries.h"

namespace strider::cli {
namespace {

using nlohmann::ordered_json;

struct Findings {
  std::filesystem::path folder;
  MachineFacts facts;
  MeasuredSpeed speed;
  std::vector<LibraryVersion> libraries;
  std::vector<std::string> advice;
};

std::vector<LibraryVersion> all_libraries() {
  std::vector<LibraryVersion> all{{"CLI11", CLI11_VERSION}};
  for (const auto& some : {base_libraries(), io_libraries(), data_libraries(), engine_libraries(), geometry_libraries(),
                           report_libraries()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

Findings examine() {
  Findings found;
  std::error_code gone;  // a current folder that was removed has no name, and its disk is then not known
  found.folder = std::filesystem::current_path(gone);
  found.facts = read_machine_facts(found.folder);
  const int threads = found.facts.threads;
  found.speed = {.multiply_adds = measure_peak_flops(threads),
                 .products_float32 = measure_product_flops(Precision::kFloat32, threads),
                 .products_bfloat16 = measure_product_flops(Precision::kBfloat16, threads)};
  found.libraries = all_libraries();
  found.advice = doctor_advice(found.facts, found.speed, build_type());
  return found;
}

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json as_json(const Findings& found) {
  const MachineFacts& facts = found.facts;
  ordered_json libraries = ordered_json::object(), unknown = ordered_json::object();
  for (const LibraryVersion& library : found.libraries) libraries[library.name] = library.version;
  for (const MachineFacts::Unknown& fact : facts.unknown) unknown[fact.fact] = fact.why;
  return {{"system", facts.system},
          {"processor",
           {{"name", facts.processor},
            {"vectors", facts.vectors},
            {"bfloat16_products", has_bfloat16_products()},
            {"online", or_null(facts.processors_online)},
            {"allowed", or_null(facts.processors_allowed)},
            {"quota", or_null(facts.processor_quota)},
            {"load", or_null(facts.load)},
            {"threads", facts.threads}}},
          {"flops",
           {{"multiply_adds_float32", found.speed.multiply_adds},
            {"products_float32", found.speed.products_float32},
            {"products_bfloat16", found.speed.products_bfloat16}}},
          {"memory",
           {{"total", or_null(facts.memory_total)},
            {"available", or_null(facts.memory_available)},
            {"cgroup_limit", or_null(facts.memory_cgroup)},
            {"limit", facts.memory_limit}}},
          {"disk",
           {{"folder", found.folder.empty() ? ordered_json() : ordered_json(found.folder.string())},
            {"free", or_null(facts.disk_free)}}},
          {"versions",
           {{"strider", program_version()},
            {"compiler", compiler_version()},
            {"build_type", build_type()},
            {"libraries", libraries}}},
          {"advice", found.advice},
          {"not_known", unknown}};
}

std::string count_or(const std::optional<int>& value) {
  return value ? fmt::format("{}", *value) : "not known";
}

std::string bytes_or(const std::optional<std::uint64_t>& value, const char* none) {
  return value ? short_bytes(*value) : none;
}

bool is_known(const MachineFacts& facts, const std::string& name) {
  return std::ranges::none_of(facts.unknown, [&](const auto& fact) { return fact.fact == name; });
}

void print_machine(const Findings& found) {
  const MachineFacts& facts = found.facts;
  const char* const no_limit = is_known(facts, "limits of cgroups") ? "none" : "not known";
  say("Processor: {}\n", facts.processor);
  say("  Vector instructions: {}, bfloat16 products: {}\n", facts.vectors, has_bfloat16_products() ? "yes" : "no");
  say("  Processors: {} online, {} allowed, quota {}\n", count_or(facts.processors_online),
      count_or(facts.processors_allowed),
      facts.processor_quota ? fmt::format("{:.2g}", *facts.processor_quota) : no_limit);
  say("  THREADS=all: {}\n", facts.threads);
  say("  Load: {}\n", facts.load ? fmt::format("{:.2f}", *facts.load) : "not known");
  say("Measured, with {} thread{}:\n", facts.threads, facts.threads == 1 ? "" : "s");
  say("  Multiply-adds in registers, float32: {}\n", short_flops(found.speed.multiply_adds));
  say("  Matrix products, float32: {}\n", short_flops(found.speed.products_float32));
  say("  Matrix products, bfloat16: {}\n", short_flops(found.speed.products_bfloat16));
  say("Memory: {}, {} available\n", bytes_or(facts.memory_total, "not known"),
      bytes_or(facts.memory_available, "not known"));
  say("  Limit of cgroups: {}\n", bytes_or(facts.memory_cgroup, no_limit));
  say("  A run may take: {}\n", short_bytes(facts.memory_limit));
  say("Disk: {} free in the current folder\n", bytes_or(facts.disk_free, "not known"));
}

void print_findings(const Findings& found) {
  print_machine(found);
  say("System: {}\n", found.facts.system);
  say("Strider {}, built by {} as {}\n", program_version(), compiler_version(), build_type());
  std::string libraries;
  for (const LibraryVersion& library : found.libraries) {
    libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", library.name, library.version);
  }
  say("  {}\n", libraries);
  for (const MachineFacts::Unknown& fact : found.facts.unknown) say("Not known: {} ({})\n", fact.fact, fact.why);
  say("\n{}\n", found.advice.empty() ? "Nothing here holds runs back." : "What would help runs here:");
  for (const std::string& advice : found.advice) say("  - {}\n", advice);
}

}  // namespace

void add_doctor_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("doctor", "Say what this machine is, and what would make runs faster on it");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->footer(
      "It measures for half a second. Speeds are in floating-point operations per second: a multiplication and an\n"
      "addition are two. Sizes in the JSON are in bytes; what cannot be read is null there, and not_known says why.");
  command->callback([json] {
    const Findings found = examine();
    if (*json) {
      say("{}\n", as_json(found).dump(2));
    } else {
      print_findings(found);
    }
  });
}

}  // namespace strider::cli
