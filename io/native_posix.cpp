#include <cove/io/detail/native.hpp>
#include <cove/runtime/detail/own_number.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cove::io::detail {
namespace {

int socket_option(int fd, int name) noexcept {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

native_kind kind_of_socket(int fd) noexcept {
  const int family = socket_option(fd, SO_DOMAIN);
  if ((family != AF_INET && family != AF_INET6) || socket_option(fd, SO_PROTOCOL) != IPPROTO_TCP)
    return native_kind::other_socket;
  if (socket_option(fd, SO_ACCEPTCONN) == 1) return native_kind::tcp_listener;
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
  return connected ? native_kind::tcp_stream : native_kind::tcp_idle;
}

std::error_code set_nonblocking(int fd, bool on) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return system_error_code(errno);
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted == flags || ::fcntl(fd, F_SETFL, wanted) == 0) return {};
  return system_error_code(errno);
}

std::string named(int fd) { return "descriptor " + std::to_string(fd); }

}  // namespace

result<native_kind> kind_of(int fd) noexcept {
  struct stat what{};
  if (::fstat(fd, &what) != 0) return system_error_code(errno);
  switch (what.st_mode & S_IFMT) {
    case S_IFREG: return native_kind::file;
    case S_IFDIR: return native_kind::directory;
    case S_IFBLK: return native_kind::block_device;
    case S_IFIFO: return native_kind::pipe;
    case S_IFSOCK: return kind_of_socket(fd);
    case S_IFCHR: return ::isatty(fd) == 1 ? native_kind::terminal : native_kind::character_device;
    default: return native_kind::other;
  }
}

std::string_view words_for(native_kind kind) noexcept {
  switch (kind) {
    case native_kind::file: return "a regular file";
    case native_kind::directory: return "a directory";
    case native_kind::block_device: return "a block device";
    case native_kind::character_device: return "a character device that is no terminal";
    case native_kind::terminal: return "a terminal";
    case native_kind::pipe: return "a pipe or FIFO";
    case native_kind::tcp_stream: return "a connected TCP socket";
    case native_kind::tcp_listener: return "a TCP socket that listens";
    case native_kind::tcp_idle: return "a TCP socket that is neither connected nor listening";
    case native_kind::other_socket: return "a socket, but not of TCP";
    case native_kind::other: break;
  }
  return "neither a file nor a pipe, a terminal or a socket";
}

access_mode access_of(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) return {};
  const int mode = flags & O_ACCMODE;
  return {mode == O_RDONLY || mode == O_RDWR, mode == O_WRONLY || mode == O_RDWR};
}

std::error_code take_in(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) return system_error_code(errno);
  return set_nonblocking(fd, true);
}

std::error_code let_out(int fd) noexcept { return set_nonblocking(fd, false); }

result<int> duplicate(int fd) noexcept {
  const int own = cove::detail::own_duplicate(fd);
  if (own < 0) return system_error_code(errno);
  return own;
}

void refuse_native(std::string_view verb, int fd, native_kind kind, std::string_view needed) {
  std::string remedy = "it is ";
  remedy += words_for(kind);
  remedy += "; ";
  remedy += needed;
  throw error(std::make_error_code(std::errc::invalid_argument),
              std::string(verb) + " " + named(fd), remedy);
}

native_kind require_open(std::string_view verb, int fd) {
  const result<native_kind> kind = kind_of(fd);
  if (!kind)
    throw error(kind.error(), std::string(verb) + " " + named(fd), "no such descriptor is open");
  return *kind;
}

void require_taken_in(std::string_view verb, int fd) {
  if (const std::error_code why = take_in(fd); why)
    throw error(why, std::string(verb) + " " + named(fd));
}

int release_native(cove::detail::descriptor& from) {
  const result<int> fd = from.release();
  if (!fd)
    throw error(fd.error(), "release",
                fd.error() == errc::operation_in_progress
                    ? "cancel what uses it, and wait for that, before"
                    : "");
  // It is the caller's by now, whatever this says.
  static_cast<void>(let_out(*fd));
  return *fd;
}

}  // namespace cove::io::detail
