#include "netpoll/transit.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

namespace cove::netpoll {
namespace {

/// A queue's length; 0 where there is none.
int queued(int fd, unsigned long which) noexcept {
  int bytes = 0;
  return ::ioctl(fd, which, &bytes) == 0 ? bytes : 0;
}

struct name {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
};

bool same(const name& a, const name& b) noexcept {
  return a.length == b.length && std::memcmp(&a.address, &b.address, a.length) == 0;
}

/// Does `from` send to `to`?
bool leads_to(int from, int to) noexcept {
  name peer;
  name local;
  return ::getpeername(from, reinterpret_cast<sockaddr*>(&peer.address), &peer.length) == 0 &&
         ::getsockname(to, reinterpret_cast<sockaddr*>(&local.address), &local.length) == 0 &&
         same(peer, local);
}

}  // namespace

void acknowledge(int fd) noexcept {
  const int at_once = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, sizeof at_once);
}

bool in_transit(int fd) noexcept { return queued(fd, SIOCOUTQ) > queued(fd, SIOCOUTQNSD); }

bool has_unsent(int fd) noexcept { return queued(fd, SIOCOUTQNSD) > 0; }

bool is_drained_end(int from, int to) noexcept {
  return queued(to, SIOCINQ) == 0 && leads_to(from, to) && leads_to(to, from);
}

}  // namespace cove::netpoll
