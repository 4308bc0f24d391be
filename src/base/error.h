#pragma once
// The one error type of Strider: what went wrong, in which file and where in it, and what to do next.
#include <stdexcept>
#include <string>
#include <utility>

namespace strider {

struct ErrorDetails {
  std::string file;    // the file it happened in; empty where there is none
  std::string place;   // where in that file: "line 3, column 7", "walk 12, position 4"; empty where there is none
  std::string advice;  // what the user can do next; a whole sentence
};

/// what() is the whole message for a person, on one to three lines:
///   <message>
///     in <file>, <place>
///     <advice>
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorDetails details = {});
  const std::string& message() const { return message_; }
  const ErrorDetails& details() const { return details_; }

 private:
  std::string message_;
  ErrorDetails details_;
};

/// The same with strerror(error_number) at the end of the message: for failed system calls.
Error system_error(const std::string& message, int error_number, ErrorDetails details = {});

}  // namespace strider
