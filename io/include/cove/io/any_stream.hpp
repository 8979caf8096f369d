#pragma once

#include <cove/io/detail/any_transfer.hpp>

namespace cove::io {

namespace detail {

/// The stream behind an any_stream.
class stream_model {
 public:
  stream_model() noexcept = default;
  stream_model(const stream_model&) = delete;
  stream_model& operator=(const stream_model&) = delete;
  virtual ~stream_model() = default;

  virtual void read_some(transfer_room& room, std::span<std::byte> buffer) = 0;
  virtual void write_some(transfer_room& room, std::span<const std::byte> buffer) = 0;
  virtual void write_all(transfer_room& room, std::span<const std::byte> buffer) = 0;
  virtual task<> shutdown_write() = 0;
  virtual void abandon_writing() noexcept = 0;
  virtual task<std::error_code> close() = 0;
  virtual cove::detail::descriptor* kernel_end() noexcept = 0;
};

COVE_COROUTINE_TEMPLATES_BEGIN
/// An awaitable that does not fit into the room, as a coroutine. `all` is what one moves that gives
/// no count.
template <class A>
task<transfer_outcome> await_elsewhere(A op, std::size_t all) {
  if constexpr (std::is_void_v<cove::detail::awaited_t<A>>)
    co_await std::move(op);
  else
    all = co_await std::move(op);
  co_return transfer_outcome(all, {});
}
template <class S>
task<std::error_code> await_close(S& stream) {
  co_return co_await stream.close();
}
COVE_COROUTINE_TEMPLATES_END

template <class S>
class stream_model_of final : public stream_model {
 public:
  explicit stream_model_of(S stream) : stream_(std::move(stream)) {}

  void read_some(transfer_room& room, std::span<std::byte> buffer) override {
    put(room, buffer.size(), [&] { return stream_.read_some(buffer); });
  }
  void write_some(transfer_room& room, std::span<const std::byte> buffer) override {
    put(room, buffer.size(), [&] { return stream_.write_some(buffer); });
  }
  void write_all(transfer_room& room, std::span<const std::byte> buffer) override {
    put(room, buffer.size(), [&] { return stream_.write_all(buffer); });
  }
  task<> shutdown_write() override { return finish_writing(stream_); }
  void abandon_writing() noexcept override { detail::abandon_writing(stream_); }
  task<std::error_code> close() override { return await_close(stream_); }
  cove::detail::descriptor* kernel_end() noexcept override { return detail::kernel_end(stream_); }

 private:
  template <class Make>
  static void put(transfer_room& room, std::size_t all, Make make) {
    if constexpr (transfer_room::fits<std::invoke_result_t<Make>>)
      room.fill(make);
    else
      room.fill([&] { return transfer<std::size_t>("", await_elsewhere(make(), all)); });
  }

  S stream_;
};

}  // namespace detail

/// A stream of any type: for functions that are no templates, and for what is decided at run time.
///
///     cove::io::any_stream connect(const config& to) {
///       if (to.in_memory) return cove::io::any_stream(std::move(near_end));
///       return cove::io::any_stream(std::move(socket));
///     }
///
/// It owns the stream. Making one allocates once; its reads and writes allocate nothing, for their
/// awaitables stand in the caller's frame.
///
/// Errors, Cancellation, Threads: those of the stream within. An empty one reports errc::closed.
/// Lifetime: as the stream within: buffers must outlive the await.
class any_stream {
 public:
  /// Empty.
  any_stream() noexcept = default;
  /// Takes the stream over.
  template <class S>
    requires(!std::same_as<S, any_stream>)
  explicit any_stream(S stream) {
    detail::must_be_byte_stream<S>();
    model_ = new detail::stream_model_of<S>(std::move(stream));
  }
  any_stream(any_stream&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  any_stream& operator=(any_stream&& other) noexcept {
    if (this != &other) {
      delete model_;
      model_ = std::exchange(other.model_, nullptr);
    }
    return *this;
  }
  /// Ends the stream within, as that does.
  ~any_stream() { delete model_; }

  /// Has it no stream?
  bool empty() const noexcept { return model_ == nullptr; }

  /// Reads at least one byte; 0 means end of stream.
  detail::any_transfer<std::size_t> read_some(std::span<std::byte> buffer) {
    detail::transfer_room room;
    if (model_ != nullptr) model_->read_some(room, buffer);
    return {"read_some", std::move(room)};
  }
  /// Writes at least one byte.
  detail::any_transfer<std::size_t> write_some(std::span<const std::byte> buffer) {
    detail::transfer_room room;
    if (model_ != nullptr) model_->write_some(room, buffer);
    return {"write_some", std::move(room)};
  }
  /// Writes all of `buffer`.
  detail::any_transfer<void> write_all(std::span<const std::byte> buffer) {
    detail::transfer_room room;
    if (model_ != nullptr) model_->write_all(room, buffer);
    return {"write_all", std::move(room)};
  }
  /// This side will write no more.
  task<> shutdown_write() {
    if (model_ == nullptr)
      cove::detail::throw_stopped(cove::detail::stop_reason::closed, "shutdown_write");
    return model_->shutdown_write();
  }
  /// Closes the stream; gives an error code and does not throw.
  task<std::error_code> close() {
    if (model_ != nullptr) return model_->close();
    return was_closed();
  }

  /// Not for users: what a half does that goes.
  void abandon_writing() noexcept {
    if (model_ != nullptr) model_->abandon_writing();
  }
  /// Not for users: what copy() hands to the kernel.
  cove::detail::descriptor* kernel_end() noexcept {
    return model_ != nullptr ? model_->kernel_end() : nullptr;
  }

 private:
  static task<std::error_code> was_closed() { co_return make_error_code(errc::closed); }

  detail::stream_model* model_ = nullptr;
};

}  // namespace cove::io
