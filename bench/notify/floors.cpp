#include "floors.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

// Nobody sleeps: the bytes were sent by this thread, so asking without waiting finds them. A call
// that may wait would put poll and select into the queue of each descriptor first.

namespace notify {
namespace {

/// Knows who was roused: what the bytes alone cost.
class bare final : public floor_loop {
 public:
  explicit bare(const crowd& of) : crowd_(of) {}
  void collect(std::size_t) override { crowd_.for_roused(read_byte); }

 private:
  const crowd& crowd_;
};

class select_floor final : public floor_loop {
 public:
  explicit select_floor(const crowd& of) : watched_(of.watched()) {
    FD_ZERO(&all_);
    for (const int fd : watched_) {
      if (fd >= FD_SETSIZE)
        throw unavailable("select watches descriptors below FD_SETSIZE, " +
                          std::to_string(FD_SETSIZE));
      FD_SET(fd, &all_);
      end_ = std::max(end_, fd + 1);
    }
  }

  void collect(std::size_t count) override {
    while (count > 0) {
      fd_set readable = all_;
      timeval at_once{};
      checked(::select(end_, &readable, nullptr, nullptr, &at_once), "select");
      for (const int fd : watched_) {
        if (!FD_ISSET(fd, &readable)) continue;
        read_byte(fd);
        --count;
      }
    }
  }

 private:
  std::span<const int> watched_;
  fd_set all_;
  int end_ = 0;
};

class poll_floor final : public floor_loop {
 public:
  explicit poll_floor(const crowd& of) {
    for (const int fd : of.watched()) lines_.push_back({fd, POLLIN, 0});
  }

  void collect(std::size_t count) override {
    while (count > 0) {
      checked(::poll(lines_.data(), lines_.size(), 0), "poll");
      for (const pollfd& line : lines_) {
        if (line.revents == 0) continue;
        read_byte(line.fd);
        --count;
      }
    }
  }

 private:
  std::vector<pollfd> lines_;
};

/// By edges (EPOLLET) or levels; one byte is all there is, so each event means one read.
class epoll_floor final : public floor_loop {
 public:
  epoll_floor(const crowd& of, std::uint32_t edges)
      : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    for (const int fd : of.watched()) {
      epoll_event interest{};
      interest.events = EPOLLIN | edges;
      interest.data.fd = fd;
      checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &interest), "epoll_ctl");
    }
  }
  ~epoll_floor() override { ::close(epoll_); }

  void collect(std::size_t count) override {
    std::array<epoll_event, 128> events;  // As many as cove takes at once.
    while (count > 0) {
      const int came = checked(
          ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0), "epoll_wait");
      for (int i = 0; i < came; ++i) read_byte(events[static_cast<std::size_t>(i)].data.fd);
      count -= static_cast<std::size_t>(came);
    }
  }

 private:
  int epoll_;
};

}  // namespace

std::unique_ptr<floor_loop> make_floor(std::string_view how, const crowd& of) {
  if (how == "bare") return std::make_unique<bare>(of);
  if (how == "select") return std::make_unique<select_floor>(of);
  if (how == "poll") return std::make_unique<poll_floor>(of);
  if (how == "epoll-lt") return std::make_unique<epoll_floor>(of, 0);
  if (how == "epoll") return std::make_unique<epoll_floor>(of, EPOLLET);
  if (how == "io_uring") return make_uring_floor(of);
  throw std::invalid_argument("\"" + std::string(how) +
                              "\" is none of cove, bare, select, poll, epoll-lt, epoll, io_uring");
}

}  // namespace notify
