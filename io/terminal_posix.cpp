#include <cove/io/terminal.hpp>

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>

// What a terminal was before is kept by the process, not by the object: std::exit() destroys no
// object of a task. A handler of atexit(), which the first raw_terminal registers, restores what
// is still raw. A child made by fork() has a copy of all that and leaves the terminal alone.

namespace cove::io {
namespace {

struct kept_terminal {
  int fd = -1;  ///< -1: free.
  pid_t process = 0;
  termios before{};
};

// Under the lock.
constinit std::mutex lock;
constinit std::array<kept_terminal, 8> all{};
constinit bool registered = false;

/// Takes effect at once: to wait until output has gone would be to wait for who holds it up.
std::error_code set(int fd, const termios& to) noexcept {
  while (::tcsetattr(fd, TCSANOW, &to) != 0)
    if (errno != EINTR) return system_error_code(errno);
  return {};
}

std::error_code make_raw(const kept_terminal& what) noexcept {
  termios raw = what.before;
  ::cfmakeraw(&raw);
  return set(what.fd, raw);
}

void give_back(kept_terminal& what) noexcept {
  if (what.fd >= 0 && what.process == ::getpid()) static_cast<void>(set(what.fd, what.before));
  what.fd = -1;
}

void give_all_back() noexcept {
  const std::lock_guard guard(lock);
  for (kept_terminal& each : all) give_back(each);
}

[[noreturn]] void refuse(int fd, std::error_code why, std::string_view remedy) {
  throw error(why, "raw_terminal descriptor " + std::to_string(fd), remedy);
}

kept_terminal& free_place(int fd) {
  const auto busy = std::make_error_code(std::errc::device_or_resource_busy);
  kept_terminal* free = nullptr;
  for (kept_terminal& each : all) {
    if (each.fd == fd) refuse(fd, busy, "there is a raw_terminal for it already");
    if (each.fd < 0 && free == nullptr) free = &each;
  }
  if (free == nullptr) refuse(fd, busy, "eight terminals are raw already");
  return *free;
}

}  // namespace

std::optional<terminal_size> size_of_terminal(int fd) noexcept {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return std::nullopt;
  return terminal_size{size.ws_col, size.ws_row};
}

raw_terminal::raw_terminal(int fd) {
  const std::lock_guard guard(lock);
  kept_terminal what{fd, ::getpid(), {}};
  if (::tcgetattr(fd, &what.before) != 0)
    refuse(fd, system_error_code(errno), errno == ENOTTY ? "it is no terminal" : "");
  kept_terminal& place = free_place(fd);
  if (!registered) registered = std::atexit(give_all_back) == 0;
  if (const std::error_code why = make_raw(what); why) refuse(fd, why, {});
  place = what;
  slot_ = static_cast<int>(&place - all.data());
}

void raw_terminal::restore() noexcept {
  if (slot_ < 0) return;
  const std::lock_guard guard(lock);
  give_back(all[static_cast<std::size_t>(slot_)]);
  slot_ = -1;
}

void raw_terminal::again() noexcept {
  if (slot_ < 0) return;
  const std::lock_guard guard(lock);
  static_cast<void>(make_raw(all[static_cast<std::size_t>(slot_)]));
}

}  // namespace cove::io
