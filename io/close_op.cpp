#include <cove/io/detail/close_op.hpp>

#include "file_calls.hpp"

#include <cove/runtime/error.hpp>

#include <utility>

namespace cove::io::detail {

using cove::detail::operation;
using cove::detail::operation_type;

struct close_moves {
  using task_ctl = cove::detail::task_ctl;
  using processor = cove::sched::processor;

  static bool advance(operation& base, task_ctl& task, processor& p) noexcept {
    auto& op = static_cast<close_op&>(base);
    if (!op.began_) {
      op.close_waiter::task = &task;
      switch (op.file_->begin_close(op)) {
        case file_state::closing_now::closed_before: op.said_ = errc::closed; return true;
        case file_state::closing_now::waits: op.began_ = true; return false;
        case file_state::closing_now::yes: op.began_ = true;
      }
    }
    switch (op.is_away() ? op.collect(task, p) : op.give_away(task, p)) {
      case close_op::answer::pending: return false;
      case close_op::answer::refused: close_op::run(op); return true;
      default: return true;
    }
  }

  // Never asked: the wait is masked.
  static bool withdraw(operation&, task_ctl&, processor&) noexcept { return false; }
  static void refuse(operation&, cove::detail::stop_reason) noexcept {}

  static constexpr operation_type type{"close", advance, withdraw, refuse};
};

const cove::pool::job_type close_op::work{run, hand_back};

close_op::close_op(file_state* which) noexcept
    : offloaded(work, close_moves::type, "close"), file_(which) {
  masked = true;
}

bool close_op::await_ready() noexcept {
  if (file_ == nullptr) said_ = errc::closed;
  return file_ == nullptr;
}

/// On a thread of the pool.
void close_op::run(cove::pool::job& which) noexcept {
  auto& op = static_cast<close_op&>(which);
  op.said_ = close_file(op.file_->fd);
}

std::error_code close_op::take() noexcept {
  if (std::exchange(began_, false)) file_->end_close();
  return said_;
}

}  // namespace cove::io::detail
