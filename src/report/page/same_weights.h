#pragma once
#include <filesystem>
#include <string>

namespace strider {

/// Why representations (an .npz file) are not those of a model folder: what representation_info.json beside them says
/// of its weights. Empty: they are, or that file does not say. Throws Error where either cannot be read.
std::string weights_mismatch(const std::filesystem::path& model, const std::filesystem::path& representations);

}  // namespace strider
