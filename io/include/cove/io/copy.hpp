#pragma once

#include <cove/io/buffered_reader.hpp>
#include <cove/io/detail/kernel_copy.hpp>
#include <cove/io/file.hpp>
#include <cove/runtime/shield.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace cove::io {

/// What copy() may be told.
///
/// Threads:  a value.
/// Units:    bytes.
struct copy_options {
  constexpr copy_options() noexcept = default;
  /// At most so many bytes.
  constexpr explicit copy_options(std::uint64_t limit) noexcept : most(limit) {}

  std::uint64_t most = UINT64_MAX;
  /// Of a file: where to begin, in place of its cursor, which then stays where it is. Other sources
  /// refuse it.
  std::optional<std::int64_t> offset;
  /// Takes what was read and could not be written when the copy ends early; see copy().
  std::string* unsent = nullptr;
};

namespace detail {

/// Which way a copy goes; the kernel's only where it can.
enum class copy_way : unsigned char { by_size, plain, kernel };

// Splicing takes a pipe of two descriptors and two system calls a turn where the plain way takes a
// receive and a send, so it begins when a source has filled so many buffers one after the other.
// CPU time of the copying process on loopback, splice against plain, medians of interleaved runs on
// two busy cores (2026-11): 0.9 to 1.0 for 16 KiB in all, 0.7 for 64 KiB, 0.55 to 0.8 from 256 KiB
// to 128 MiB; elapsed time 0.6 to 1.3, without a trend. sendfile against reading and sending: 0.93
// for 16 KiB, 0.65 for 64 KiB, 0.25 to 0.36 from 256 KiB to 64 MiB, so it begins at once.
inline constexpr unsigned full_buffers_before_splice = 4;

struct copy_access {
  template <class S>
  static byte_buffer& buffer(buffered_reader<S>& of) noexcept {
    return of.buffer_;
  }
  /// Receives more, at most `most` bytes.
  template <class S>
  static task<transfer_outcome> more(buffered_reader<S>& of, std::uint64_t most) {
    if (most >= cove::detail::borrowed_bytes) return of.more(1);
    return few(of, static_cast<std::size_t>(most));
  }

 private:
  template <class S>
  static task<transfer_outcome> few(buffered_reader<S>& of, std::size_t most);
};

COVE_COROUTINE_TEMPLATES_BEGIN
template <class S>
task<transfer_outcome> copy_access::few(buffered_reader<S>& of, std::size_t most) {
  const std::span<std::byte> room = of.buffer_.prepare(1);
  const io_result came =
      co_await of.stream_.read_some(room.first(std::min(room.size(), most))).as_result();
  of.buffer_.commit(came.n);
  co_return came;
}

/// What comes of a copy that was given an offset and no file.
task<transfer_outcome> refuse_offset();

inline transfer_outcome copy_ended(std::size_t n, std::error_code error, const char* verb) {
  transfer_outcome ended(n, error);
  ended.verb = verb;
  return ended;
}

/// What can be awaited once, as a user's stream may give it, but stays: it may be asked afterwards
/// how it failed.
template <class Operation>
Operation&& as_rvalue(Operation& part) noexcept {
  return static_cast<Operation&&>(part);
}

/// How an operation has failed that is the part `verb` of a copy, after `done` bytes. Those of a
/// file throw, as they have more to tell than an outcome holds.
template <class Operation>
transfer_outcome part_failed(const Operation& part, std::size_t done, std::error_code error,
                             const char* verb) {
  if constexpr (std::derived_from<Operation, file_op>) part.fail_as(verb, done);
  return copy_ended(done, error, verb);
}

/// What was read and not written stays in the reader.
template <class S, class To>
task<transfer_outcome> copy_buffered(buffered_reader<S>& from, To& to, std::uint64_t most,
                                     copy_way way) {
  byte_buffer& held = copy_access::buffer(from);
  cove::detail::descriptor* const source = kernel_end(from.stream());
  cove::detail::descriptor* const target = kernel_end(to);
  bool by_kernel = source != nullptr && target != nullptr && way != copy_way::plain;
  unsigned full = way == copy_way::kernel ? full_buffers_before_splice : 0;
  std::size_t done = 0;
  while (done < most) {
    if (!held.empty()) {
      const std::size_t part =
          static_cast<std::size_t>(std::min<std::uint64_t>(held.size(), most - done));
      auto writing = to.write_all(held.bytes().first(part)).as_result();
      const io_result went = co_await as_rvalue(writing);
      held.consume(went.n);
      done += went.n;
      if (went.error) co_return part_failed(writing, done, went.error, copy_writes);
      continue;
    }
    if (by_kernel && full >= full_buffers_before_splice) {
      held.release();
      const kernel_outcome went = co_await splice_all(*source, *target, most - done, held);
      done += went.n;
      if (!went.refused) co_return copy_ended(done, went.error, went.verb);
      by_kernel = false;
      continue;
    }
    const transfer_outcome came = co_await copy_access::more(from, most - done);
    if (came.error) co_return copy_ended(done, came.error, copy_reads);
    if (came.n == 0) break;
    full = came.n >= cove::detail::borrowed_bytes ? full + 1 : 0;
  }
  held.release();
  co_return transfer_outcome(done, {});
}

template <class From, class To>
task<transfer_outcome> copy_plain(From& from, To& to, copy_options options, copy_way way) {
  buffered_reader<From&> reader(from);
  transfer_outcome ended(0, {});
  std::exception_ptr failure;
  try {
    ended = co_await copy_buffered(reader, to, options.most, way);
  } catch (...) {
    failure = std::current_exception();
  }
  if (options.unsent != nullptr) {
    const std::span<const std::byte> rest = reader.buffered();
    options.unsent->append(reinterpret_cast<const char*>(rest.data()), rest.size());
  }
  if (failure) std::rethrow_exception(std::move(failure));
  co_return ended;
}
COVE_COROUTINE_TEMPLATES_END

COVE_COROUTINE_TEMPLATES_BEGIN
/// One step of a file, by reading it, after `done` bytes. Gives how many there are then.
template <class To>
task<transfer_outcome> copy_part(file* from, std::int64_t at, To* to, std::uint64_t most,
                                 std::size_t done) {
  constexpr std::size_t part_bytes = std::size_t{256} << 10;
  byte_buffer held;
  const std::span<std::byte> room =
      held.prepare(static_cast<std::size_t>(std::min<std::uint64_t>(most, part_bytes)));
  auto reading =
      from->read_at(room.first(std::min<std::size_t>(room.size(), most)), at).as_result();
  const io_result came = co_await reading;
  if (came.error) reading.fail_as(copy_reads, done);
  auto writing = to->write_all(room.first(came.n)).as_result();
  const io_result went = co_await as_rvalue(writing);
  done += went.n;
  if (went.error) co_return part_failed(writing, done, went.error, copy_writes);
  co_return transfer_outcome(done, {});
}

template <class To>
task<transfer_outcome> copy_from_offset(file* from, std::int64_t offset, To* to, std::uint64_t most,
                                        copy_way way) {
  std::size_t done = 0;
  cove::detail::descriptor* const target = kernel_end(*to);
  bool by_kernel =
      target != nullptr && from->kernel_file() != nullptr && offset >= 0 && way != copy_way::plain;
  while (done < most) {
    const std::int64_t at = offset + static_cast<std::int64_t>(done);
    if (by_kernel) {
      const kernel_outcome went =
          co_await send_file(*from->kernel_file(), at, *target, most - done);
      done += went.n;
      by_kernel = !went.refused;
      if (by_kernel && !went.cold) co_return copy_ended(done, went.error, went.verb);
      if (went.n != 0) continue;
    }
    const transfer_outcome part = co_await copy_part(from, at, to, most - done, done);
    if (part.error) co_return part;
    if (part.n == done) break;
    done = part.n;
  }
  co_return transfer_outcome(done, {});
}

template <class To>
task<transfer_outcome> copy_file(file* from, To* to, copy_options options, copy_way way) {
  if (options.offset)
    co_return co_await copy_from_offset(from, *options.offset, to, options.most, way);
  auto asking = from->seek(0, seek_from::current).as_result();
  const result<std::int64_t> start = co_await asking;
  if (!start) asking.fail_as(copy_reads, 0);
  transfer_outcome ended(0, {});
  std::exception_ptr failure;
  try {
    ended = co_await copy_from_offset(from, *start, to, options.most, way);
  } catch (const io_error& why) {
    ended.n = why.transferred();
    failure = std::current_exception();
  }
  // The cursor stands behind what was written, however it ended.
  auto moving = from->seek(*start + static_cast<std::int64_t>(ended.n)).as_result();
  auto surely = shield(std::move(moving));
  const result<std::int64_t> moved = co_await std::move(surely);
  if (failure) std::rethrow_exception(std::move(failure));
  if (!ended.error && !moved) co_return copy_ended(ended.n, moved.error(), copy_reads);
  co_return ended;
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Copies from one stream to another up to the end of `from`, or up to a limit, and gives how many
/// bytes were written. It ends neither of them.
///
///     std::size_t n = co_await cove::io::copy(peer, log);
///     co_await cove::io::copy(reader, peer, cove::io::copy_options(head.content_length));
///
/// The kernel copies by itself, by splice(2), between sockets and pipes, from the moment on that
/// much is to be copied; where it cannot, and between all other streams, the bytes go through a
/// buffer. A copy that waits for a socket or pipe holds no buffer.
///
/// Errors:       those of both streams, as "copy, reading" and "copy, writing", of a file with its
///               path; the count says how much was written. invalid_argument, before anything is
///               read, for an offset.
/// Cancellation: the count says how much was written. What was read and not written, at most a
///               mebibyte, is in `options.unsent`, if that is given, and else lost. From a
///               buffered_reader nothing is lost: it is still there.
/// Threads:      it reads the one and writes the other, as the task that awaits it would.
/// Lifetime:     both streams must outlive the await.
/// Units:        bytes.
/// Source:       splice(2).
template <class From, class To>
transfer<std::size_t> copy(From& from, To& to, copy_options options = copy_options()) {
  detail::must_be_readable<From>();
  detail::must_be_writable<To>();
  if (options.offset) return {"copy", detail::refuse_offset()};
  return {"copy", detail::copy_plain(from, to, options, detail::copy_way::by_size)};
}
template <class S, class To>
transfer<std::size_t> copy(buffered_reader<S>& from, To& to,
                           copy_options options = copy_options()) {
  detail::must_be_writable<To>();
  if (options.offset) return {"copy", detail::refuse_offset()};
  return {"copy", detail::copy_buffered(from, to, options.most, detail::copy_way::by_size)};
}

/// Copies a file to a stream: from its cursor on, which moves by what was written, or from
/// `options.offset` on. To a socket or pipe the kernel sends it, as far as it has it in memory;
/// what has to come from a disk is read first, so no worker waits for that.
///
///     cove::io::copy_options part(length);
///     part.offset = first;
///     co_await cove::io::copy(page, peer, part);
///
/// Errors, Cancellation: as above, but nothing is ever read that was not written; `unsent` stays as
///               it is.
/// Source:       sendfile(2).
template <class To>
transfer<std::size_t> copy(file& from, To& to, copy_options options = copy_options()) {
  detail::must_be_writable<To>();
  return {"copy", detail::copy_file(&from, &to, options, detail::copy_way::by_size)};
}

}  // namespace cove::io
