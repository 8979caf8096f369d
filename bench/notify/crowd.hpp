#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace notify {

/// The result of a system call. Errors: std::system_error with errno, if it is negative.
int checked(int result, const char* call);

/// The descriptors that are watched, and a way to make some of them readable. Each is one end of a
/// pair of connected local sockets: that is the cheapest thing that a read of cove takes, and
/// nothing sent through it is ever lost. The other ends have high numbers, so that `select` can
/// have the low ones.
class crowd {
 public:
  /// Errors: std::system_error, above all for want of descriptors: it takes two for each.
  explicit crowd(std::size_t count);
  ~crowd();
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  std::span<const int> watched() const noexcept { return watched_; }

  /// From here on the caller closes them; they are watched and roused as before.
  std::span<const int> give_away() noexcept {
    owned_ = false;
    return watched_;
  }

  /// Makes `count` of them readable, with one byte each. Each call goes on where the last one
  /// stopped, so that everyone has its turn.
  void rouse(std::size_t count);

  /// Calls `each(fd)` for those that the last rouse() made readable.
  template <class Each>
  void for_roused(Each each) const {
    for (std::size_t i = 0; i < roused_; ++i) each(watched_[(first_ + i) % watched_.size()]);
  }

 private:
  std::vector<int> watched_;
  std::vector<int> others_;
  bool owned_ = true;  ///< The watched ends.
  std::size_t first_ = 0;
  std::size_t roused_ = 0;
};

/// Takes the byte out of one that is readable.
void read_byte(int fd);

}  // namespace notify
