#include <cove/net/tcp.hpp>

#include "socket.hpp"

#include <cove/io/detail/native.hpp>
#include <cove/runtime/this_task.hpp>

namespace cove::net {
namespace {

using io::detail::io_kind;

std::string quoted(const char* verb, const socket_address& address) {
  return std::string(verb) + " \"" + address.to_string() + "\"";
}

std::string_view bind_remedy(std::error_code why) noexcept {
  if (why == std::errc::address_in_use)
    return "another socket has this address; choose another port, or port 0 for a free one";
  if (why == std::errc::address_not_available) return "the address is not on this host";
  if (why == std::errc::permission_denied) return "ports below 1024 need privileges";
  return {};
}

std::string_view connect_remedy(std::error_code why) noexcept {
  if (why == std::errc::connection_refused) return "nobody listens there";
  if (why == std::errc::invalid_argument)
    return "a link-local IPv6 address needs its interface, as in [fe80::1%eth0]:80";
  return {};
}

void require(std::error_code why, const char* what) {
  if (why) cove::detail::throw_error(why, what);
}

/// Runs a call with the descriptor held open and throws what it reports.
template <class Call>
void checked(cove::detail::descriptor& socket, const char* what, Call call) {
  require(socket.use(std::move(call)), what);
}

template <class Call>
auto asked(cove::detail::descriptor& socket, const char* what, Call call) {
  const auto said = socket.use(std::move(call));
  require(said.error(), what);
  return *said;
}

void set_number(cove::detail::descriptor& socket, const char* what, detail::number_option which,
                int value) {
  checked(socket, what, [=](int fd) { return detail::set_number(fd, which, value); });
}

int get_number(cove::detail::descriptor& socket, const char* what, detail::number_option which) {
  return asked(socket, what, [=](int fd) { return detail::get_number(fd, which); });
}

unsigned checked_size(const char* what, unsigned bytes) {
  if (bytes == 0 || bytes > 0x3fff'ffff)
    throw error(std::make_error_code(std::errc::invalid_argument),
                std::string(what) + " " + std::to_string(bytes), "give 1 to 1073741823 bytes");
  return bytes;
}

cove::detail::descriptor adopt_socket(int fd, io::detail::native_kind wanted,
                                      std::string_view remedy, cove::detail::descriptor_kind kind) {
  const io::detail::native_kind found = io::detail::require_open("adopt", fd);
  if (found != wanted) io::detail::refuse_native("adopt", fd, found, remedy);
  io::detail::require_taken_in("adopt", fd);
  return {fd, kind};
}

}  // namespace

// ----- tcp_stream -----

task<tcp_stream> tcp_stream::connect(socket_address to, connect_options options) {
  // An ephemeral port may be chosen that is the very port connected to: a connection to oneself.
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    co_await cove::detail::request_check("connect");  // Nothing is sent for who must end.
    const result<int> made = detail::make_tcp_socket(to);
    if (!made) cove::detail::throw_error(made.error(), quoted("connect", to));
    cove::detail::descriptor socket(*made, cove::detail::descriptor_kind::tcp);
    if (const auto why = detail::set_connect_options(*made, options); why)
      cove::detail::throw_error(why, quoted("connect", to));

    std::error_code why = detail::start_connect(*made, to);
    if (why == std::errc::operation_in_progress) {
      io::detail::ready_operation connecting(socket, io_kind::connect, "connect");
      why = (co_await std::move(connecting).as_result()).error();
    }
    if (why == errc::descriptor_too_high)
      cove::detail::throw_error(why, quoted("connect", to), cove::detail::too_high_remedy(*made));
    if (why) cove::detail::throw_error(why, quoted("connect", to), connect_remedy(why));
    const result<socket_address> local = detail::local_name(*made);
    if (local && *local == to) continue;
    co_return tcp_stream(std::move(socket));
  }
  cove::detail::throw_error(std::make_error_code(std::errc::connection_refused),
                            quoted("connect", to), "nobody listens there");
}

tcp_stream tcp_stream::adopt(int fd) {
  return tcp_stream(adopt_socket(fd, io::detail::native_kind::tcp_stream,
                                 "give a TCP socket that is connected",
                                 cove::detail::descriptor_kind::tcp));
}
int tcp_stream::release() { return io::detail::release_native(socket_); }

io::detail::count_operation tcp_stream::read_some(std::span<std::byte> buffer) noexcept {
  return io::detail::make_read<io::detail::count_operation>(socket_, io_kind::read, buffer, false,
                                                            "read_some");
}
io::detail::count_operation tcp_stream::read_some(
    std::span<const io::mutable_buffer> buffers) noexcept {
  return io::detail::make_vectored<io::detail::count_operation>(socket_, io_kind::read_v, buffers,
                                                                false, "read_some");
}
io::detail::whole_operation tcp_stream::read_exact(std::span<std::byte> buffer) noexcept {
  return io::detail::make_read<io::detail::whole_operation>(socket_, io_kind::read, buffer, true,
                                                            "read_exact");
}
io::detail::lease_operation tcp_stream::receive() noexcept {
  return {socket_, io_kind::borrow, "receive"};
}
io::detail::count_operation tcp_stream::peek(std::span<std::byte> buffer) noexcept {
  return io::detail::make_read<io::detail::count_operation>(socket_, io_kind::peek, buffer, false,
                                                            "peek");
}
io::detail::ready_operation tcp_stream::wait_readable() noexcept {
  return {socket_, io_kind::wait_in, "wait_readable"};
}
io::detail::ready_operation tcp_stream::wait_writable() noexcept {
  return {socket_, io_kind::wait_out, "wait_writable"};
}
io::detail::ready_operation tcp_stream::wait_urgent() noexcept {
  return {socket_, io_kind::wait_urgent, "wait_urgent"};
}

io::detail::count_operation tcp_stream::write_some(std::span<const std::byte> buffer) noexcept {
  return io::detail::make_write<io::detail::count_operation>(socket_, buffer, false, "write_some");
}
io::detail::count_operation tcp_stream::write_some(
    std::span<const io::const_buffer> buffers) noexcept {
  return io::detail::make_vectored<io::detail::count_operation>(socket_, io_kind::write_v, buffers,
                                                                false, "write_some");
}
io::detail::whole_operation tcp_stream::write_all(std::span<const std::byte> buffer) noexcept {
  return io::detail::make_write<io::detail::whole_operation>(socket_, buffer, true, "write_all");
}
io::detail::whole_operation tcp_stream::write_all(
    std::span<const io::const_buffer> buffers) noexcept {
  return io::detail::make_vectored<io::detail::whole_operation>(socket_, io_kind::write_v, buffers,
                                                                true, "write_all");
}

io_result tcp_stream::try_read(std::span<std::byte> buffer) noexcept {
  if (buffer.empty()) return {0, std::make_error_code(std::errc::invalid_argument)};
  return io::detail::try_once(socket_, io_kind::read, buffer.data(), buffer.size());
}
io_result tcp_stream::try_write(std::span<const std::byte> buffer) noexcept {
  return io::detail::try_once(socket_, io_kind::write, const_cast<std::byte*>(buffer.data()),
                              buffer.size());
}

void tcp_stream::shutdown_write() {
  // Marked before the call: a reader that meets the end meanwhile must know whose doing it is.
  if (socket_.ends().wrote_last.exchange(true)) return;
  checked(socket_, "shutdown_write",
          [](int fd) { return detail::shut_down(fd, detail::side::write); });
}
void tcp_stream::shutdown_read() {
  // The system would still give what arrives later.
  if (socket_.ends().read_last.exchange(true)) return;
  checked(socket_, "shutdown_read",
          [](int fd) { return detail::shut_down(fd, detail::side::read); });
}

void tcp_stream::set_deadline(deadline_for whose, const char* verb, std::int64_t when_ns) {
  require(socket_.set_deadline(whose, when_ns), verb);
}

void tcp_stream::abort() noexcept {
  // A socket that cannot linger is closed all the same.
  static_cast<void>(socket_.use([](int fd) { return detail::linger_zero(fd); }));
  socket_.close_now();
}

socket_address tcp_stream::local_address() const {
  return asked(socket_, "local_address", detail::local_name);
}
socket_address tcp_stream::peer_address() const {
  return asked(socket_, "peer_address", detail::peer_name);
}

void tcp_stream::set_nodelay(bool on) {
  set_number(socket_, "set_nodelay", detail::number_option::nodelay, on ? 1 : 0);
}
bool tcp_stream::nodelay() const {
  return get_number(socket_, "nodelay", detail::number_option::nodelay) != 0;
}
void tcp_stream::set_keepalive(const keepalive_options& options) {
  checked(socket_, "set_keepalive",
          [&options](int fd) { return detail::set_keepalive(fd, options); });
}
bool tcp_stream::keepalive() const {
  return get_number(socket_, "keepalive", detail::number_option::keepalive) != 0;
}
void tcp_stream::set_receive_buffer(unsigned bytes) {
  set_number(socket_, "set_receive_buffer", detail::number_option::receive_buffer,
             static_cast<int>(checked_size("set_receive_buffer", bytes)));
}
unsigned tcp_stream::receive_buffer() const {
  return static_cast<unsigned>(
      get_number(socket_, "receive_buffer", detail::number_option::receive_buffer));
}
void tcp_stream::set_send_buffer(unsigned bytes) {
  set_number(socket_, "set_send_buffer", detail::number_option::send_buffer,
             static_cast<int>(checked_size("set_send_buffer", bytes)));
}
unsigned tcp_stream::send_buffer() const {
  return static_cast<unsigned>(
      get_number(socket_, "send_buffer", detail::number_option::send_buffer));
}
void tcp_stream::set_linger(int seconds) {
  checked(socket_, "set_linger", [=](int fd) { return detail::set_linger(fd, seconds); });
}

// ----- tcp_listener -----

tcp_listener tcp_listener::bind(socket_address at, const listen_options& options) {
  const auto check = [&at](const char* verb, std::error_code why) {
    if (why) throw error(why, quoted(verb, at), bind_remedy(why));
  };
  const result<int> made = detail::make_tcp_socket(at);
  check("bind", made.error());
  cove::detail::descriptor socket(*made, cove::detail::descriptor_kind::socket);
  check("bind", detail::set_listen_options(*made, at, options));
  check("bind", detail::bind_socket(*made, at));
  check("listen", detail::listen_socket(*made, options.backlog));
  return tcp_listener(std::move(socket));
}

tcp_listener tcp_listener::adopt(int fd) {
  return tcp_listener(adopt_socket(fd, io::detail::native_kind::tcp_listener,
                                   "give a TCP socket that listens",
                                   cove::detail::descriptor_kind::socket));
}
int tcp_listener::release() { return io::detail::release_native(socket_); }

detail::accept_operation tcp_listener::accept() noexcept {
  detail::accept_operation op(socket_, io_kind::accept, "accept");
  op.queues = true;
  return op;
}

void tcp_listener::set_deadline_ns(std::int64_t when_ns) {
  require(socket_.set_deadline(cove::detail::deadline_for::reads, when_ns), "set_deadline");
}

socket_address tcp_listener::local_address() const {
  return asked(socket_, "local_address", detail::local_name);
}

}  // namespace cove::net
