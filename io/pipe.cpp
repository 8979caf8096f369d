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

std::string quoted(std::string_view path) { return "open \"" + std::string(path) + "\""; }

std::string_view open_remedy(std::error_code why, detail::access_mode how) noexcept {
  if (why == std::errc::no_such_device_or_address && how.writes)
    return "nobody has it open for reading; try again later, or open it with resilient = true";
  if (why == std::errc::permission_denied && how.reads && how.writes)
    return "resilient = true needs the permission to read and to write";
  return {};
}

/// Opens what must be a FIFO.
descriptor open_fifo(std::string_view path, detail::access_mode how) {
  if (path.find('\0') != path.npos)
    throw error(std::make_error_code(std::errc::invalid_argument),
                quoted(path.substr(0, path.find('\0'))), "the path goes on behind a NUL");
  const result<int> fd = detail::open_path(std::string(path), how);
  if (!fd) throw error(fd.error(), quoted(path), open_remedy(fd.error(), how));
  descriptor opened(*fd, descriptor_kind::pipe);
  const result<detail::native_kind> kind = detail::kind_of(*fd);
  require(kind.error(), "open");
  if (*kind == detail::native_kind::pipe) return opened;
  throw error(std::make_error_code(std::errc::invalid_argument), quoted(path),
              "it is " + std::string(detail::words_for(*kind)) + ", and no FIFO");
}

descriptor adopt_pipe(int fd, bool to_read) {
  const detail::native_kind kind = detail::require_open("adopt", fd);
  if (kind != detail::native_kind::pipe)
    detail::refuse_native("adopt", fd, kind, "give a pipe or FIFO");
  const detail::access_mode how = detail::access_of(fd);
  if (to_read && !how.reads)
    detail::refuse_native("adopt", fd, kind, "but cannot be read; make it a pipe_writer");
  if (!to_read && !how.writes)
    detail::refuse_native("adopt", fd, kind, "but cannot be written; make it a pipe_reader");
  detail::require_taken_in("adopt", fd);
  return {fd, descriptor_kind::pipe};
}

constexpr detail::access_mode for_reading(const fifo_options& options) noexcept {
  return {true, options.resilient};
}
constexpr detail::access_mode for_writing(const fifo_options& options) noexcept {
  return {options.resilient, true};
}

}  // namespace

// ----- pipe_end -----

int pipe_end::release() { return detail::release_native(pipe_); }

std::size_t pipe_end::capacity() const {
  const result<int> bytes = pipe_.use([](int fd) { return detail::get_capacity(fd); });
  require(bytes.error(), "capacity");
  return static_cast<std::size_t>(*bytes);
}

void pipe_end::set_capacity(std::size_t bytes) {
  constexpr std::size_t most = 0x7fff'ffff;
  const std::string context = "set_capacity " + std::to_string(bytes);
  if (bytes == 0 || bytes > most)
    throw error(std::make_error_code(std::errc::invalid_argument), context,
                "give 1 to 2147483647 bytes");
  const auto set = [bytes](int fd) { return detail::set_capacity(fd, static_cast<int>(bytes)); };
  const std::error_code why = pipe_.use(set);
  if (why == std::errc::operation_not_permitted)
    throw error(why, context, "/proc/sys/fs/pipe-max-size tells the limit for this user");
  if (why == std::errc::device_or_resource_busy)
    throw error(why, context, "the pipe holds more bytes now");
  require(why, "set_capacity");
}

// ----- pipe_reader -----

pipe_reader pipe_reader::open(std::string_view path, const fifo_options& options) {
  return pipe_reader(open_fifo(path, for_reading(options)));
}
pipe_reader pipe_reader::adopt(int fd) { return pipe_reader(adopt_pipe(fd, true)); }

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

pipe_writer pipe_writer::open(std::string_view path, const fifo_options& options) {
  return pipe_writer(open_fifo(path, for_writing(options)));
}
pipe_writer pipe_writer::adopt(int fd) { return pipe_writer(adopt_pipe(fd, false)); }

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
