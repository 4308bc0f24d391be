#include "base/error.h"

#include <system_error>

namespace strider {
namespace {

std::string compose(const std::string& message, const ErrorDetails& details) {
  std::string text = message;
  if (!details.file.empty()) {
    text += "\n  in " + details.file;
    if (!details.place.empty()) text += ", " + details.place;
  } else if (!details.place.empty()) {
    text += "\n  at " + details.place;
  }
  if (!details.advice.empty()) text += "\n  " + details.advice;
  return text;
}

}  // namespace

Error::Error(const std::string& message, ErrorDetails details)
    : std::runtime_error(compose(message, details)), message_(message), details_(std::move(details)) {}

Error system_error(const std::string& message, int error_number, ErrorDetails details) {
  return Error(message + ": " + std::generic_category().message(error_number), std::move(details));
}

}  // namespace strider
