#include "io_syscall.hpp"
#include "native_vector.hpp"
#include "plain_calls.hpp"
#include "socket_calls.hpp"

#include <cove/runtime/detail/buffer_cache.hpp>
#include <cove/runtime/detail/retry_call.hpp>
#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

// What each operation asks of the system, and what the answers mean.
//
// Nothing here blocks and nothing raises SIGPIPE. EINTR is repeated here and EAGAIN becomes
// would_block, so neither is seen further up.
//
// A reset is never the end of the stream. The kernel reports it once, to whichever direction asks
// first, and after that recv() gives 0. So the first error is kept in the poll descriptor, and a
// recv() of 0 is believed only if no error is kept and the connection was not torn down behind our
// back (TCP_CLOSE without this side having finished writing). That look is made only when a hang-up
// or error was latched or a writer is at work, not at every end of stream.

namespace cove::detail {
namespace {

using netpoll::awaited;
using netpoll::direction;
using netpoll::poll_desc;

std::int64_t send_message(io_op& op, int fd) noexcept {
  native_vector parts(op);
  return retry_call([&] { return ::sendmsg(fd, parts.message(), MSG_DONTWAIT | MSG_NOSIGNAL); });
}

std::int64_t receive_message(io_op& op, int fd) noexcept {
  native_vector parts(op);
  return retry_call([&] { return ::recvmsg(fd, parts.message(), MSG_DONTWAIT); });
}

/// A connect in progress has ended when the socket has no error and knows its peer: writable alone
/// does not say so.
std::int64_t finish_connect(int fd) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  if (error != 0) return -error;
  sockaddr_storage peer;
  length = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0) return 0;
  return errno == ENOTCONN ? -EINPROGRESS : -errno;
}

std::int64_t is_ready(int fd, short events) noexcept {
  pollfd what{fd, events, 0};
  const std::int64_t count = retry_call([&] { return ::poll(&what, 1, 0); });
  return count == 0 ? -EAGAIN : count;
}

/// What is so of a descriptor, once that is something of `events` or there is no more to wait for.
std::int64_t find_ready(int fd, short events) noexcept {
  constexpr short ended = POLLHUP | POLLERR | POLLNVAL;
  pollfd what{fd, POLLIN | POLLOUT | POLLPRI, 0};
  const std::int64_t count = retry_call([&] { return ::poll(&what, 1, 0); });
  if (count < 0) return count;
  if ((what.revents & (events | ended)) == 0) return -EAGAIN;
  std::size_t found = 0;
  if ((what.revents & (POLLIN | ended)) != 0) found |= found_readable;
  if ((what.revents & (POLLOUT | ended)) != 0) found |= found_writable;
  if ((what.revents & POLLPRI) != 0) found |= found_urgent;
  if ((what.revents & POLLHUP) != 0) found |= found_hung_up;
  if ((what.revents & (POLLERR | POLLNVAL)) != 0) found |= found_failed;
  return static_cast<std::int64_t>(found);
}

/// Into a buffer that is taken for it, and kept if it holds something.
template <class Read>
std::int64_t into_borrowed(io_op& op, Read read) noexcept {
  op.buffer = borrow_buffer();
  if (op.buffer == nullptr) return -ENOMEM;
  op.size = borrowed_bytes;
  const std::int64_t n = read();
  if (n <= 0) {
    return_buffer(op.buffer);
    op.buffer = nullptr;
  }
  return n;
}

std::int64_t receive_borrowed(io_op& op, int fd) noexcept {
  return into_borrowed(op, [&op, fd] {
    return retry_call([&] { return receive(fd, op.buffer, op.size, MSG_DONTWAIT); });
  });
}

/// A FIFO that nobody has opened for writing yet gives 0 like one whose writers have gone, but no
/// hang-up. One that has bytes by now was opened in between.
template <class Read>
std::int64_t read_pipe(int fd, Read read) noexcept {
  for (;;) {
    if (const std::int64_t n = retry_call(read); n != 0) return n;
    pollfd what{fd, POLLIN, 0};
    if (const std::int64_t count = retry_call([&] { return ::poll(&what, 1, 0); }); count <= 0)
      return count == 0 ? -EAGAIN : count;
    if ((what.revents & POLLIN) == 0) return 0;
  }
}

template <class Read>
std::int64_t read_plain(const poll_desc& desc, Read read) noexcept {
  return desc.kind == descriptor_kind::pipe ? read_pipe(desc.fd, read) : retry_call(read);
}

std::int64_t read_borrowed(io_op& op, const poll_desc& desc) noexcept {
  return into_borrowed(
      op, [&] { return read_plain(desc, [&] { return read(desc.fd, op.buffer, op.size); }); });
}

std::int64_t read_parts(io_op& op, const poll_desc& desc) noexcept {
  const native_vector parts(op);
  const auto count = static_cast<int>(parts.count());
  return read_plain(desc, [&] { return ::readv(desc.fd, parts.parts(), count); });
}

// What is shared with other programs blocks, and stays so. The calls are told not to wait. Where
// the kernel has no word for that, of terminals say, poll() tells when they need not; whoever
// shares it may come in between.

std::int64_t read_shared(int fd, void* buffer, std::size_t size) noexcept {
  const std::int64_t n = retry_call([&] { return read_at_once(fd, buffer, size); });
  if (n != -EOPNOTSUPP) return n;
  if (const std::int64_t ready = is_ready(fd, POLLIN); ready < 0) return ready;
  return retry_call([&] { return read(fd, buffer, size); });
}

std::int64_t write_shared(int fd, void* buffer, std::size_t size) noexcept {
  const iovec all{buffer, size};
  const std::int64_t n = retry_call([&] { return write_at_once(fd, all); });
  if (n != -EOPNOTSUPP) return n;
  if (const std::int64_t ready = is_ready(fd, POLLOUT); ready < 0) return ready;
  // A pipe with any room has room for a page; a terminal, for some lines.
  const iovec some{buffer, std::min<std::size_t>(size, 512)};
  return retry_call([&] { return write_quietly(fd, &some, 1); });
}

std::int64_t write_parts(io_op& op, int fd) noexcept {
  const native_vector parts(op);
  return retry_call(
      [&] { return write_quietly(fd, parts.parts(), static_cast<int>(parts.count())); });
}

/// Errors of a client that went away before it was accepted: the next one is tried.
bool spoils_one_accept(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

bool ends_connection(int error) noexcept {
  switch (error) {
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

/// 0 if a recv() of 0 is the end of the stream; else the error that it hides.
int hidden_error(poll_desc& desc) noexcept {
  if (const int broken = desc.ends.broken.load(std::memory_order_acquire); broken != 0)
    return broken;
  if (!desc.is_tcp() || desc.ends.wrote_last.load(std::memory_order_relaxed) ||
      desc.ends.peer_finished.load(std::memory_order_acquire))
    return 0;
  if ((desc.latched() & (netpoll::hung_up | netpoll::failed)) == 0 &&
      !desc.access.is_taken(direction::write))
    return 0;
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(desc.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0)
    // A reset that finds the peer's end already received is reported as EPIPE.
    return error == EPIPE ? 0 : error;
  tcp_info info{};
  length = sizeof info;
  if (::getsockopt(desc.fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
      info.tcpi_state == TCP_CLOSE)
    // A writer may just be on its way to book what it met.
    return desc.ends.peer_finished.load(std::memory_order_acquire) ? 0 : ECONNRESET;
  return 0;
}

step fail(io_op& op, poll_desc& desc, int error) noexcept {
  op.error = error;
  int none = 0;
  // release: pairs with hidden_error(). The first one stays.
  if (ends_connection(error))
    desc.ends.broken.compare_exchange_strong(none, error, std::memory_order_release);
  if (error == EPIPE && !desc.ends.wrote_last.load(std::memory_order_relaxed) &&
      desc.ends.broken.load(std::memory_order_acquire) == 0)
    desc.ends.peer_finished.store(true, std::memory_order_release);
  return step::final;
}

/// Takes `moved` bytes off the front of the operation's buffers. True if nothing is left.
bool consume(io_op& op, std::size_t moved) noexcept {
  op.transferred += moved;
  if (!op.vectored()) {
    op.buffer = static_cast<char*>(op.buffer) + moved;
    op.size -= moved;
    return op.size == 0;
  }
  moved += op.vec_offset;
  while (op.size > 0 && moved >= op.vec->size) {
    moved -= op.vec->size;
    ++op.vec;
    --op.size;
  }
  op.vec_offset = moved;
  return op.size == 0;
}

step book_read(io_op& op, poll_desc& desc, std::int64_t n) noexcept {
  if (n == 0) {
    if (const int error = hidden_error(desc); error != 0) return fail(op, desc, error);
    if (op.kind != io_kind::peek) desc.ends.read_last.store(true, std::memory_order_relaxed);
    if (op.whole) op.wrong = io_op::fault::unexpected_end;
    return step::final;
  }
  const auto moved = static_cast<std::size_t>(n);
  if (op.kind == io_kind::peek || op.kind == io_kind::call_in) {
    op.transferred = moved;
    return step::final;
  }
  // A short read of a TCP stream means that the kernel has no more, unless there is something
  // latched that only reading on will show. The next read arms without trying first.
  if (desc.is_tcp() && desc.latched() == 0 && !op.vectored() && moved < op.size)
    desc.drained_at(direction::read) = true;
  if (op.kind == io_kind::borrow) {
    op.transferred = moved;
    return step::final;
  }
  return consume(op, moved) || !op.whole ? step::final : step::more;
}

}  // namespace

awaited awaited_by(io_kind kind) noexcept {
  switch (kind) {
    case io_kind::write:
    case io_kind::write_v:
    case io_kind::connect:
    case io_kind::wait_out:
    case io_kind::call_out: return awaited::out;
    case io_kind::wait_urgent: return awaited::urgent;
    default: return awaited::in;
  }
}

short poll_events_of(io_kind kind) noexcept {
  switch (awaited_by(kind)) {
    case awaited::in: return POLLIN;
    case awaited::urgent: return POLLPRI;
    case awaited::out: return POLLOUT;
  }
  return 0;
}

bool ends_already(io_op& op, poll_desc& desc) noexcept {
  if (awaited_by(op.kind) != awaited::in || op.kind == io_kind::accept ||
      !desc.ends.read_last.load(std::memory_order_relaxed))
    return false;
  if (op.kind == io_kind::wait_in) {
    // A FIFO may have a writer again, and its reader's end stays the end.
    const std::int64_t found = find_ready(desc.fd, POLLIN | POLLOUT | POLLPRI);
    op.transferred = found_readable | (found > 0 ? static_cast<std::size_t>(found) : 0);
  }
  if (op.whole && op.size != 0) op.wrong = io_op::fault::unexpected_end;
  return true;
}

namespace {

std::int64_t call_socket(io_op& op, int fd) noexcept {
  switch (op.kind) {
    case io_kind::read:
      return retry_call([&] { return receive(fd, op.buffer, op.size, MSG_DONTWAIT); });
    case io_kind::peek:
      return retry_call([&] { return receive(fd, op.buffer, op.size, MSG_DONTWAIT | MSG_PEEK); });
    case io_kind::borrow: return receive_borrowed(op, fd);
    case io_kind::read_v: return receive_message(op, fd);
    case io_kind::write:
      return retry_call([&] { return send(fd, op.buffer, op.size, MSG_DONTWAIT | MSG_NOSIGNAL); });
    case io_kind::write_v: return send_message(op, fd);
    case io_kind::accept:
      return retry_call(
          [&] { return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    case io_kind::connect: return finish_connect(fd);
    default: return -EINVAL;
  }
}

/// What is no socket has no other operations.
std::int64_t call_plain(io_op& op, const poll_desc& desc) noexcept {
  switch (op.kind) {
    case io_kind::read:
      if (desc.kind == descriptor_kind::shared) return read_shared(desc.fd, op.buffer, op.size);
      return read_plain(desc, [&] { return read(desc.fd, op.buffer, op.size); });
    case io_kind::borrow: return read_borrowed(op, desc);
    case io_kind::read_v: return read_parts(op, desc);
    case io_kind::write: {
      if (desc.kind == descriptor_kind::shared) return write_shared(desc.fd, op.buffer, op.size);
      const iovec all{op.buffer, op.size};
      return retry_call([&] { return write_quietly(desc.fd, &all, 1); });
    }
    case io_kind::write_v: return write_parts(op, desc.fd);
    default: return -EINVAL;
  }
}

std::int64_t make_call(io_op& op, const poll_desc& desc) noexcept {
  if (op.calls()) return op.call->make(*op.call, desc.fd);
  if (op.waits()) return find_ready(desc.fd, poll_events_of(op.kind));
  return desc.is_socket() ? call_socket(op, desc.fd) : call_plain(op, desc);
}

}  // namespace

std::int64_t call_once(io_op& op, const poll_desc& desc) noexcept {
  if (!made_by_worker(op, desc)) return make_call(op, desc);
  return is_ready(desc.fd, poll_events_of(op.kind));
}

step book(io_op& op, poll_desc& desc, std::int64_t outcome) noexcept {
  if (outcome == -EAGAIN || outcome == -EWOULDBLOCK) return step::would_block;
  if (outcome < 0) {
    const auto error = static_cast<int>(-outcome);
    if (op.kind == io_kind::connect && (error == EINPROGRESS || error == EALREADY))
      return step::would_block;
    if (op.kind == io_kind::accept && spoils_one_accept(error)) return step::more;
    return fail(op, desc, error);
  }
  switch (op.kind) {
    case io_kind::accept: op.fd = static_cast<int>(outcome); return step::final;
    case io_kind::connect: return step::final;
    case io_kind::wait_in:
    case io_kind::wait_out:
    case io_kind::wait_urgent:
    case io_kind::call_out: op.transferred = static_cast<std::size_t>(outcome); return step::final;
    case io_kind::write:
    case io_kind::write_v:
      return consume(op, static_cast<std::size_t>(outcome)) || !op.whole ? step::final : step::more;
    default: return book_read(op, desc, outcome);
  }
}

step perform(io_op& op, poll_desc& desc) noexcept { return book(op, desc, make_call(op, desc)); }

result<int> duplicate_number(int fd) noexcept {
  const int another = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (another < 0) return system_error_code(errno);
  return another;
}

std::error_code close_number(int fd) noexcept {
  // Not repeated after EINTR: Linux has given the number back by then.
  if (::close(fd) == 0 || errno == EINTR) return {};
  return system_error_code(errno);
}

}  // namespace cove::detail
