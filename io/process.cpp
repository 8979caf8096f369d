#include <cove/io/process.hpp>

#include "process_child.hpp"
#include "process_launch.hpp"
#include "signal_name.hpp"

#include <cove/io/detail/transfer.hpp>
#include <cove/runtime/blocking.hpp>
#include <cove/runtime/external_work.hpp>
#include <cove/runtime/runtime.hpp>
#include <cove/runtime/shield.hpp>

#include <csignal>
#include <optional>

// Who takes the status of a child, so that it is no zombie.
//
//   a wait          as soon as it sees the end
//   signal, try_wait, kill   if it has ended by then
//   nobody of these, and the object goes:
//     it has ended      whoever drops it, at once
//     inside of a task  a reaper: a task of its own under the runtime's supervisor, which waits for
//                       the end beside those waits that may be left
//     else, and where the runtime takes no tasks any more: whoever drops it waits on his thread, if
//                       it was killed; the end of one that goes on is seen by nobody
// A runtime that stops cancels its reapers. That of a child that was killed is not to be
// interrupted: it ends in a moment. The others give up.

namespace cove::io {
namespace {

using detail::child;
using detail::child_ref;

std::error_code lost() noexcept { return std::make_error_code(std::errc::no_child_process); }

[[noreturn]] void throw_lost(const char* verb, int pid) {
  throw error(lost(), std::string(verb) + " for process " + std::to_string(pid),
              "somebody else has taken its status: SIGCHLD is ignored, or there is a wait for all "
              "children");
}

detail::ready_operation end_of(cove::detail::descriptor& which) noexcept {
  detail::ready_operation op(which, detail::io_kind::wait_in, "process");
  op.queues = true;
  return op;
}

/// A child that was dropped. Whoever has this last sees to it that its status is taken.
class dropped_child {
 public:
  explicit dropped_child(child_ref who) noexcept
      : who_(std::move(who)), killed_(who_->kill_on_drop() && !who_->send(SIGKILL)) {}
  dropped_child(dropped_child&&) noexcept = default;
  ~dropped_child() {
    if (!who_ || has_ended() || !killed_) return;
    who_->wait_here();
    static_cast<void>(has_ended());
  }

  bool has_ended() const noexcept {
    exit_status unseen;
    return who_->look(unseen) != child::state::running;
  }
  /// Its end is near. Not so where it has changed its user and may not be killed.
  bool was_killed() const noexcept { return killed_; }
  cove::detail::descriptor second_end() const noexcept { return who_->second_end(); }

 private:
  child_ref who_;
  bool killed_;
};

/// The reaper; the rest is done by the argument's end. It has a descriptor of its own, for that of
/// the child may belong to another runtime.
task<> reap(dropped_child who) {
  cove::detail::descriptor own = who.second_end();
  detail::ready_operation ended = end_of(own);
  auto quietly = std::move(ended).as_result();
  if (!who.was_killed()) {
    static_cast<void>(co_await std::move(quietly));
    co_return;
  }
  const external_work outside;
  auto to_the_end = shield(std::move(quietly));
  static_cast<void>(co_await std::move(to_the_end));
}

task<exit_status> wait_for(child_ref who) {
  if (!who) throw error(lost(), "wait", "there is no process in this object");
  const external_work outside;
  for (;;) {
    detail::ready_operation ended = end_of(who->end());
    co_await std::move(ended);
    exit_status status;
    const child::state now = who->look(status);
    if (now == child::state::ended) co_return status;
    if (now == child::state::lost) throw_lost("wait", who->pid());
  }
}

}  // namespace

void detail::rethrow_named(const std::exception_ptr& failure, const std::string& context,
                           std::string_view remedy) {
  try {
    std::rethrow_exception(failure);
  } catch (const canceled&) {
    throw canceled(context);
  } catch (const error& why) {
    if (why.code() != errc::deadline_exceeded) throw;
    throw error(why.code(), context, remedy);
  }
}

std::string to_string(const exit_status& status) {
  if (status.signal == 0) return "exit code " + std::to_string(status.code);
  return "signal " + detail::signal_text(status.signal) +
         (status.core_dumped ? ", core dumped" : "");
}

task<process> process::spawn(command what) {
  detail::launch_plan plan = detail::plan_of(std::move(what));
  const std::string context = "spawn \"" + plan.how.program + '"';
  auto starting = blocking(pool_lane::file, detail::launch, std::move(plan));
  std::optional<detail::launched> made;
  std::exception_ptr failure;
  try {
    made.emplace(co_await std::move(starting));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) detail::rethrow_named(failure, context);
  co_return process(std::move(*made));
}

process::process(detail::launched made) noexcept
    : child_(std::move(made.who)),
      in_(std::move(made.ends[0])),
      out_(std::move(made.ends[1])),
      err_(std::move(made.ends[2])) {}

process& process::operator=(process&& other) noexcept {
  if (this != &other) {
    drop();
    child_ = std::move(other.child_);
    in_ = std::move(other.in_);
    out_ = std::move(other.out_);
    err_ = std::move(other.err_);
  }
  return *this;
}

process::~process() { drop(); }

void process::drop() noexcept {
  if (!child_) return;
  dropped_child left(std::move(child_));
  if (left.has_ended()) return;
  runtime* here = runtime::current();
  if (here == nullptr) return;
  try {
    static_cast<void>(here->spawn(reap, std::move(left)));
  } catch (...) {
    // There is no memory for a task: the argument has seen to it where it ended.
  }
}

int process::pid() const noexcept { return child_ ? child_->pid() : 0; }

task<exit_status> process::wait() { return wait_for(child_); }

std::optional<exit_status> process::try_wait() {
  if (!child_) throw error(lost(), "try_wait", "there is no process in this object");
  exit_status status;
  switch (child_->look(status)) {
    case child::state::running: return std::nullopt;
    case child::state::lost: throw_lost("try_wait", pid());
    case child::state::ended: break;
  }
  return status;
}

void process::signal(int number) {
  if (!child_)
    throw error(std::make_error_code(std::errc::no_such_process),
                "signal " + std::to_string(number), "there is no process in this object");
  const std::error_code why = child_->send(number);
  if (!why) return;
  std::string_view remedy;
  if (why == std::errc::no_such_process) remedy = "it has ended";
  if (why == std::errc::invalid_argument) remedy = "there is no such signal here";
  throw error(why, "signal " + std::to_string(number) + " to process " + std::to_string(pid()),
              remedy);
}

bool process::kill() noexcept { return child_ && !child_->send(SIGKILL); }

}  // namespace cove::io
