#include "netpoll/transit.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace cove::netpoll {

void acknowledge(int fd) noexcept {
  const int at_once = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, sizeof at_once);
}

bool in_transit(int fd) noexcept {
  int unacknowledged = 0;
  int unsent = 0;
  if (::ioctl(fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0) return false;
  return ::ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && unacknowledged != unsent;
}

}  // namespace cove::netpoll
