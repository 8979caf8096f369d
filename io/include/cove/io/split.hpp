#pragma once

#include <cove/io/stream.hpp>
#include <cove/runtime/detail/atomic.hpp>

namespace cove::io {

namespace detail {

/// A stream that two halves own together.
template <class S>
class shared_stream {
 public:
  /// The first owner's.
  static shared_stream made(S stream) { return shared_stream(new block(std::move(stream))); }
  /// Another owner of the same.
  shared_stream share() const noexcept {
    block_->owners.fetch_add(1, std::memory_order_relaxed);
    return shared_stream(block_);
  }
  shared_stream(shared_stream&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  shared_stream& operator=(shared_stream&& other) noexcept {
    if (this != &other) {
      drop();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  ~shared_stream() { drop(); }

  S* get() const noexcept { return block_ != nullptr ? &block_->stream : nullptr; }

 private:
  struct block {
    explicit block(S from) : stream(std::move(from)) {}
    S stream;
    cove::detail::atomic<unsigned> owners{1};
  };

  explicit shared_stream(block* of) noexcept : block_(of) {}
  void drop() noexcept {
    // acq_rel: the last owner sees all that the other did with the stream.
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete block_;
    block_ = nullptr;
  }

  block* block_;
};

/// A stream that somebody else owns.
template <class S>
class borrowed_stream {
 public:
  explicit borrowed_stream(S& of) noexcept : stream_(&of) {}
  S* get() const noexcept { return stream_; }

 private:
  S* stream_;
};

template <class S>
struct holder_of {
  using type = shared_stream<S>;
};
template <class S>
struct holder_of<S&> {
  using type = borrowed_stream<S>;
};

}  // namespace detail

/// The reading half of a stream; see split(). `S` is a reference for a borrowed one.
///
/// Threads: one task at a time, beside the one that has the other half.
template <class S>
class read_half {
 public:
  /// Not for users: split() makes halves.
  explicit read_half(typename detail::holder_of<S>::type of) noexcept : held_(std::move(of)) {}

  /// Reads at least one byte; 0 means end of stream.
  auto read_some(std::span<std::byte> buffer) { return stream().read_some(buffer); }
  /// Not for users: what copy() hands to the kernel.
  cove::detail::descriptor* kernel_end() noexcept { return detail::kernel_end(stream()); }
  /// The whole stream, for what a half does not have: deadlines, options, other reads.
  std::remove_reference_t<S>& stream() const noexcept {
    COVE_ASSERT(held_.get() != nullptr);
    return *held_.get();
  }

 private:
  typename detail::holder_of<S>::type held_;
};

/// The writing half of a stream; see split(). `S` is a reference for a borrowed one.
///
/// Threads: one task at a time, beside the one that has the other half.
template <class S>
class write_half {
 public:
  /// Not for users: split() makes halves.
  explicit write_half(typename detail::holder_of<S>::type of) noexcept : held_(std::move(of)) {}
  write_half(write_half&&) noexcept = default;
  write_half& operator=(write_half&& other) noexcept {
    if (this != &other) {
      finish();
      held_ = std::move(other.held_);
    }
    return *this;
  }
  /// Says that no more comes; see split(). Of a borrowed stream nothing.
  ~write_half() { finish(); }

  /// Writes at least one byte.
  auto write_some(std::span<const std::byte> buffer) { return stream().write_some(buffer); }
  /// Writes all of `buffer`.
  auto write_all(std::span<const std::byte> buffer) { return stream().write_all(buffer); }
  /// This side will write no more; see io::finish_writing().
  auto shutdown_write() { return stream().shutdown_write(); }
  /// Not for users: what copy() hands to the kernel.
  cove::detail::descriptor* kernel_end() noexcept { return detail::kernel_end(stream()); }
  /// The whole stream, for what a half does not have.
  std::remove_reference_t<S>& stream() const noexcept {
    COVE_ASSERT(held_.get() != nullptr);
    return *held_.get();
  }

 private:
  void finish() noexcept {
    if constexpr (!std::is_reference_v<S>)
      if (held_.get() != nullptr) detail::abandon_writing(*held_.get());
  }

  typename detail::holder_of<S>::type held_;
};

/// Both halves of a stream.
template <class S>
struct stream_halves {
  stream_halves(read_half<S> in, write_half<S> out) noexcept
      : reader(std::move(in)), writer(std::move(out)) {}
  read_half<S> reader;
  write_half<S> writer;
};

/// Splits a stream into a half for the task that reads and one for the task that writes. When the
/// writing half goes the other end sees the end of the stream; when both are gone the stream ends.
/// A stream whose shutdown_write() has to be awaited, as one that still has something to write, or
/// an any_stream with such a one within, does not end with the half: await it before.
///
///     auto [reader, writer] = cove::io::split(std::move(peer));
///     auto sending = cove::spawn(send_updates, std::move(writer));
///     co_await read_commands(std::move(reader));
///
/// Errors:   thrown; std::bad_alloc, and the stream has ended then.
/// Lifetime: independent of each other; allocates once.
template <class S>
  requires(!std::is_lvalue_reference_v<S>)
stream_halves<S> split(S&& stream) {
  detail::must_be_byte_stream<S>();
  auto whole = detail::shared_stream<S>::made(std::forward<S>(stream));
  auto other = whole.share();
  return {read_half<S>(std::move(whole)), write_half<S>(std::move(other))};
}

/// The same for a stream that stays yours: the halves refer to it, cost nothing, and ending them
/// does nothing.
///
///     auto [reader, writer] = cove::io::split(peer);
///
/// Lifetime: the stream must outlive both halves.
template <class S>
stream_halves<S&> split(S& stream) noexcept {
  detail::must_be_byte_stream<S>();
  const detail::borrowed_stream<S> whole(stream);
  return {read_half<S&>(whole), write_half<S&>(whole)};
}

}  // namespace cove::io
