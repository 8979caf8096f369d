#include <cove/io/detail/open_op.hpp>

#include <cove/io/file.hpp>

#include "file_calls.hpp"

#include <cerrno>
#include <utility>

namespace cove::io::detail {

using cove::detail::glance;
using cove::detail::operation;
using cove::detail::operation_type;

struct open_moves {
  using task_ctl = cove::detail::task_ctl;
  using processor = cove::sched::processor;
  using stop_reason = cove::detail::stop_reason;

  static bool advance(operation& base, task_ctl& task, processor& p) noexcept {
    auto& op = static_cast<open_op&>(base);
    if (!op.is_away()) {
      op.stopped_ = glance(task);
      if (op.stopped_ != stop_reason::none) return true;
      op.ring = {};
      op.ring.verb = cove::detail::ring_verb::open;
      op.ring.data = op.path_.data();
      op.ring.flags = open_flags(op.options_);
      op.ring.size = op.options_.mode();
      return op.give_away(task, p) == open_op::answer::refused && op.end_unrun();
    }
    switch (op.collect(task, p)) {
      case open_op::answer::pending: return false;
      case open_op::answer::refused: return op.end_unrun();
      case open_op::answer::pool: return true;
      case open_op::answer::ring: break;
    }
    if (op.ring.result == -ECANCELED)
      op.stopped_ = op.cause;
    else
      op.book(op.ring.result);
    return true;
  }

  static constexpr operation_type type{"open", advance, open_op::withdraw, open_op::refuse};
};

const cove::pool::job_type open_op::work{run, hand_back};

open_op::open_op(std::string_view path, open_options options)
    : offloaded(work, open_moves::type, "open"),
      path_(path),
      options_(options),
      contradiction_(path.find('\0') != std::string_view::npos
                         ? "the path has a NUL inside, where the system would end it"
                         : options.contradiction()) {}

open_op::open_op(open_op&& other) noexcept
    : offloaded(work, open_moves::type, "open"),
      path_(std::move(other.path_)),
      options_(other.options_),
      contradiction_(other.contradiction_) {}

open_op::~open_op() {
  if (fd_ >= 0) close_later(fd_);
}

bool open_op::await_ready() noexcept {
  --task_->budget;
  return contradiction_ != nullptr;
}

/// On a thread of the pool.
void open_op::run(cove::pool::job& which) noexcept {
  auto& op = static_cast<open_op&>(which);
  op.book(open_file(op.path_.c_str(), open_flags(op.options_), op.options_.mode()));
}

void open_op::book(std::int64_t outcome) noexcept {
  if (outcome < 0)
    error_ = static_cast<int>(-outcome);
  else
    fd_ = static_cast<int>(outcome);
}

std::error_code open_op::outcome() const noexcept {
  if (contradiction_ != nullptr) return std::make_error_code(std::errc::invalid_argument);
  if (error_ != 0) return system_error_code(error_);
  if (is_refused()) return refusal();
  if (stopped_ != stop_reason::none) return cove::detail::code_of(stopped_);
  return {};
}

void open_op::fail() const {
  const std::string what = "open \"" + path_ + '"';
  if (stopped_ == stop_reason::canceled) throw canceled(what);
  const char* remedy = contradiction_ != nullptr ? contradiction_ : "";
  if (is_refused()) remedy = refusal_remedy();
  if (error_ == EINVAL && options_.has(open_choice::direct))
    remedy = "the file system may have no direct transfers: leave out direct()";
  if (error_ == EMFILE) remedy = "raise the limit of open descriptors (ulimit -n), or close some";
  throw error(outcome(), what, remedy);
}

file open_op::take() {
  const file_state::traits can{options_.has(open_choice::read), options_.writes(),
                               options_.has(open_choice::append),
                               options_.has(open_choice::direct)};
  auto* made = new file_state(fd_, can, std::move(path_));
  fd_ = -1;
  return file(made);
}

file open_operation::await_resume() {
  if (failed()) fail();
  return take();
}

result<file> open_result_operation::await_resume() {
  if (failed()) return outcome();
  return take();
}

}  // namespace cove::io::detail
