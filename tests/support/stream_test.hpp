#pragma once

// What the tests of streams stand on: single operations as tasks, to be spawned where a test wants
// one that waits, and a link on which a large write does.

#include "support/net_test.hpp"

namespace cove::test {

/// Reads what comes, once.
inline task<io_result> read_into(net::tcp_stream* stream, std::span<std::byte> buffer) {
  co_return co_await stream->read_some(buffer).as_result();
}
/// Reads until `buffer` is full.
inline task<io_result> fill(net::tcp_stream* stream, std::span<std::byte> buffer) {
  co_return co_await stream->read_exact(buffer).as_result();
}
/// Writes all of `text`.
inline task<io_result> write_whole(net::tcp_stream* stream, std::string_view text) {
  co_return co_await stream->write_all(bytes_of(text)).as_result();
}

/// A stream that writes into small buffers, so that a large write waits.
inline task<linked> make_narrow_link() {
  linked made = co_await make_link(8192);
  made.stream.set_send_buffer(8192);
  co_return made;
}

}  // namespace cove::test
