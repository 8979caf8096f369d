#include <cove/io/pipe.hpp>

#include "pipe.hpp"

namespace cove::io {
namespace {

using cove::detail::deadline_for;
using cove::detail::descriptor;
using cove::detail::descriptor_kind;
using detail::io_kind;

void require(std::error_code why, const char* what) {
  if (why) cove::detail::throw_error(why, what);
}

}  // namespace

// ----- pipe_reader -----

detail::count_operation pipe_reader::read_some(std::span<std::byte> buffer) noexcept {
  return detail::make_read<detail::count_operation>(pipe_, io_kind::read, buffer, false,
                                                    "read_some");
}
detail::count_operation pipe_reader::read_some(std::span<const mutable_buffer> buffers) noexcept {
  return detail::make_vectored<detail::count_operation>(pipe_, io_kind::read_v, buffers, false,
                                                        "read_some");
}
detail::whole_operation pipe_reader::read_exact(std::span<std::byte> buffer) noexcept {
  return detail::make_read<detail::whole_operation>(pipe_, io_kind::read, buffer, true,
                                                    "read_exact");
}
detail::lease_operation pipe_reader::receive() noexcept {
  return {pipe_, io_kind::borrow, "receive"};
}
detail::ready_operation pipe_reader::wait_readable() noexcept {
  return {pipe_, io_kind::wait_in, "wait_readable"};
}
io_result pipe_reader::try_read(std::span<std::byte> buffer) noexcept {
  if (buffer.empty()) return {0, std::make_error_code(std::errc::invalid_argument)};
  return detail::try_once(pipe_, io_kind::read, buffer.data(), buffer.size());
}

void pipe_reader::set_deadline_ns(std::int64_t when_ns) {
  require(pipe_.set_deadline(deadline_for::reads, when_ns), "set_read_deadline");
}

// ----- pipe_writer -----

detail::count_operation pipe_writer::write_some(std::span<const std::byte> buffer) noexcept {
  return detail::make_write<detail::count_operation>(pipe_, buffer, false, "write_some");
}
detail::count_operation pipe_writer::write_some(std::span<const const_buffer> buffers) noexcept {
  return detail::make_vectored<detail::count_operation>(pipe_, io_kind::write_v, buffers, false,
                                                        "write_some");
}
detail::whole_operation pipe_writer::write_all(std::span<const std::byte> buffer) noexcept {
  return detail::make_write<detail::whole_operation>(pipe_, buffer, true, "write_all");
}
detail::whole_operation pipe_writer::write_all(std::span<const const_buffer> buffers) noexcept {
  return detail::make_vectored<detail::whole_operation>(pipe_, io_kind::write_v, buffers, true,
                                                        "write_all");
}
detail::ready_operation pipe_writer::wait_writable() noexcept {
  return {pipe_, io_kind::wait_out, "wait_writable"};
}
io_result pipe_writer::try_write(std::span<const std::byte> buffer) noexcept {
  return detail::try_once(pipe_, io_kind::write, const_cast<std::byte*>(buffer.data()),
                          buffer.size());
}

void pipe_writer::set_deadline_ns(std::int64_t when_ns) {
  require(pipe_.set_deadline(deadline_for::writes, when_ns), "set_write_deadline");
}

// ----- both -----

pipe_ends make_pipe() {
  const result<detail::pipe_numbers> made = detail::open_pipe();
  require(made.error(), "make_pipe");
  return {pipe_reader(descriptor(made->reader, descriptor_kind::pipe)),
          pipe_writer(descriptor(made->writer, descriptor_kind::pipe))};
}

}  // namespace cove::io
