#include "data/csv_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace strider {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

CsvRecords::CsvRecords(std::string_view text, std::filesystem::path file) : text_(text), file_(std::move(file)) {
  if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

bool CsvRecords::next() {
  while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n"))) {
    at_ += text_[at_] == '\n' ? 1 : 2;
  }
  if (at_ == text_.size()) return false;
  fields_.clear();
  while (true) {
    const bool quoted = at_ < text_.size() && text_[at_] == '"';
    fields_.push_back(quoted ? quoted_field() : plain_field());
    if (at_ == text_.size() || text_[at_] == '\n') break;
    ++at_;  // the comma
  }
  if (at_ < text_.size()) ++at_;
  return true;
}

std::string CsvRecords::line_of(const char* place) const {
  return fmt::format("line {}", 1 + std::count(text_.data(), place, '\n'));
}

std::string_view CsvRecords::plain_field() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n') ++at_;
  std::string_view field = text_.substr(begin, at_ - begin);
  const bool ends_line = at_ == text_.size() || text_[at_] == '\n';
  if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
  return field;
}

std::string_view CsvRecords::quoted_field() {
  const std::size_t begin = at_ + 1;
  std::size_t end = begin;
  while (true) {
    end = text_.find('"', end);
    if (end == std::string_view::npos) {
      throw Error("a quoted field does not end", {.file = file_.string(),
                                                  .place = line_of(text_.data() + begin),
                                                  .advice = "Close the quote, or take the quotes away."});
    }
    if (end + 1 == text_.size() || text_[end + 1] != '"') break;
    end += 2;
  }
  at_ = end + 1;
  if (text_.substr(at_).starts_with("\r\n")) ++at_;
  if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n') {
    throw Error("there is text after a quoted field", {.file = file_.string(),
                                                       .place = line_of(text_.data() + at_),
                                                       .advice = "Put the quotes around the whole field."});
  }
  return text_.substr(begin, end - begin);
}

}  // namespace strider
