#pragma once
// Walks in other kinds of files than the CSV that is read: each is known by its first bytes or lines and refused by its
// name, with a command that converts it, and with FROM (walk_sources.h) where that reads it.
#include <filesystem>
#include <string>
#include <string_view>

namespace strider {

/// Throws Error when `text`, the whole of `file`, is no CSV with a header but another kind that people keep walks in:
/// compressed, Parquet, Arrow, JSON, plain text, edge lists, other separators, no header ...
void refuse_other_kinds(std::string_view text, const std::filesystem::path& file);

/// A command that numbers the tokens of a CSV of walks from 0 without gaps, whether they are words or numbers, and
/// keeps which is which in OUT.csv.ids.json. Without the command's own quotes doubled: it is pasted as it is.
std::string numbering_command(const std::filesystem::path& file);

/// A command that writes lists ("[0, 1, 2]") in the column sequence_labels as numbers with spaces between.
std::string unlisting_command(const std::filesystem::path& file);

}  // namespace strider
