#pragma once
// Wrong usage, named before the command line is parsed: CLI11 reports a missing option first and hides the misspelt
// one.
#include <string>

namespace CLI {
class App;
}

namespace strider::cli {

/// What is wrong with the command's name or with the names of its options, all of them in the order given, each with
/// the nearest name that exists; empty where nothing is.
std::string wrong_usage(const CLI::App& program, int argc, const char* const* argv);

}  // namespace strider::cli
