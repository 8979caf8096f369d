#include "netpoll/select_set.hpp"

#include <fcntl.h>
#include <sys/select.h>

#include <algorithm>
#include <cerrno>

// The lines become three bits each, and the answer lines again. A hang-up shows as readable and, as
// far as the system lets it, writable; an error as both. Neither is exceptional, which is what
// urgent bytes are: who waits for these alone is not told.

namespace cove::netpoll {
namespace {

/// select() refuses a set with a descriptor that somebody else has closed, without saying which.
int find_closed(std::span<pollfd> lines) noexcept {
  int count = 0;
  for (pollfd& line : lines) {
    if (::fcntl(line.fd, F_GETFD) >= 0) continue;
    line.revents = POLLNVAL;
    ++count;
  }
  return count;
}

}  // namespace

select_set::select_set(desc_table& table) : line_set(table, "select", FD_SETSIZE) {}

int select_set::ask(std::span<pollfd> lines, const timespec* at_most) noexcept {
  fd_set readable;
  fd_set writable;
  fd_set exceptional;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&exceptional);
  int end = 0;
  for (const pollfd& line : lines) {  // All are below the limit, or open() had refused them.
    if ((line.events & POLLIN) != 0) FD_SET(line.fd, &readable);
    if ((line.events & POLLOUT) != 0) FD_SET(line.fd, &writable);
    if ((line.events & POLLPRI) != 0) FD_SET(line.fd, &exceptional);
    end = std::max(end, line.fd + 1);
  }
  const int bits = ::pselect(end, &readable, &writable, &exceptional, at_most, nullptr);
  if (bits < 0 && errno == EBADF) return find_closed(lines);
  if (bits <= 0) return bits;
  for (pollfd& line : lines) {
    if (FD_ISSET(line.fd, &readable)) line.revents |= POLLIN;
    if (FD_ISSET(line.fd, &writable)) line.revents |= POLLOUT;
    if (FD_ISSET(line.fd, &exceptional)) line.revents |= POLLPRI;
  }
  return bits;
}

}  // namespace cove::netpoll
