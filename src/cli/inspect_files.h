#pragma once
// What single files hold, for `strider inspect`.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace strider::cli {

/// A description by the file's name and contents; nothing where the kind is not known. Throws Error for a file that is
/// damaged.
std::optional<nlohmann::ordered_json> describe_file(const std::filesystem::path& file);

nlohmann::ordered_json describe_npz(const std::filesystem::path& file);

/// Steps, losses and evaluations of a trainer_state.json.
nlohmann::ordered_json describe_log(const std::filesystem::path& file);

/// Adds a JSON object's numbers and words, and how many entries what nests has.
void add_fields(const std::filesystem::path& file, nlohmann::ordered_json& description);

}  // namespace strider::cli
