#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace cove::examples {

/// How far a job is, on a terminal; elsewhere it says nothing. One task at a time.
class progress_bar {
 public:
  /// `whole` 0: nobody knows how much there is.
  explicit progress_bar(std::uint64_t whole)
      : whole_(whole), shown_(::isatty(STDERR_FILENO) != 0) {}
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar() {
    if (!shown_) return;
    draw();
    std::fputc('\n', stderr);
  }

  void add(std::uint64_t bytes) {
    done_ += bytes;
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    draw();
  }

 private:
  void draw() const {
    constexpr std::uint64_t width = 40;
    const double mebibytes = static_cast<double>(done_) / (1 << 20);
    if (whole_ == 0) {
      std::fprintf(stderr, "\r\033[K%.1f MiB", mebibytes);
      return;
    }
    const double part =
        done_ < whole_ ? static_cast<double>(done_) / static_cast<double>(whole_) : 1.0;
    const auto filled = static_cast<std::size_t>(part * width);
    std::fprintf(stderr, "\r\033[K[%s%s] %3.0f %%  %.1f MiB", std::string(filled, '#').c_str(),
                 std::string(width - filled, ' ').c_str(), part * 100, mebibytes);
  }

  const std::uint64_t whole_;
  const bool shown_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace cove::examples
