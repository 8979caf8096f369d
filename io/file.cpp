#include <cove/io/file.hpp>

#include "file_calls.hpp"

#include <cove/runtime/error.hpp>

#include <optional>
#include <type_traits>

namespace cove::io {

using detail::all_moved_operation;
using detail::done_operation;
using detail::file_state;
using detail::file_verb;
using detail::moved_operation;
using detail::position_operation;
using detail::status_operation;

namespace {

void take_buffers(detail::file_op& op, std::span<const std::byte> buffer) noexcept {
  op.of_bytes(const_cast<std::byte*>(buffer.data()), buffer.size());  // Writes only read it.
}

template <class Buffer>
void take_buffers(detail::file_op& op, std::span<const Buffer> buffers) noexcept {
  static_assert(sizeof(Buffer) == sizeof(cove::detail::io_vec));
  op.of_buffers(reinterpret_cast<const cove::detail::io_vec*>(buffers.data()), buffers.size());
}

/// Without an offset: at the cursor.
template <class Operation, class Buffers>
Operation transfer(file_state* on, file_verb what, const char* verb, Buffers buffers,
                   std::optional<std::int64_t> offset = {}) noexcept {
  Operation op(on, what, verb);
  take_buffers(op, buffers);
  if (std::is_same_v<Operation, all_moved_operation>) op.wholly();
  if (offset) op.at(*offset);
  op.check_transfer();
  return op;
}

}  // namespace

file file::adopt(int fd) {
  detail::open_traits found{};
  if (const std::error_code why = detail::look_at(fd, found); why)
    throw error(why, "adopt descriptor " + std::to_string(fd),
                why == std::errc::invalid_argument
                    ? "it is a socket or a pipe: streams and pipe_reader are for these"
                    : "");
  return file(new file_state(fd, {found.reads, found.writes, found.appends, found.direct}, {}));
}

int file::release() {
  const bool was_closed = is_closed();
  const int fd = was_closed ? -1 : state_->release();
  if (fd < 0)
    throw error(was_closed ? errc::closed : errc::operation_in_progress,
                "release " + (state_ != nullptr ? state_->describe() : "a file"),
                was_closed ? "" : "wait for the operations that are under way");
  drop();
  return fd;
}

moved_operation file::read_at(std::span<std::byte> buffer, std::int64_t offset) noexcept {
  return transfer<moved_operation>(state_, file_verb::read, "read_at", buffer, offset);
}

moved_operation file::read_at(std::span<const mutable_buffer> buffers,
                              std::int64_t offset) noexcept {
  return transfer<moved_operation>(state_, file_verb::read, "read_at", buffers, offset);
}

all_moved_operation file::read_exact_at(std::span<std::byte> buffer, std::int64_t offset) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::read, "read_exact_at", buffer, offset);
}

all_moved_operation file::read_exact_at(std::span<const mutable_buffer> buffers,
                                        std::int64_t offset) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::read, "read_exact_at", buffers, offset);
}

moved_operation file::write_at(std::span<const std::byte> buffer, std::int64_t offset) noexcept {
  return transfer<moved_operation>(state_, file_verb::write, "write_at", buffer, offset);
}

moved_operation file::write_at(std::span<const const_buffer> buffers,
                               std::int64_t offset) noexcept {
  return transfer<moved_operation>(state_, file_verb::write, "write_at", buffers, offset);
}

all_moved_operation file::write_all_at(std::span<const std::byte> buffer,
                                       std::int64_t offset) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::write, "write_all_at", buffer, offset);
}

all_moved_operation file::write_all_at(std::span<const const_buffer> buffers,
                                       std::int64_t offset) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::write, "write_all_at", buffers, offset);
}

moved_operation file::read_some(std::span<std::byte> buffer) noexcept {
  return transfer<moved_operation>(state_, file_verb::read, "read_some", buffer);
}

moved_operation file::read_some(std::span<const mutable_buffer> buffers) noexcept {
  return transfer<moved_operation>(state_, file_verb::read, "read_some", buffers);
}

all_moved_operation file::read_exact(std::span<std::byte> buffer) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::read, "read_exact", buffer);
}

all_moved_operation file::read_exact(std::span<const mutable_buffer> buffers) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::read, "read_exact", buffers);
}

moved_operation file::write_some(std::span<const std::byte> buffer) noexcept {
  return transfer<moved_operation>(state_, file_verb::write, "write_some", buffer);
}

moved_operation file::write_some(std::span<const const_buffer> buffers) noexcept {
  return transfer<moved_operation>(state_, file_verb::write, "write_some", buffers);
}

all_moved_operation file::write_all(std::span<const std::byte> buffer) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::write, "write_all", buffer);
}

all_moved_operation file::write_all(std::span<const const_buffer> buffers) noexcept {
  return transfer<all_moved_operation>(state_, file_verb::write, "write_all", buffers);
}

position_operation file::seek(std::int64_t offset, seek_from from) noexcept {
  position_operation op(state_, file_verb::seek, "seek");
  op.to_position(offset, from);
  return op;
}

done_operation file::sync() noexcept { return done_operation(state_, file_verb::sync, "sync"); }

done_operation file::sync_data() noexcept {
  return done_operation(state_, file_verb::sync_data, "sync_data");
}

done_operation file::truncate(std::int64_t size) noexcept {
  done_operation op(state_, file_verb::truncate, "truncate");
  op.to_size(size);
  return op;
}

status_operation file::stat() noexcept { return status_operation(state_, file_verb::stat, "stat"); }

}  // namespace cove::io
