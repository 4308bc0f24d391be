#pragma once
// One function per command: adds its options to the program and what to call when it is chosen.
namespace CLI {
class App;
}

namespace strider::cli {

void add_graph_command(CLI::App& program);
void add_walks_command(CLI::App& program);
void add_dataset_command(CLI::App& program);
void add_train_command(CLI::App& program);
void add_extract_command(CLI::App& program);
void add_tune_command(CLI::App& program);
void add_measure_command(CLI::App& program);
void add_report_command(CLI::App& program);
void add_inspect_command(CLI::App& program);
void add_doctor_command(CLI::App& program);
void add_completion_command(CLI::App& program);
void add_man_command(CLI::App& program);

}  // namespace strider::cli
