#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace load {

void fail(const char* what) {
  throw failure(std::string(what) + ": " + std::generic_category().message(errno));
}

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

void need_descriptors(std::size_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) fail("setrlimit");
  if (limit.rlim_max < count + 16)
    throw failure("the limit of descriptors is " + std::to_string(limit.rlim_max) +
                  ", too low for " + std::to_string(count) +
                  " connections; raise it with ulimit -Hn");
}

namespace {

sockaddr_in loopback(std::uint32_t host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl((127U << 24) + host);
  return address;
}

template <class Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

int start_connect(int port) {
  static std::uint32_t turn = 0;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The port is chosen by connect(), which knows the other end: so a pair of ends has to be free,
  // and not a port.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in source = loopback(2 + turn++ % 64, 0);
  const sockaddr_in target = loopback(1, port);
  if (bind(fd, generic(source), sizeof source) < 0) fail("bind");
  if (connect(fd, generic(target), sizeof target) < 0 && errno != EINPROGRESS) fail("connect");
  return fd;
}

epoll_set::epoll_set(bool spin) : fd_(epoll_create1(EPOLL_CLOEXEC)), spin_(spin) {
  if (fd_ < 0) fail("epoll_create1");
}

epoll_set::~epoll_set() { close(fd_); }

void epoll_set::add(int fd, void* owner) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = owner;
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

std::span<const epoll_event> epoll_set::wait() {
  const int count = epoll_wait(fd_, events_, static_cast<int>(std::size(events_)), spin_ ? 0 : 10);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  return {events_, count < 0 ? 0 : static_cast<std::size_t>(count)};
}

measurement::measurement(const options& wanted, std::int64_t start)
    : begin_(start + static_cast<std::int64_t>(wanted.warm_up * 1e9)),
      end_(begin_ + static_cast<std::int64_t>(wanted.seconds * 1e9)) {}

void measurement::count(std::int64_t begun, std::int64_t ended, std::uint64_t requests) {
  all_ += requests;
  if (ended >= begin_ && ended < end_)
    latencies_.add(static_cast<std::uint64_t>(ended - begun), requests);
}

void measurement::print(const options& wanted) const {
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  const double seconds = static_cast<double>(end_ - begin_) / 1e9;
  std::printf(
      "{\"mode\": \"%s\", \"connections\": %zu, \"size\": %zu, \"depth\": %zu, \"seconds\": %.3f, "
      "\"requests\": %llu, \"per_second\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
      "\"max_us\": %.2f, \"errors\": %llu, \"requests_all\": %llu}\n",
      name_of(wanted.mode), wanted.connections, wanted.size, wanted.depth, seconds,
      static_cast<unsigned long long>(latencies_.total()),
      static_cast<double>(latencies_.total()) / seconds, us(latencies_.quantile(0.5)),
      us(latencies_.quantile(0.99)), us(latencies_.max()), static_cast<unsigned long long>(errors_),
      static_cast<unsigned long long>(all_));
  std::fflush(stdout);
}

}  // namespace load
