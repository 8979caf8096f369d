#include "crowd.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace notify {
namespace {

/// Room for the descriptors of the program itself and of what it measures.
constexpr std::size_t spare = 24;

/// As many descriptors as the system lets this process have.
std::size_t raise_limit() {
  rlimit limit{};
  checked(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  checked(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  return limit.rlim_cur;
}

}  // namespace

int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

crowd::crowd(std::size_t count) {
  if (2 * count + spare > raise_limit())
    throw std::system_error(EMFILE, std::generic_category(), "two descriptors for each watched");
  watched_.reserve(count);
  others_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    int pair[2];
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
            "socketpair");
    watched_.push_back(pair[0]);
    others_.push_back(
        checked(::fcntl(pair[1], F_DUPFD_CLOEXEC, static_cast<int>(count + spare)), "fcntl"));
    ::close(pair[1]);
  }
}

crowd::~crowd() {
  if (owned_)
    for (const int fd : watched_) ::close(fd);
  for (const int fd : others_) ::close(fd);
}

void crowd::rouse(std::size_t count) {
  first_ = (first_ + roused_) % watched_.size();
  roused_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    const int other = others_[(first_ + i) % others_.size()];
    checked(static_cast<int>(::send(other, "!", 1, MSG_NOSIGNAL)), "send");
  }
}

void read_byte(int fd) {
  char byte;
  checked(static_cast<int>(::recv(fd, &byte, 1, 0)), "recv");
}

}  // namespace notify
