#pragma once
// Walks in Parquet files. Only data/ includes this.
#include <filesystem>
#include <string>
#include <vector>

#include "data/walk_sources.h"

namespace strider {

/// Whether this program was built with libparquet.
bool has_parquet();

/// The names of the columns. Throws Error, as the next one, where the file is damaged or has_parquet() is false.
std::vector<std::string> parquet_columns(const std::filesystem::path& file);

/// WalkSource::read for a column of lists (of whole numbers or texts) or of texts.
void read_parquet_walks(const std::filesystem::path& file, const std::string& column, const OnWalk& on_walk);

}  // namespace strider
