#include "observers.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <stdexcept>

namespace stuck {
namespace {

using std::chrono::steady_clock;

/// A plain socket, and when each byte was sent that has not come back.
class connection {
 public:
  explicit connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("no connection to the echo service");
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { ::close(fd_); }

  int fd() const { return fd_; }
  bool waits() const { return !asked_.empty(); }

  void ask() {
    const char byte = 'x';
    asked_.push_back(steady_clock::now());
    if (::send(fd_, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) break_off();
  }
  void take_answers(lateness& into) {
    std::array<char, 256> bytes{};
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count <= 0) break_off();
    const auto now = steady_clock::now();
    for (ssize_t i = 0; i < count; ++i) {
      if (asked_.empty()) break_off();
      into.add(now - asked_.front());
      asked_.pop_front();
    }
  }

 private:
  [[noreturn]] static void break_off() {
    throw std::runtime_error("the echo service broke off, or sent what nobody asked for");
  }

  int fd_;
  std::deque<steady_clock::time_point> asked_;
};

constexpr std::size_t connections = 8;

class client {
 public:
  explicit client(std::uint16_t port) {
    for (std::size_t i = 0; i < connections; ++i) {
      all_[i].emplace(port);
      wanted_[i] = pollfd{all_[i]->fd(), POLLIN, 0};
    }
  }

  void ask() { all_[next_++ % connections]->ask(); }

  bool waits() const {
    for (const auto& each : all_)
      if (each->waits()) return true;
    return false;
  }

  /// Takes answers until `end`, or until one came.
  void take_answers(steady_clock::time_point end) {
    const auto left = std::max<std::chrono::nanoseconds>(end - steady_clock::now(), {});
    const timespec limit{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    if (::ppoll(wanted_.data(), wanted_.size(), &limit, nullptr) <= 0) return;
    for (std::size_t i = 0; i < connections; ++i)
      if (wanted_[i].revents != 0) all_[i]->take_answers(seen_);
  }

  const lateness& seen() const { return seen_; }

 private:
  std::array<std::optional<connection>, connections> all_;
  std::array<pollfd, connections> wanted_{};
  std::size_t next_ = 0;
  lateness seen_;
};

}  // namespace

lateness ask_for_echoes(std::stop_token stop, std::uint16_t port) {
  constexpr std::chrono::seconds patience(10);
  client asking(port);
  auto due = steady_clock::now();
  while (!stop.stop_requested()) {
    while (steady_clock::now() < due) asking.take_answers(due);
    asking.ask();
    due += pitch;
  }
  const auto limit = steady_clock::now() + patience;
  while (asking.waits()) {
    asking.take_answers(limit);
    if (steady_clock::now() >= limit) throw std::runtime_error("an echo never came");
  }
  return asking.seen();
}

lateness sleep_to_deadlines(std::stop_token stop) {
  lateness seen;
  auto due = steady_clock::now();
  while (!stop.stop_requested()) {
    due += pitch;
    std::this_thread::sleep_until(due);
    seen.add(steady_clock::now() - due);
  }
  return seen;
}

}  // namespace stuck
