#include "standard_streams.hpp"

#include <unistd.h>

#include <cerrno>

namespace cove::driver {

std::optional<std::string> line_reader::next() {
  for (;;) {
    if (const std::size_t end = pending_.find('\n', searched_); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      searched_ = 0;
      return line;
    }
    searched_ = pending_.size();
    char more[65536];
    const ssize_t n = ::read(STDIN_FILENO, more, sizeof more);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    pending_.append(more, static_cast<std::size_t>(n));
  }
}

void line_writer::write(const json& line) {
  // What the system says may be no UTF-8; a reply has to be.
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  const std::lock_guard guard(lock_);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return;  // Nobody is there to be told.
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

}  // namespace cove::driver
