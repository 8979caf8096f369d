#include "dispatcher.hpp"

#include "call.hpp"
#include "error_class.hpp"

namespace cove::driver {
namespace {

json told_refusal(const std::exception_ptr& failure) {
  const told_failure told = tell(failure);
  json reply{{"error", told.error_class}};
  if (!told.what.empty()) reply["what"] = told.what;
  if (!told.detail.empty()) reply["detail"] = told.detail;
  return reply;
}

task<> run_request(session* all, std::shared_ptr<reply_ticket> ticket, json body) {
  const auto mine =
      std::make_shared<call>(*all, std::move(body), all->handles, ticket->entry().runtime, false);
  co_await perform(*mine);
  if (mine->guard().count() < 0) {
    ticket->answer(mine->reply());
    co_return;
  }
  // The task may have been cancelled, so somebody else keeps the buffer meanwhile.
  all->alarms.at(clock::now() + mine->guard(), [mine, ticket] { ticket->answer(mine->reply()); });
}

task<> spawn_request(session* all, std::shared_ptr<operation_entry> entry,
                     std::shared_ptr<reply_ticket> ticket, json body) {
  entry->target.hold(spawn(run_request, all, std::move(ticket), std::move(body)));
  co_return;
}

/// Spawns the request's task. From there on the ticket answers, also where the spawn is refused.
void start(session& all, const std::shared_ptr<operation_entry>& entry, json body) {
  const request asked(body);
  const bool by_task = asked.has("by") && asked.choice("by", {"thread", "task"}) == "task";
  const bool is_there = all.hosts.on(entry->runtime, [&](runtime& on) {
    auto ticket = std::make_shared<reply_ticket>(all.requests, entry);
    if (by_task)
      on.spawn(spawn_request, &all, entry, std::move(ticket), std::move(body)).detach();
    else
      entry->target.hold(on.spawn(run_request, &all, std::move(ticket), std::move(body)));
  });
  if (!is_there) throw error(errc::stopped, "runtime \"" + entry->runtime + "\"");
}

quit_request read_quit(const request& asked, std::int64_t id) {
  quit_request quit{id};
  for (const char* of_tasks : {"by", "rt", "timeout_us", "timeout_ms", "cancel_us", "cancel_from"})
    if (asked.has(of_tasks)) throw refusal::unsupported(of_tasks);
  asked.allow_only({"limit_ms"}, false);
  quit.limit =
      std::chrono::milliseconds(asked.number_or("limit_ms", quit.limit.count(), 0, 86'400'000));
  return quit;
}

}  // namespace

std::optional<quit_request> dispatch(session& all, const std::string& line) {
  std::shared_ptr<operation_entry> entry;
  json id;  // Null as long as the line has not told it.
  try {
    json body = json::parse(line, nullptr, false);
    if (body.is_discarded()) throw refusal::bad_request("no JSON");
    const request asked(body);
    const std::int64_t number = asked.number("id", 1);
    id = number;
    if (asked.text("do") == "quit") return read_quit(asked, number);
    entry = all.requests.open(number, asked.text_or("rt", ""));
    start(all, entry, std::move(body));
  } catch (...) {
    json reply{{"id", id}};
    reply.update(told_refusal(std::current_exception()));
    if (entry)
      all.requests.answer(*entry, std::move(reply));
    else
      all.output.write(reply);
  }
  return std::nullopt;
}

bool stop_all(session& all, std::chrono::milliseconds limit) {
  const auto end = clock::now() + limit;
  const auto left = [end] {
    return std::max<clock::duration>(end - clock::now(), clock::duration::zero());
  };
  bool clean = true;
  for (const std::string& name : all.hosts.names()) {
    try {
      clean = all.hosts.stop(name, left()) == 0 && clean;
    } catch (const refusal&) {  // It is being stopped by a request.
    }
    all.requests.abandon(name);
  }
  return all.threads.finish(std::chrono::duration_cast<std::chrono::milliseconds>(left())) && clean;
}

}  // namespace cove::driver
