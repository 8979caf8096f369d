#include "verbs.hpp"

#include "begun.hpp"
#include "kinds.hpp"
#include "system.hpp"

#include <algorithm>

// What is done to handles of any kind: asking, waiting, and ending.

namespace cove::driver {
namespace {

// ----- ending -----

template <closes S>
task<> run_close(std::shared_ptr<S> which) {
  auto closing = which->close();
  const std::error_code said = co_await closing;
  if (said) throw error(said, "close");
}

task<> prepare_close(call& c) {
  return with_object(
      c, []<closes S>(std::shared_ptr<S> which) { return run_close(std::move(which)); });
}

/// The name is freed before anything else; the objects go when the operations that are just
/// starting on them have started.
task<> run_drop(std::vector<handle_table::object> dropped) {
  for (handle_table::object& each : dropped) {
    // Serving refers to its listener until it is closed, so nobody could destroy it before.
    const auto* served = std::get_if<listener_ptr>(&each);
    if (served != nullptr && (*served)->serving > 0) static_cast<void>(co_await (*served)->close());
    each = stream_ptr();
  }
}

task<> prepare_drop(call& c) {
  const json& names = c.asked.member("h");
  std::vector<handle_table::object> dropped;
  if (!names.is_array()) {
    dropped.push_back(c.handles.take(c.asked.text("h")));
    return run_drop(std::move(dropped));
  }
  for (const json& name : names)
    if (!name.is_string()) throw refusal::bad_request("\"h\" has to be a name or a list of names");
  for (const json& name : names)
    static_cast<void>(c.handles.find_any(name.get_ref<const std::string&>()));
  for (const json& name : names)
    dropped.push_back(c.handles.take(name.get_ref<const std::string&>()));
  return run_drop(std::move(dropped));
}

/// Where the library refuses, the object stays what it was, and so does the name.
template <releasable S>
task<> run_release(call& c, std::shared_ptr<S> which) {
  c.members["fd"] = which->release();
  static_cast<void>(c.handles.take(c.asked.text("h")));
  co_return;
}

task<> prepare_release(call& c) {
  return with_object(
      c, [&]<releasable S>(std::shared_ptr<S> which) { return run_release(c, std::move(which)); });
}

// ----- waiting -----

/// What is so when the wait completes, of both directions.
template <class Operation, class S>
task<> run_ready(call& c, Operation operation, std::shared_ptr<S> on) {
  begun waiting(std::move(operation), std::move(on));
  const io::readiness found = co_await waiting;
  c.end();
  c.members["r"] = found.readable;
  c.members["w"] = found.writable;
  c.members["p"] = found.urgent;
  c.members["hup"] = found.hung_up;
  c.members["err"] = found.failed;
}

task<> prepare_ready(call& c) {
  const std::string direction = c.asked.choice("dir", {"r", "w", "p"});
  return with_object(c,
                     [&]<class S>(std::shared_ptr<S> on) -> task<>
                       requires waits_readable<S> || waits_writable<S>
                     {
                       const auto run = [&](auto operation) {
                         return run_ready(c, std::move(operation), std::move(on));
                       };
                       if constexpr (waits_readable<S>)
                         if (direction == "r") return run(on->wait_readable());
                       if constexpr (waits_writable<S>)
                         if (direction == "w") return run(on->wait_writable());
                       if constexpr (waits_urgent<S>)
                         if (direction == "p") return run(on->wait_urgent());
                       throw refusal::unsupported(direction);
                     });
}

// ----- asking -----

template <has_descriptor S>
task<> run_info(call& c, std::shared_ptr<S> of) {
  tell_ends(c.members, *of);
  const int fd = of->native_handle();
  c.members["state"] = fd < 0 ? "closed" : "open";
  if (fd < 0) co_return;
  c.members["cloexec"] = closes_on_exec(fd);
  c.members["nonblock"] = never_blocks(fd);
}

task<> prepare_info(call& c) {
  return with_object(c, [&]<class T>(std::shared_ptr<T> of) -> task<> {
    // Locks, channels and timers exist, but the library tells nothing of them.
    if constexpr (has_descriptor<T>)
      return run_info(c, std::move(of));
    else
      throw refusal::unsupported("h");
  });
}

// ----- deadlines -----

/// `ms` from now; null is none.
clock::time_point moment_of(const request& asked) {
  if (asked.member("ms").is_null()) return clock::time_point::max();
  constexpr std::int64_t most_ms = 9'000'000'000'000;  // 285 years; then it is as good as never.
  const std::int64_t ms = asked.number("ms", INT64_MIN);
  return clock::now() + std::chrono::milliseconds(std::clamp(ms, -most_ms, most_ms));
}

template <class S>
using deadline_setter = void (*)(S& on, clock::time_point when);

/// A listener has one deadline, which is for what it reads.
template <class S>
deadline_setter<S> setter_of(const std::string& direction) {
  if constexpr (reads_by_deadline<S>)
    if (direction == "r") return [](S& on, clock::time_point when) { on.set_read_deadline(when); };
  if constexpr (writes_by_deadline<S>)
    if (direction == "w") return [](S& on, clock::time_point when) { on.set_write_deadline(when); };
  if constexpr (has_deadline<S>)
    if (direction == (reads_by_deadline<S> ? "rw" : "r"))
      return [](S& on, clock::time_point when) { on.set_deadline(when); };
  throw refusal::unsupported(direction);
}

template <class S>
task<> run_deadline(std::shared_ptr<S> on, deadline_setter<S> set, clock::time_point when) {
  set(*on, when);
  co_return;
}

task<> prepare_deadline(call& c) {
  const std::string direction = c.asked.choice("dir", {"r", "w", "rw"});
  const clock::time_point when = moment_of(c.asked);
  return with_object(c, [&]<class S>(std::shared_ptr<S> on)
                       requires reads_by_deadline<S> || writes_by_deadline<S> || has_deadline<S>
                     { return run_deadline(std::move(on), setter_of<S>(direction), when); });
}

const verb table[] = {
    {"close", {"h"}, prepare_close},     {"drop", {"h"}, prepare_drop},
    {"release", {"h"}, prepare_release}, {"ready", {"h", "dir"}, prepare_ready},
    {"info", {"h"}, prepare_info},       {"deadline", {"h", "dir", "ms"}, prepare_deadline},
};

}  // namespace

std::span<const verb> handle_verbs() { return table; }

}  // namespace cove::driver
