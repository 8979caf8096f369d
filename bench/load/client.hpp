// What all modes stand on: sockets to 127.0.0.1, an epoll set, and the clock of a measurement.
#pragma once

#include "histogram.hpp"
#include "options.hpp"

#include <sys/epoll.h>

#include <cstdint>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>

namespace load {

// What ends the program: with the text, and status 1.
class failure : public std::runtime_error {
  using runtime_error::runtime_error;
};

[[noreturn]] void fail(const char* what);

std::int64_t now_ns();

// Raises the limit of descriptors as far as it goes; fails if that is not far enough.
void need_descriptors(std::size_t count);

// A nonblocking socket, connecting to 127.0.0.1:port. The source address is 127.0.0.2 to 127.0.0.65
// in turn: each has ephemeral ports of its own, about 28 000 of them.
int start_connect(int port);

class epoll_set {
 public:
  explicit epoll_set(bool spin);
  epoll_set(const epoll_set&) = delete;
  ~epoll_set();

  // Edge-triggered, for everything; events carry the pointer.
  void add(int fd, void* owner);

  // Waits, for at most 10 ms, so that the caller can look at the clock.
  std::span<const epoll_event> wait();

 private:
  int fd_;
  bool spin_;
  epoll_event events_[256];
};

// Counts what completes, in three times: warm-up, measurement, over.
class measurement {
 public:
  measurement(const options& wanted, std::int64_t start);

  // One completion of so many requests, begun and ended at these times.
  void count(std::int64_t begun, std::int64_t ended, std::uint64_t requests);
  void count_error() { ++errors_; }
  bool over(std::int64_t now) const { return now >= end_; }

  // The line of JSON. `requests` are those measured, `requests_all` has those of the warm-up too,
  // which is what the server's own counts are to be divided by.
  void print(const options& wanted) const;

  std::uint64_t errors() const { return errors_; }

 private:
  std::int64_t begin_;
  std::int64_t end_;
  std::uint64_t all_ = 0;
  std::uint64_t errors_ = 0;
  histogram latencies_;
};

// The modes. Each returns the program's status.
int run_exchange(const options& wanted);
int run_churn(const options& wanted);
int run_idle(const options& wanted);

}  // namespace load
