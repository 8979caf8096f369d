#pragma once

#include <cove/net/address.hpp>
#include <cove/net/options.hpp>

// The system calls of sockets outside of operations: private contract of this room. All take an
// open descriptor and report with the system's code.

namespace cove::net::detail {

/// A TCP socket of the address's family: non-blocking and close-on-exec from its first moment.
result<int> make_tcp_socket(const socket_address& family_of) noexcept;

std::error_code set_listen_options(int fd, const socket_address& at,
                                   const listen_options& options) noexcept;
std::error_code set_connect_options(int fd, const connect_options& options) noexcept;
std::error_code bind_socket(int fd, const socket_address& at) noexcept;
std::error_code listen_socket(int fd, unsigned backlog) noexcept;
/// Starts connecting; operation_in_progress is what is expected.
std::error_code start_connect(int fd, const socket_address& to) noexcept;

result<socket_address> local_name(int fd) noexcept;
result<socket_address> peer_name(int fd) noexcept;

enum class side { read, write };
std::error_code shut_down(int fd, side which) noexcept;
/// The next close resets the connection.
std::error_code linger_zero(int fd) noexcept;

enum class number_option { nodelay, keepalive, receive_buffer, send_buffer };
std::error_code set_number(int fd, number_option which, int value) noexcept;
result<int> get_number(int fd, number_option which) noexcept;
std::error_code set_keepalive(int fd, const keepalive_options& options) noexcept;
std::error_code set_linger(int fd, int seconds) noexcept;

}  // namespace cove::net::detail
