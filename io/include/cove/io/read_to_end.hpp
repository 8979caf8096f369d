#pragma once

#include <cove/io/buffered_reader.hpp>

#include <string>

namespace cove::io {

namespace detail {

COVE_COROUTINE_TEMPLATES_BEGIN
template <class S>
task<transfer_outcome> append_to_end(S& from, std::string& into, std::size_t most) {
  buffered_reader<S&> reader(from);
  std::size_t total = 0;
  for (;;) {
    const io_result came = co_await reader.fill().as_result();
    const std::span<const std::byte> bytes = reader.buffered();
    into.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    reader.consume(bytes.size());
    total += came.n;
    if (came.error || came.n == 0) co_return transfer_outcome(total, came.error);
    if (total > most)
      co_return transfer_outcome(total, too_long(), "more came than the maximum that was given");
  }
}

template <class S>
task<std::string> text_to_end(S& from, std::size_t most) {
  std::string text;
  co_await transfer<std::size_t>("read_to_end", append_to_end(from, text, most));
  co_return text;
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Reads to the end of the stream and appends it to `into`; gives how much that was. `most` is
/// mandatory: the other end must not decide how much memory this takes.
///
/// Errors:       those of the stream; message_size if more than `most` bytes come.
/// Cancellation: safe. Whatever ends it, `into` has all that was read, also what is beyond `most`.
/// Threads:      as a read of the stream; nobody else may use `into`.
/// Lifetime:     stream and text must outlive the await.
/// Units:        bytes.
template <class S>
transfer<std::size_t> read_to_end(S& from, std::string& into, std::size_t most) {
  detail::must_be_readable<S>();
  return {"read_to_end", detail::append_to_end(from, into, most)};
}

/// The same, for what is of no use unless it is complete.
///
///     std::string page = co_await cove::io::read_to_end(peer, 1 << 20);
///
/// Cancellation: what was read is lost.
template <class S>
task<std::string> read_to_end(S& from, std::size_t most) {
  detail::must_be_readable<S>();
  return detail::text_to_end(from, most);
}

}  // namespace cove::io
