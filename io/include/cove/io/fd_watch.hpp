#pragma once

#include <cove/io/detail/transfer.hpp>

namespace cove::io {

/// Tells when a descriptor of somebody else's is ready: of a library that reads and writes it
/// itself (a database's client, a resolver), or of a kind that cove knows nothing of (eventfd,
/// timerfd, a device).
///
///     cove::io::fd_watch watch(::PQsocket(connection));
///     co_await watch.wait_readable();
///     ::PQconsumeInput(connection);
///
/// It never reads, writes, closes or changes the descriptor. It waits by a number of its own for
/// the same thing (dup(2)): whatever the owner does with his, no wait goes astray. So the owner may
/// close at any time; but what was open is closed for the system, and for a peer, only when the
/// watch has ended, too. End the watch first.
///
/// A wait completes when what it waits for is so, also if it was so before, and gives what is so
/// then: whether it was the end, say. One who waits again without having read is told at once.
///
/// Two watches of one descriptor, in one or in several runtimes, are independent: each is told.
///
/// Every operation:
/// Errors:       errc::closed once the watch has ended; errc::operation_in_progress while another
///               task waits for the same; errc::wrong_runtime if it was first awaited on in another
///               runtime; errc::descriptor_too_high where the backend is select and the process has
///               a thousand descriptors open. `.as_result()` reports instead of throwing.
/// Cancellation: safe; nothing is consumed.
/// Threads:      one task may wait for reading, or for what is urgent, while another one waits for
///               writing; any may end it. To wait for reading and for what is urgent, make two.
/// Lifetime:     must outlive the start of a wait; destroying it later ends its waits with
///               errc::closed.
class fd_watch {
 public:
  /// Watches nothing: every operation reports errc::closed.
  fd_watch() noexcept = default;

  /// Errors: thrown, naming the descriptor: bad_file_descriptor; operation_not_permitted for what
  ///         is always ready, a file, a directory, or a device such as /dev/null, whatever the
  ///         backend would say; too_many_files_open and the like.
  explicit fd_watch(int fd);

  /// Completes when a read would not have to wait: there is something, the end, or an error.
  detail::ready_operation wait_readable() noexcept;
  /// Completes when a write would not have to wait: there is room, or an error.
  detail::ready_operation wait_writable() noexcept;
  /// Completes when there is something urgent: a byte out of band on a TCP socket, a change of a
  /// pseudoterminal in packet mode; or when there will be nothing any more: a hang-up, an error.
  /// The backend select does not tell of these. Take what is urgent by a call of your own, as
  /// recv(MSG_OOB); until then it is so. On a TCP socket a read that goes past the byte drops it.
  detail::ready_operation wait_urgent() noexcept;

  /// Ends the watch. Waits end with errc::closed, and it ends when they have left; the descriptor
  /// stays open, and can be watched again.
  cove::detail::close_awaiter close() noexcept { return cove::detail::close_awaiter(own_); }
  bool is_closed() const noexcept { return own_.is_closed(); }

  /// The number that was given, for reports; -1 once the watch has ended.
  int native_handle() const noexcept { return is_closed() ? -1 : watched_; }

 private:
  cove::detail::descriptor own_;
  int watched_ = -1;
};

}  // namespace cove::io
