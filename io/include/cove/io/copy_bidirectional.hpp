#pragma once

#include <cove/io/copy.hpp>
#include <cove/runtime/scope.hpp>

namespace cove::io {

/// How copying in both directions ended.
///
/// Threads:  a value.
/// Units:    bytes.
struct relayed {
  std::size_t a_to_b = 0;
  std::size_t b_to_a = 0;
  std::error_code error;
};

namespace detail {

[[noreturn]] void throw_relayed(const relayed& ended);

using relay_body = cove::detail::child_result_awaiter<relayed>;

class [[nodiscard]] relay_report : public relay_body {
 public:
  explicit relay_report(relay_body&& from) noexcept : relay_body(std::move(from)) {}
  relayed await_resume() { return take(); }
};

class [[nodiscard]] relay : public relay_body {
 public:
  using relay_body::relay_body;
  relayed await_resume() {
    const relayed ended = take();
    if (ended.error) throw_relayed(ended);
    return ended;
  }
  /// Gives the counts and the error, and does not throw what is an error code.
  auto as_result() && noexcept { return relay_report(std::move(*this)); }
};

COVE_COROUTINE_TEMPLATES_BEGIN
/// One direction: to the end of `from`, and then the end of `to`.
template <class From, class To>
task<> copy_and_finish(From* from, To* to, std::size_t* count) {
  const io_result copied = co_await copy(*from, *to).as_result();
  *count = copied.n;
  if (copied.error) throw_transfer("copy", copied);
  co_await finish_writing(*to);
}

template <class A, class B>
task<relayed> copy_both_ways(A* a, B* b) {
  relayed ended;
  const auto both = [&](scope& parts) -> task<> {
    parts.spawn(copy_and_finish<A, B>, a, b, &ended.a_to_b);
    co_await copy_and_finish<B, A>(b, a, &ended.b_to_a);
  };
  const result<void> done = co_await with_scope(both).as_result();
  ended.error = done.error();
  co_return ended;
}
COVE_COROUTINE_TEMPLATES_END

}  // namespace detail

/// Copies from `a` to `b` and from `b` to `a` at once, until both have ended: what a proxy does.
/// Where one side has sent its last byte, the other one's writing side is shut down, and its answer
/// still comes back. Gives the counts of both directions.
///
///     cove::io::relayed moved = co_await cove::io::copy_bidirectional(client, server);
///
/// Neither direction waits for the other. An error of one ends both.
///
/// Errors:       the first one of either direction; io_error::transferred() is the sum.
///               `.as_result()` gives both counts and the error instead.
/// Cancellation: ends both directions; what was read and not yet written is lost, as in copy().
/// Threads:      two tasks use each stream meanwhile, one reads and one writes it; no other may.
/// Lifetime:     both streams must outlive the await. Neither is closed.
/// Units:        bytes.
template <class A, class B>
detail::relay copy_bidirectional(A& a, B& b) {
  detail::must_be_byte_stream<A>();
  detail::must_be_byte_stream<B>();
  return detail::relay(detail::copy_both_ways(&a, &b));
}

}  // namespace cove::io
