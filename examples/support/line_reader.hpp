#pragma once

#include <cove/net.hpp>

#include <optional>
#include <string>

namespace cove::examples {

/// The lines that come over a connection, without their ends.
class line_reader {
 public:
  explicit line_reader(net::tcp_stream& from) : from_(from) {}

  /// Nothing at the end of the stream, where half a line does not count.
  task<std::optional<std::string>> next() {
    std::size_t end = 0;
    while ((end = held_.find('\n')) == std::string::npos) {
      if (held_.size() > longest)
        throw error(std::make_error_code(std::errc::message_size), "read a line",
                    "a line has at most 1000 bytes");
      const auto received = co_await from_.receive();
      if (received.empty()) co_return std::nullopt;
      held_.append(reinterpret_cast<const char*>(received.bytes().data()), received.bytes().size());
    }
    std::string line = held_.substr(0, end);
    held_.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    co_return line;
  }

 private:
  static constexpr std::size_t longest = 1000;

  net::tcp_stream& from_;
  std::string held_;
};

}  // namespace cove::examples
