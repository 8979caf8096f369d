#pragma once

#include <cove/io/detail/file_state.hpp>
#include <cove/io/detail/offloaded.hpp>

// `co_await file.close()`: never throws, not cancellable.
//
//   fresh -> waiting   others are under way; the last one to leave completes the task
//         -> away      nobody is: the number is closed on the pool, or here if that cannot
//   waiting -> away
//   away -> ended      it is closed

namespace cove::io::detail {

class close_op : public offloaded, private close_waiter {
 public:
  explicit close_op(file_state* which) noexcept;
  close_op(close_op&&) = delete;
  ~close_op() { COVE_ASSERT(!began_); }

  bool await_ready() noexcept;

 protected:
  std::error_code take() noexcept;

 private:
  friend struct close_moves;

  static void run(cove::pool::job& which) noexcept;
  static const cove::pool::job_type work;

  file_state* file_;
  bool began_ = false;
  std::error_code said_;
};

class [[nodiscard]] close_operation : public close_op {
 public:
  using close_op::close_op;
  std::error_code await_resume() noexcept { return take(); }
};

}  // namespace cove::io::detail
