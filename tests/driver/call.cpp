#include "call.hpp"

#include "error_class.hpp"
#include "verbs.hpp"

#include <algorithm>

namespace cove::driver {

void call::receives() {
  const auto n = static_cast<std::size_t>(asked.number("n"));
  if (asked.has("guard_ms")) {
    guard_ = std::chrono::milliseconds(asked.number("guard_ms", 0, 3'600'000));
  }
  static_cast<void>(asked.flag("data"));
  buffer_.emplace(n);
  moves_bytes();
}

handle_table::reservation call::new_handle() {
  if (!asked.has("as")) return {};
  return handles.reserve(asked.text("as"), runtime);
}

void call::end() noexcept {
  if (std::exchange(ended_, true)) return;
  took_ = clock::now() - began_;
}

void call::fail(const std::exception_ptr& failure) {
  if (!error_class_.empty()) return;
  told_failure told = tell(failure);
  if (members.contains("n")) moved(told.transferred);
  what_ = std::move(told.what);
  fail(std::move(told.error_class), std::move(told.detail));
}

void call::fail(std::string error_class, std::string detail) {
  if (!error_class_.empty()) return;
  error_class_ = std::move(error_class);
  detail_ = std::move(detail);
}

json call::reply() const {
  json said = json::object();
  if (error_class_.empty())
    said["ok"] = true;
  else
    said["error"] = error_class_;
  if (!what_.empty()) said["what"] = what_;
  if (!detail_.empty()) said["detail"] = detail_;
  said.update(members);
  if (buffer_) {
    const auto n = members["n"].get<std::size_t>();
    receipt received(asked.flag("data"));
    received.add(buffer_->front(n));
    received.put_into(said);
    if (guard_.count() >= 0) said["dirty"] = buffer_->dirty_behind(n);
  }
  if (ended_) said["us"] = std::chrono::duration_cast<std::chrono::microseconds>(took_).count();
  return said;
}

namespace {

struct limits {
  std::optional<std::chrono::microseconds> timeout;
  std::optional<std::chrono::microseconds> cancel;
  bool cancel_from_thread = false;
};

/// "cancel_us" is said of the whole request.
bool cancels_whole(const request& asked) {
  const verb* known = find_verb(asked.text("do"));
  const bool parts = known != nullptr && known->cancels_parts != nullptr;
  return asked.has("cancel_us") && !(parts && known->cancels_parts(asked));
}

limits limits_of(const request& asked) {
  limits chosen;
  chosen.timeout = asked.time("timeout_us", "timeout_ms");
  if (asked.has("cancel_from")) {
    if (!cancels_whole(asked))
      throw refusal::bad_request("\"cancel_from\" belongs to \"cancel_us\"");
    chosen.cancel_from_thread = asked.choice("cancel_from", {"task", "thread"}) == "thread";
  }
  // A year is for ever; what is longer may not fit behind the present moment.
  constexpr std::chrono::microseconds year = std::chrono::hours(24 * 365);
  if (cancels_whole(asked))
    chosen.cancel = std::min(year, std::chrono::microseconds(asked.number("cancel_us", 0)));
  return chosen;
}

/// Reads the request; what it gives has not begun.
task<> prepare(call& which, const limits& chosen) {
  const std::string& name = which.asked.text("do");
  const verb* known = find_verb(name);
  if (known == nullptr) throw refusal::unsupported(name);
  which.asked.allow_only(known->members, which.is_step);
  task<> operation = known->prepare(which);
  if (!chosen.timeout) return operation;
  return with_timeout(std::move(operation), *chosen.timeout);
}

/// The operation with its clock; how it ends is noted in the call.
task<> timed(call& which, task<> operation) {
  which.begin();
  try {
    co_await std::move(operation);
  } catch (...) {
    which.end();
    which.fail(std::current_exception());
  }
  which.end();
}

task<> cancel_after(std::shared_ptr<cancel_target> target, std::chrono::microseconds delay) {
  co_await this_task::sleep_for(delay);
  target->cancel();
}

/// Cancels when it goes, also with a task that never ran.
class cancel_at_end {
 public:
  explicit cancel_at_end(std::shared_ptr<cancel_target> which) : which_(std::move(which)) {}
  cancel_at_end(cancel_at_end&&) noexcept = default;
  ~cancel_at_end() {
    if (which_) which_->cancel();
  }

 private:
  std::shared_ptr<cancel_target> which_;
};

task<> as_job(call& which, task<> operation, cancel_at_end watch) {
  co_await timed(which, std::move(operation));
}

/// The operation as a job of its own, so that it alone is cancelled, by a task or a thread.
task<> cancelled_later(call& which, task<> operation, limits chosen) {
  const auto target = std::make_shared<cancel_target>();
  const auto watch = std::make_shared<cancel_target>();
  const auto body = [&](supervisor& jobs) -> task<> {
    target->hold(jobs.spawn(as_job, std::ref(which), std::move(operation), cancel_at_end(watch)));
    if (chosen.cancel_from_thread)
      which.all.alarms.at(clock::now() + *chosen.cancel, [target] { target->cancel(); });
    else if (chosen.cancel->count() == 0)
      target->cancel();
    else
      watch->hold(jobs.spawn(cancel_after, target, *chosen.cancel));
    co_return;
  };
  try {
    co_await with_supervisor(body);
  } catch (const std::system_error&) {  // The operation has said how it ended.
  }
  target->release();
}

}  // namespace

task<> keep_guarded(call& which) {
  if (which.guard().count() < 0 || !which.has_ended()) co_return;
  auto keeping = shield(this_task::sleep_until(which.ended_at() + which.guard()));
  co_await std::move(keeping);
}

task<> perform(call& which) {
  std::optional<task<>> operation;
  limits chosen;
  try {
    chosen = limits_of(which.asked);
    operation.emplace(prepare(which, chosen));
  } catch (...) {
    which.fail(std::current_exception());
    co_return;
  }
  if (chosen.cancel)
    co_await cancelled_later(which, *std::move(operation), chosen);
  else
    co_await timed(which, *std::move(operation));
  if (!which.has_ended()) which.fail("cancelled", "cancelled before it began");
}

}  // namespace cove::driver
