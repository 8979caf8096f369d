#include "socket.hpp"

#include "address_posix.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace cove::net::detail {
namespace {

std::error_code code(int outcome) noexcept {
  return outcome == 0 ? std::error_code{} : system_error_code(errno);
}

std::error_code set(int fd, int level, int name, int value) noexcept {
  return code(::setsockopt(fd, level, name, &value, sizeof value));
}

struct place {
  int level;
  int name;
};

place place_of(number_option which) noexcept {
  switch (which) {
    case number_option::nodelay: return {IPPROTO_TCP, TCP_NODELAY};
    case number_option::keepalive: return {SOL_SOCKET, SO_KEEPALIVE};
    case number_option::receive_buffer: return {SOL_SOCKET, SO_RCVBUF};
    case number_option::send_buffer: break;
  }
  return {SOL_SOCKET, SO_SNDBUF};
}

int clamp(unsigned value) noexcept {
  return value > static_cast<unsigned>(INT_MAX) ? INT_MAX : static_cast<int>(value);
}

template <class Name>
result<socket_address> name_of(int fd, Name name) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (name(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return system_error_code(errno);
  return from_native(storage, length);
}

}  // namespace

result<int> make_tcp_socket(const socket_address& family_of) noexcept {
  const int family = family_of.ip().is_v4() ? AF_INET : AF_INET6;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return system_error_code(errno);
  return fd;
}

std::error_code set_listen_options(int fd, const socket_address& at,
                                   const listen_options& options) noexcept {
  if (auto why = set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return why;
  if (options.reuse_port)
    if (auto why = set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return why;
  if (at.ip().is_v6())
    if (auto why = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0)) return why;
  // Accepted sockets inherit it, which saves a call for each of them.
  return set(fd, IPPROTO_TCP, TCP_NODELAY, options.nodelay ? 1 : 0);
}

std::error_code set_connect_options(int fd, const connect_options& options) noexcept {
  if (options.nodelay)
    if (auto why = set(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return why;
  if (options.receive_buffer != 0)
    if (auto why = set(fd, SOL_SOCKET, SO_RCVBUF, clamp(options.receive_buffer))) return why;
  if (options.send_buffer != 0)
    if (auto why = set(fd, SOL_SOCKET, SO_SNDBUF, clamp(options.send_buffer))) return why;
  return {};
}

std::error_code bind_socket(int fd, const socket_address& at) noexcept {
  raw_address raw(at);
  return code(::bind(fd, raw.get(), raw.length));
}

std::error_code listen_socket(int fd, unsigned backlog) noexcept {
  return code(::listen(fd, clamp(backlog)));
}

std::error_code start_connect(int fd, const socket_address& to) noexcept {
  raw_address raw(to);
  if (::connect(fd, raw.get(), raw.length) == 0) return {};
  // After EINTR the attempt goes on by itself, as if it were in progress.
  if (errno == EINTR) return std::make_error_code(std::errc::operation_in_progress);
  return system_error_code(errno);
}

result<socket_address> local_name(int fd) noexcept { return name_of(fd, ::getsockname); }
result<socket_address> peer_name(int fd) noexcept { return name_of(fd, ::getpeername); }

std::error_code shut_down(int fd, side which) noexcept {
  return code(::shutdown(fd, which == side::read ? SHUT_RD : SHUT_WR));
}

std::error_code linger_zero(int fd) noexcept { return set_linger(fd, 0); }

std::error_code set_number(int fd, number_option which, int value) noexcept {
  const place at = place_of(which);
  return set(fd, at.level, at.name, value);
}

result<int> get_number(int fd, number_option which) noexcept {
  const place at = place_of(which);
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(fd, at.level, at.name, &value, &length) != 0) return system_error_code(errno);
  return value;
}

std::error_code set_keepalive(int fd, const keepalive_options& options) noexcept {
  if (auto why = set(fd, SOL_SOCKET, SO_KEEPALIVE, options.enabled ? 1 : 0)) return why;
  if (options.idle_s != 0)
    if (auto why = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, clamp(options.idle_s))) return why;
  if (options.interval_s != 0)
    if (auto why = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, clamp(options.interval_s))) return why;
  if (options.probes != 0) return set(fd, IPPROTO_TCP, TCP_KEEPCNT, clamp(options.probes));
  return {};
}

std::error_code set_linger(int fd, int seconds) noexcept {
  linger value{};
  value.l_onoff = seconds >= 0 ? 1 : 0;
  value.l_linger = seconds >= 0 ? seconds : 0;
  return code(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value));
}

}  // namespace cove::net::detail
