#include "base/machine_facts.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <system_error>

#include "base/cgroup.h"
#include "base/exists.h"
#include "base/machine.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

// "MemTotal:       16384 kB" (proc_meminfo(5)).
std::optional<std::uint64_t> memory_field(const fs::path& file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string field;
    std::uint64_t kilobytes = 0;
    if (words >> field >> kilobytes && field == name + ":") return kilobytes * 1024;
  }
  return std::nullopt;
}

std::optional<double> first_number(const fs::path& file) {
  std::ifstream stream(file);
  double number = 0.0;
  if (stream >> number) return number;
  return std::nullopt;
}

std::string system_name() {
  utsname names{};
  if (uname(&names) != 0) return "unknown system";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

class FactReader {
 public:
  explicit FactReader(const fs::path& system) : system_(system) {}

  void read_processors(MachineFacts& facts) {
    if (const long online = sysconf(_SC_NPROCESSORS_ONLN); online > 0) {
      facts.processors_online = static_cast<int>(online);
    } else {
      add("processors online", "the system does not say (sysconf)");
    }
    facts.processors_allowed = processors_allowed();
    if (!facts.processors_allowed) add("processors allowed", "the affinity mask cannot be read");
    facts.load = first_number(system_ / "proc/loadavg");
    if (!facts.load) add("load", "/proc/loadavg cannot be read");
  }

  void read_memory(MachineFacts& facts) {
    const fs::path file = system_ / "proc/meminfo";
    facts.memory_total = memory_field(file, "MemTotal");
    if (!facts.memory_total) add("memory of the machine", "/proc/meminfo has no MemTotal, or cannot be read");
    facts.memory_available = memory_field(file, "MemAvailable");
    if (!facts.memory_available) add("memory available", "/proc/meminfo has no MemAvailable, or cannot be read");
  }

  void read_cgroups(MachineFacts& facts) {
    if (!is_file(system_ / "proc/self/cgroup")) {
      add("limits of cgroups", "/proc/self/cgroup cannot be read");
      return;
    }
    const CgroupLimits limits = read_cgroup_limits(system_);
    facts.processor_quota = limits.processors;
    facts.memory_cgroup = limits.memory_bytes;
  }

  void read_disk(MachineFacts& facts, const fs::path& folder) {
    std::error_code status;
    const fs::space_info space = fs::space(folder, status);
    if (status) {
      add("free disk", folder.empty() ? "there is no such folder" : folder.string() + ": " + status.message());
    } else {
      facts.disk_free = space.available;
    }
  }

  std::vector<MachineFacts::Unknown> unknown() && { return std::move(unknown_); }

 private:
  void add(std::string fact, std::string why) { unknown_.push_back({std::move(fact), std::move(why)}); }

  fs::path system_;
  std::vector<MachineFacts::Unknown> unknown_;
};

}  // namespace

MachineFacts read_machine_facts(const fs::path& folder, const fs::path& system) {
  MachineFacts facts;
  facts.system = system_name();
  facts.processor = processor_name();
  facts.vectors = vector_instructions();
  facts.threads = available_processors();
  facts.memory_limit = memory_limit_bytes();
  FactReader reader(system);
  reader.read_processors(facts);
  reader.read_memory(facts);
  reader.read_cgroups(facts);
  reader.read_disk(facts, folder);
  facts.unknown = std::move(reader).unknown();
  return facts;
}

}  // namespace strider
