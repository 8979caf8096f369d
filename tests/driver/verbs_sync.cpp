#include "verbs.hpp"

// Locks, channels and events.

namespace cove::driver {
namespace {

template <class Kind>
std::shared_ptr<Kind> object_of(call& c) {
  return c.handles.find<Kind>(c.asked.text("h"));
}

/// Gives the object its name.
task<> run_make(handle_table::reservation name, handle_table::object made) {
  name.fill(std::move(made));
  co_return;
}

// ----- mutex, sem -----

task<> prepare_mutex(call& c) { return run_make(c.new_handle(), std::make_shared<lockable>()); }

task<> run_lock(std::shared_ptr<lockable> which) { co_await which->lock(); }

task<> prepare_lock(call& c) { return run_lock(object_of<lockable>(c)); }

task<> run_unlock(std::shared_ptr<lockable> which) {
  if (!which->unlock()) throw refusal::bad_request("it is not locked");
  co_return;
}

task<> prepare_unlock(call& c) { return run_unlock(object_of<lockable>(c)); }

task<> prepare_sem(call& c) {
  const auto permits = static_cast<std::size_t>(c.asked.number("permits", 0, INT32_MAX));
  return run_make(c.new_handle(), std::make_shared<semaphore>(permits));
}

task<> run_acquire(std::shared_ptr<semaphore> from, std::size_t count) {
  semaphore_permits taken = co_await from->acquire(count);
  static_cast<void>(taken.forget());
}

std::size_t permits_of(call& c) {
  return static_cast<std::size_t>(c.asked.number_or("n", 1, 1, INT32_MAX));
}

task<> prepare_acquire(call& c) { return run_acquire(object_of<semaphore>(c), permits_of(c)); }

task<> run_release_sem(std::shared_ptr<semaphore> to, std::size_t count) {
  to->release(count);
  co_return;
}

task<> prepare_release_sem(call& c) {
  return run_release_sem(object_of<semaphore>(c), permits_of(c));
}

// ----- chan -----

task<> prepare_chan(call& c) {
  const auto capacity = static_cast<std::size_t>(c.asked.number("cap", 0, 1 << 24));
  return run_make(c.new_handle(), std::make_shared<number_channel>(capacity));
}

task<> run_chan_send(std::shared_ptr<number_channel> to, std::int64_t value) {
  co_await to->send(value);
}

task<> prepare_chan_send(call& c) {
  const std::int64_t value = c.asked.number("value", INT64_MIN);
  return run_chan_send(object_of<number_channel>(c), value);
}

/// The end of a channel is no error to the library; a reply has no other word for it than closed.
task<> run_chan_recv(call& c, std::shared_ptr<number_channel> from) {
  const std::optional<std::int64_t> value = co_await from->receive();
  if (value)
    c.members["value"] = *value;
  else
    c.fail("closed", "the channel is closed and empty");
}

task<> prepare_chan_recv(call& c) { return run_chan_recv(c, object_of<number_channel>(c)); }

task<> run_chan_close(std::shared_ptr<number_channel> which) {
  which->close();
  co_return;
}

task<> prepare_chan_close(call& c) { return run_chan_close(object_of<number_channel>(c)); }

// ----- event -----

task<> prepare_event(call& c) { return run_make(c.new_handle(), std::make_shared<event>()); }

task<> run_event_set(std::shared_ptr<event> which) {
  which->set();
  co_return;
}

task<> prepare_event_set(call& c) { return run_event_set(object_of<event>(c)); }

task<> run_event_wait(std::shared_ptr<event> which) { co_await which->wait(); }

task<> prepare_event_wait(call& c) { return run_event_wait(object_of<event>(c)); }

const verb table[] = {
    {"mutex", {"as"}, prepare_mutex},          {"lock", {"h"}, prepare_lock},
    {"unlock", {"h"}, prepare_unlock},         {"sem", {"as", "permits"}, prepare_sem},
    {"acquire", {"h", "n"}, prepare_acquire},  {"release_sem", {"h", "n"}, prepare_release_sem},
    {"chan", {"as", "cap"}, prepare_chan},     {"chan_send", {"h", "value"}, prepare_chan_send},
    {"chan_recv", {"h"}, prepare_chan_recv},   {"chan_close", {"h"}, prepare_chan_close},
    {"event", {"as"}, prepare_event},          {"event_set", {"h"}, prepare_event_set},
    {"event_wait", {"h"}, prepare_event_wait},
};

}  // namespace

std::span<const verb> sync_verbs() { return table; }

}  // namespace cove::driver
