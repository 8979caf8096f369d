#include "path_calls.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

// A copy of a file, by the best way that its file systems have:
//
//   clone        FICLONE: both files share their blocks; a moment, whatever the size
//   copy range   copy_file_range(2): the kernel, or the server, copies
//   sendfile     sendfile(2): the kernel copies through its cache
//   plain        read(2) and write(2)
//
// The first that works from the start takes all of it. A way that is refused leaves both files
// where they stand, so the next one goes on from there; a refusal of the last is the outcome. Which
// errors mean "not this way" is not the same on all kernels and file systems, so every error does
// that: the disk that is full is full for the next way, too, which then says so. A file of /proc
// has the size 0 and contents that only read(2) is sure to give, so 0 bytes end the copy only where
// a way has moved some before, or it is the plain one.
//
// A clone keeps holes; the others would fill them. So a file that takes less room than it has bytes
// is copied piece by piece, from SEEK_DATA to SEEK_HOLE of lseek(2), and what is between stays a
// hole. A file that takes all of its room is not asked, and where the file system does not tell,
// all of it is copied.

namespace cove::io::detail {
namespace {

using cove::detail::own_number;

/// Closes at its end.
class opened {
 public:
  explicit opened(int fd) noexcept : fd_(fd) {}
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const noexcept { return fd_; }
  /// The outcome of the close, which is where some file systems tell of a write that failed.
  std::error_code close() noexcept {
    const int number = std::exchange(fd_, -1);
    return ::close(number) == 0 || errno == EINTR ? std::error_code() : last_error();
  }

 private:
  int fd_;
};

enum class step : std::uint8_t { moved, ended, refused };

struct moving {
  moving(int source, int target) noexcept : from(source), to(target) {}

  int from;
  int to;
  std::uint64_t copied = 0;
  std::uint64_t end = UINT64_MAX;  ///< Where the piece ends that is being copied.
  std::size_t way = 0;             ///< Those before it were refused.
  std::error_code why;             ///< Of the last refusal.

  step book(ssize_t n) noexcept {
    if (n < 0) return why = last_error(), step::refused;
    if (n == 0) return step::ended;
    copied += static_cast<std::uint64_t>(n);
    return step::moved;
  }
  /// What a step may move of the piece.
  std::size_t part(std::size_t most) const noexcept {
    return static_cast<std::size_t>(std::min<std::uint64_t>(most, end - copied));
  }
};

/// How much a step moves, and so how long a request waits.
constexpr std::size_t range_bytes = std::size_t{16} << 20U;

step copy_range(moving& on) noexcept {
  return on.book(uninterrupted([&] {
    return ::copy_file_range(on.from, nullptr, on.to, nullptr, on.part(range_bytes), 0);
  }));
}

step send_file(moving& on) noexcept {
  return on.book(
      uninterrupted([&] { return ::sendfile(on.to, on.from, nullptr, on.part(range_bytes)); }));
}

step read_and_write(moving& on) noexcept {
  std::array<char, std::size_t{64} << 10U> part;
  const std::size_t most = on.part(part.size());
  const ssize_t n = uninterrupted([&] { return ::read(on.from, part.data(), most); });
  if (n <= 0) return on.book(n);
  for (ssize_t written = 0; written < n;) {
    const auto left = static_cast<std::size_t>(n - written);
    const ssize_t more = uninterrupted([&] { return ::write(on.to, part.data() + written, left); });
    if (more < 0) return on.book(more);
    written += more;
  }
  return on.book(n);
}

/// Up to the end of the piece, or of the source.
std::error_code copy_piece(moving& on, path_job& job, const asked_flag& asked) noexcept {
  constexpr std::array ways{copy_range, send_file, read_and_write};
  for (; on.way < ways.size(); ++on.way) {
    const std::uint64_t before = on.copied;
    step last = step::moved;
    while (last == step::moved) {
      if (on.copied == on.end) return {};
      if (asked.load(std::memory_order_relaxed)) {
        job.broken_off = true;
        return {};
      }
      last = ways[on.way](on);
    }
    const bool is_plain = on.way + 1 == ways.size();
    if (last == step::ended && (on.copied != before || is_plain)) return {};
  }
  return on.why;
}

/// Where the next piece begins; behind the last one that is `size`, what the file has now.
std::error_code find_piece(const moving& on, std::uint64_t& size, std::uint64_t& begin) noexcept {
  for (;;) {
    const off_t data = ::lseek(on.from, static_cast<off_t>(on.copied), SEEK_DATA);
    if (data < 0 && errno != ENXIO) return last_error();
    begin = data < 0 ? size : static_cast<std::uint64_t>(data);
    if (data >= 0) return {};
    // Nothing but a hole up to the end: but up to which, if somebody writes meanwhile?
    struct stat now{};
    if (::fstat(on.from, &now) != 0) return last_error();
    const auto size_now = static_cast<std::uint64_t>(now.st_size);
    if (std::exchange(size, size_now) == size_now) return {};
  }
}

/// Has both files stand at `at`.
std::error_code skip_to(moving& on, std::uint64_t at) noexcept {
  for (const int fd : {on.from, on.to})
    if (::lseek(fd, static_cast<off_t>(at), SEEK_SET) < 0) return last_error();
  on.copied = at;
  return {};
}

/// All but the holes of a file of `size` bytes. Where the file system does not tell them: all.
std::error_code copy_pieces(moving& on, std::uint64_t size, path_job& job,
                            const asked_flag& asked) noexcept {
  for (;;) {
    std::uint64_t begin = 0;
    if (const std::error_code why = find_piece(on, size, begin))
      return on.copied == 0 ? copy_piece(on, job, asked) : why;
    if (begin >= size) break;
    const off_t hole = ::lseek(on.from, static_cast<off_t>(begin), SEEK_HOLE);
    if (hole < 0) return last_error();
    if (const std::error_code why = skip_to(on, begin)) return why;
    on.end = static_cast<std::uint64_t>(hole);
    const std::error_code why = copy_piece(on, job, asked);
    if (why || job.broken_off) return why;
    if (on.copied != begin) continue;
    size = begin;  // Somebody has cut the file.
    break;
  }
  const auto end = static_cast<off_t>(size);
  if (uninterrupted([&] { return ::ftruncate(on.to, end); }) != 0) return last_error();
  on.copied = size;
  return {};
}

std::error_code copy_contents(moving& on, const struct stat& source, path_job& job,
                              const asked_flag& asked) noexcept {
  if (::ioctl(on.to, FICLONE, on.from) == 0) {
    struct stat made{};
    if (::fstat(on.to, &made) == 0) on.copied = static_cast<std::uint64_t>(made.st_size);
    return {};
  }
  constexpr blksize_t sector = 512;
  if (source.st_blocks >= source.st_size / sector) return copy_piece(on, job, asked);
  return copy_pieces(on, static_cast<std::uint64_t>(source.st_size), job, asked);
}

/// The target: made, or there and to be overwritten. What it holds is not touched yet, as it may be
/// the source.
int open_target(const path_job& job, std::uint32_t mode, bool& made) noexcept {
  const auto open_with = [&job, mode](int more) {
    constexpr int flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK;
    return own_number(uninterrupted([&] { return ::open(job.other.c_str(), flags | more, mode); }));
  };
  const int fresh = open_with(O_CREAT | O_EXCL);
  made = fresh >= 0;
  if (made || errno != EEXIST || job.exclusive) return fresh;
  const int there = open_with(0);
  if (there >= 0 || errno != ENOENT) return there;
  // Somebody removed it in between; or it is a link that leads to a name that is free.
  return open_with(O_CREAT);
}

std::error_code check_source(int fd, struct stat& source) noexcept {
  if (::fstat(fd, &source) != 0) return last_error();
  if (S_ISDIR(source.st_mode)) return system_error_code(EISDIR);
  return S_ISREG(source.st_mode) ? std::error_code() : system_error_code(EINVAL);
}

/// Another regular file, empty, with the permissions of the source.
std::error_code prepare_target(int fd, const struct stat& source) noexcept {
  struct stat target{};
  if (::fstat(fd, &target) != 0) return last_error();
  if (!S_ISREG(target.st_mode) ||
      (target.st_dev == source.st_dev && target.st_ino == source.st_ino))
    return system_error_code(EINVAL);
  if (target.st_size != 0 && uninterrupted([&] { return ::ftruncate(fd, 0); }) != 0)
    return last_error();
  // Who may write to a file that is another's may not do this; it keeps its permissions then.
  if (::fchmod(fd, source.st_mode & 0777U) != 0 && errno != EPERM) return last_error();
  return {};
}

}  // namespace

std::error_code copy_file(path_job& job, const asked_flag& asked) {
  // O_NONBLOCK: whoever names a FIFO is told so instead of waiting for its other end.
  const char* path = job.path.c_str();
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  const opened from(own_number(uninterrupted([&] { return ::open(path, flags); })));
  if (from.fd() < 0) return last_error();
  struct stat source{};
  if (const std::error_code why = check_source(from.fd(), source)) return why;
  bool made = false;
  opened to(open_target(job, source.st_mode & 0777U, made));
  if (to.fd() < 0) return last_error();
  moving on(from.fd(), to.fd());
  std::error_code why = prepare_target(to.fd(), source);
  if (!why) why = copy_contents(on, source, job, asked);
  if (const std::error_code closing = to.close(); !why) why = closing;
  job.count = on.copied;
  if (made && (why || job.broken_off)) ::unlink(job.other.c_str());
  return why;
}

int rename_without_replacing(const char* from, const char* to) noexcept {
  return ::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

}  // namespace cove::io::detail
