#include <cove/io/fd_watch.hpp>

#include <cove/io/detail/native.hpp>

#include <string>

namespace cove::io {

namespace {

/// Backends differ in what they say of it, so none is asked.
bool has_nothing_to_wait_for(int fd, detail::native_kind kind) noexcept {
  if (detail::is_always_ready(kind)) return true;
  const bool may_be =
      kind == detail::native_kind::character_device || kind == detail::native_kind::other;
  return may_be && !detail::can_wait(fd);
}

}  // namespace

fd_watch::fd_watch(int fd) : watched_(fd) {
  const detail::native_kind kind = detail::require_open("fd_watch", fd);
  const std::string context = "fd_watch descriptor " + std::to_string(fd);
  if (has_nothing_to_wait_for(fd, kind))
    throw error(std::make_error_code(std::errc::operation_not_permitted), context,
                "it is " + std::string(detail::words_for(kind)) +
                    ", which is always ready; read it on the pool, with io::file");
  const result<int> own = detail::duplicate(fd);
  if (!own) throw error(own.error(), context);
  own_ = cove::detail::descriptor(*own, cove::detail::descriptor_kind::other);
}

detail::ready_operation fd_watch::wait_readable() noexcept {
  return {own_, detail::io_kind::wait_in, "wait_readable"};
}
detail::ready_operation fd_watch::wait_writable() noexcept {
  return {own_, detail::io_kind::wait_out, "wait_writable"};
}
detail::ready_operation fd_watch::wait_urgent() noexcept {
  return {own_, detail::io_kind::wait_urgent, "wait_urgent"};
}

}  // namespace cove::io
