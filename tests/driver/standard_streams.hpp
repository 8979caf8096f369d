#pragma once

#include "request.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace cove::driver {

/// Standard input, line by line, for the one thread that reads it.
class line_reader {
 public:
  /// The next line without its end; nothing at the end of input.
  std::optional<std::string> next();

 private:
  std::string pending_;
  std::size_t searched_ = 0;  ///< No line ends before here.
};

/// Standard output: one write for one whole line, whoever says it.
class line_writer {
 public:
  /// Threads: any.
  void write(const json& line);

 private:
  std::mutex lock_;
};

}  // namespace cove::driver
