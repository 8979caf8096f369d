#pragma once

#include <cove/io/detail/transfer.hpp>
#include <cove/net/address.hpp>
#include <cove/net/options.hpp>
#include <cove/runtime/detail/moment.hpp>
#include <cove/runtime/task.hpp>

namespace cove::net {

/// A TCP connection.
///
///     std::array<std::byte, 4096> buffer;
///     while (std::size_t n = co_await peer.read_some(buffer))
///       co_await peer.write_all(std::span(buffer).first(n));
///
/// Every operation, unless it says otherwise:
/// Errors:       those of the system; errc::closed once the stream was closed on this side;
///               errc::operation_in_progress while another task uses the same direction;
///               errc::wrong_runtime if it was first awaited on in another runtime;
///               errc::descriptor_too_high where the backend is select and the process has a
///               thousand descriptors open. A reset by the peer is an error in both directions and
///               stays one; it is never shown as end of stream. A transfer's error tells how many
///               bytes had moved.
///               `.as_result()` reports instead of throwing.
/// Cancellation: safe. The operation ends with canceled or deadline_exceeded and tells what it had
///               moved; the stream stands behind that, no byte is lost and none is seen twice.
///               The same goes for an operation that set_deadline() and its like end.
/// Threads:      one task may read while another writes. Any task may close, abort or shut down.
///               Moving and destroying the object is for one thread at a time.
/// Lifetime:     buffers must outlive the await. The stream object must outlive the start of an
///               operation; destroying it later ends its operations with errc::closed.
class tcp_stream {
 public:
  /// Not connected: every operation reports errc::closed.
  tcp_stream() noexcept = default;

  /// Connects to `to`. Never gives a connection to itself, which a system may make out of an
  /// ephemeral port that nobody listens on; that counts as refused.
  /// Errors:       connection_refused and the like, naming the address.
  /// Cancellation: the attempt is given up and its descriptor closed.
  /// Source:       RFC 9293; connect(2).
  static task<tcp_stream> connect(socket_address to, connect_options options = {});

  /// Takes over a connected TCP socket, which it will close: inherited, or made by a library. Makes
  /// it non-blocking, and so for everybody who shares what was opened (a parent, a dup); release()
  /// takes that back. Programs that are started do not inherit it.
  /// Errors: thrown, naming the descriptor and what it is; then it stays the caller's. It is
  ///         invalid_argument for what is no TCP socket, and for one that listens or is not
  ///         connected (any more).
  static tcp_stream adopt(int fd);
  /// Gives the descriptor out of the runtime: open, blocking, and the caller's to close. The stream
  /// is closed then, for this side alone: nothing is sent.
  /// Errors: thrown; operation_in_progress while something uses it; errc::closed.
  int release();

  /// Reads at least one byte, at most `buffer.size()`. 0 means end of stream, now and ever after.
  /// Errors: invalid_argument for an empty buffer.
  io::detail::count_operation read_some(std::span<std::byte> buffer) noexcept;
  /// Reads into several buffers, filling them in order.
  /// Lifetime: the array of buffers must outlive the await, too.
  io::detail::count_operation read_some(std::span<const io::mutable_buffer> buffers) noexcept;
  /// Reads until `buffer` is full.
  /// Errors: errc::unexpected_end if the stream ends before, even at once.
  io::detail::whole_operation read_exact(std::span<std::byte> buffer) noexcept;
  /// Reads into a buffer of the runtime's and lends it; an empty lease means end of stream. A
  /// connection that waits here holds no buffer.
  /// Errors: not_enough_memory.
  io::detail::lease_operation receive() noexcept;
  /// Reads without taking: a later read sees the same bytes. 0 means end of stream.
  io::detail::count_operation peek(std::span<std::byte> buffer) noexcept;
  /// Completes when a read would not have to wait: there are bytes, the end, or an error. Gives
  /// what is so then (io::readiness).
  io::detail::ready_operation wait_readable() noexcept;
  /// Completes when a write would not have to wait: there is room, or an error. Gives the same.
  io::detail::ready_operation wait_writable() noexcept;
  /// Completes when the peer has sent an urgent byte (MSG_OOB) that was not taken, or when the
  /// connection has ended in both directions, of which the backend select does not tell. Take the
  /// byte by recv(MSG_OOB) in with_native_handle(): reads leave it out, and one that goes past it
  /// drops it, so do not let one wait meanwhile.
  ///
  /// It stands in the place of a read, and goes by the read deadline. To wait for both at once,
  /// watch native_handle() with an io::fd_watch, and look at readiness::urgent before reading.
  io::detail::ready_operation wait_urgent() noexcept;

  /// Writes at least one byte, as many as the system takes at once. An empty buffer writes nothing.
  /// Errors: broken_pipe or connection_reset if the peer is gone; the process gets no SIGPIPE.
  io::detail::count_operation write_some(std::span<const std::byte> buffer) noexcept;
  /// Writes from several buffers, in order.
  io::detail::count_operation write_some(std::span<const io::const_buffer> buffers) noexcept;
  /// Writes all of `buffer`.
  io::detail::whole_operation write_all(std::span<const std::byte> buffer) noexcept;
  /// Writes all of several buffers, in order, however many.
  io::detail::whole_operation write_all(std::span<const io::const_buffer> buffers) noexcept;

  /// Reads or writes what is possible without waiting, from any thread. The error is
  /// operation_would_block if that is nothing.
  io_result try_read(std::span<std::byte> buffer) noexcept;
  io_result try_write(std::span<const std::byte> buffer) noexcept;

  /// This side will write no more: the peer reads to the end of what was written, then sees the end
  /// of the stream. Reading goes on. A second call does nothing.
  /// Errors: thrown; not_connected if the connection is gone already.
  /// Source: shutdown(2).
  void shutdown_write();
  /// Own reads see the end of the stream from now on.
  /// Errors: thrown, as shutdown_write().
  void shutdown_read();

  /// Ends the connection at once, with a reset for the peer; what was written and not yet delivered
  /// is lost. Pending operations end with errc::closed. Never fails.
  void abort() noexcept;

  /// Ends when every operation on the stream has left, with errc::closed, and the descriptor was
  /// given back. What was written is still delivered, unless bytes were received and not read: then
  /// the peer gets a reset. Gives a zero code, or errc::closed if it was closed before.
  /// Cancellation: none; a request stays for the next await.
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(socket_); }

  /// From `when` on, every read (peek, receive and the others too) fails with
  /// errc::deadline_exceeded: the one that waits then, and each later one at once, even if there
  /// are bytes. It stays so until the deadline is moved later; clock::time_point::max() is none.
  ///
  ///     stream.set_read_deadline(cove::clock::now() + 30s);
  ///
  /// It does not end what succeeds: bytes that a read has taken are given. A read that waits goes
  /// by the new deadline from now on. A limit around an await (with_timeout) counts beside it.
  /// Moving it is cheap, moving it later costs a store: move it with each request.
  /// Errors:  thrown; errc::closed, not_enough_memory the first time.
  /// Threads: any, also while others read. It may be set before the first await.
  /// Units:   a moment of cove::clock, see <cove/runtime/time.hpp>; one that has passed ends a
  ///          read that waits.
  template <cove::detail::moment Moment>
  void set_read_deadline(Moment when) {
    set_deadline(deadline_for::reads, "set_read_deadline", cove::detail::nanoseconds_of(when));
  }
  /// The same for writes. A write of which a part was written says how much.
  template <cove::detail::moment Moment>
  void set_write_deadline(Moment when) {
    set_deadline(deadline_for::writes, "set_write_deadline", cove::detail::nanoseconds_of(when));
  }
  /// The same for both.
  template <cove::detail::moment Moment>
  void set_deadline(Moment when) {
    set_deadline(deadline_for::both, "set_deadline", cove::detail::nanoseconds_of(when));
  }

  /// Has it been closed on this side, or was it never connected?
  bool is_closed() const noexcept { return socket_.is_closed(); }

  /// The two ends. Errors: thrown; errc::closed, or not_connected once the peer has reset.
  socket_address local_address() const;
  socket_address peer_address() const;

  /// Options; all throw error. Those of the kernel's doubling (buffer sizes) read back what it made
  /// of them.
  void set_nodelay(bool on);
  bool nodelay() const;
  void set_keepalive(const keepalive_options& options);
  bool keepalive() const;
  /// Bytes.
  void set_receive_buffer(unsigned bytes);
  unsigned receive_buffer() const;
  void set_send_buffer(unsigned bytes);
  unsigned send_buffer() const;
  /// Closing resets the connection (`seconds` = 0) or tries so long to deliver; negative: the
  /// system's default, to deliver in the background.
  void set_linger(int seconds);

  /// Calls `call(fd)` with the system's descriptor, for what is not here, and gives what it gives.
  /// Whoever closes the stream meanwhile, the number stays this stream's until it has returned. It
  /// must not wait, nor close the number. With wait_readable() and wait_writable() it makes reads
  /// and writes of one's own:
  ///
  ///     while (peer.with_native_handle([&](int fd) { return splice_some(fd); }) == EAGAIN)
  ///       co_await peer.wait_readable();
  ///
  /// Errors:  thrown: errc::closed; what `call` throws.
  /// Threads: any, beside everything else.
  template <class Call>
  auto with_native_handle(Call call) {
    const cove::detail::descriptor_hold held(socket_);
    if (!held) cove::detail::throw_stopped(cove::detail::stop_reason::closed, "with_native_handle");
    return call(held.fd());
  }
  /// The system's descriptor, for reports; -1 once closed. It may be closed, and be another's, at
  /// any time. Do not close it.
  int native_handle() const noexcept { return socket_.number(); }

  /// Not for users: what io::copy() hands to the kernel.
  cove::detail::descriptor* kernel_end() noexcept { return &socket_; }
  /// Not for users: takes over a connected, non-blocking socket.
  explicit tcp_stream(cove::detail::descriptor socket) noexcept : socket_(std::move(socket)) {}

 private:
  using deadline_for = cove::detail::deadline_for;
  void set_deadline(deadline_for whose, const char* verb, std::int64_t when_ns);

  mutable cove::detail::descriptor socket_;
};

namespace detail {

struct gives_stream {
  using value = tcp_stream;
  using reported = result<tcp_stream>;
  static value take(cove::detail::io_op& op) noexcept {
    return tcp_stream(
        cove::detail::descriptor(std::exchange(op.fd, -1), cove::detail::descriptor_kind::tcp));
  }
  static reported report(cove::detail::io_op& op, std::error_code why) noexcept {
    if (why) return why;
    return take(op);
  }
};
using accept_operation = io::detail::io_operation<gives_stream>;

}  // namespace detail

/// A TCP socket that waits for connections.
///
///     auto listener = cove::net::tcp_listener::bind("127.0.0.1:9000");
///     cove::net::tcp_stream peer = co_await listener.accept();
///
/// Threads:  any number of tasks may accept; they are served in order. Any task may close.
class tcp_listener {
 public:
  /// Closed: accept reports errc::closed.
  tcp_listener() noexcept = default;

  /// Binds and listens. Port 0 takes a free one, see local_address(). An address that was used a
  /// moment ago can be bound again (SO_REUSEADDR). May be called outside of any runtime.
  /// Errors: thrown, naming the address and the remedy: address_in_use, address_not_available,
  ///         permission_denied, ...
  /// Source: bind(2), listen(2).
  static tcp_listener bind(socket_address at, const listen_options& options = {});

  /// Takes over a socket that listens, as socket activation gives it; see tcp_stream::adopt().
  static tcp_listener adopt(int fd);
  /// As tcp_stream::release(); it goes on listening. On io_uring the number may be another one, for
  /// the same socket, and connections that came while nobody accepted, or come in this moment, may
  /// be reset.
  int release();

  /// Waits for a connection. A client that went away before it was accepted is passed over.
  /// Errors:       errc::closed; too_many_files_open and the like, after which accepting goes on as
  ///               soon as there is room.
  /// Cancellation: safe: a connection that had been accepted is given.
  /// Threads:      concurrent accepts queue up in order.
  detail::accept_operation accept() noexcept;

  /// As tcp_stream::close(). Connections that were not accepted yet are reset by the system.
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(socket_); }
  bool is_closed() const noexcept { return socket_.is_closed(); }

  /// From `when` on every accept fails with errc::deadline_exceeded, those that wait and later
  /// ones, even if a client is there; see tcp_stream::set_read_deadline.
  template <cove::detail::moment Moment>
  void set_deadline(Moment when) {
    set_deadline_ns(cove::detail::nanoseconds_of(when));
  }

  /// Where it listens, with the port it was given. Errors: thrown.
  socket_address local_address() const;

  /// The system's descriptor; -1 once closed. Do not close it.
  int native_handle() const noexcept { return socket_.number(); }

 private:
  explicit tcp_listener(cove::detail::descriptor socket) noexcept : socket_(std::move(socket)) {}
  void set_deadline_ns(std::int64_t when_ns);

  mutable cove::detail::descriptor socket_;
};

}  // namespace cove::net
