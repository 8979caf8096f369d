#include "file_words.hpp"

#include <charconv>

namespace cove::driver {
namespace {

constexpr int octal = 8;

std::string_view word_for(io::file_kind kind) {
  switch (kind) {
    case io::file_kind::regular: return "file";
    case io::file_kind::directory: return "dir";
    case io::file_kind::symlink: return "symlink";
    case io::file_kind::fifo: return "fifo";
    case io::file_kind::socket: return "socket";
    case io::file_kind::block_device: return "block";
    case io::file_kind::character_device: return "char";
    case io::file_kind::unknown: break;
  }
  return "unknown";
}

}  // namespace

std::uint32_t permissions_or(const request& asked, std::uint32_t fallback) {
  if (!asked.has("mode")) return fallback;
  const std::string& digits = asked.text("mode");
  std::uint32_t mode = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, mode, octal);
  if (read.ec != std::errc() || read.ptr != end)
    throw refusal::bad_request("\"mode\" has to be octal digits");
  return mode;
}

void tell_status(json& members, const io::file_status& status) {
  char digits[8];
  const auto written = std::to_chars(std::begin(digits), std::end(digits), status.mode, octal);
  members["size"] = status.size;
  members["kind"] = word_for(status.kind);
  members["mode"] = std::string(digits, written.ptr);
  members["mtime_ns"] = status.modified.time_since_epoch().count();
}

}  // namespace cove::driver
