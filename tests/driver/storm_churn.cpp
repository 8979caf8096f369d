#include "storm.hpp"

#include "scratch_file.hpp"

// Churn: opens and closes as fast as it can.

namespace cove::driver {
namespace {

struct churn;

/// What one round opens and closes.
struct churn_kind {
  std::string_view name;
  task<> (*round)(churn* all);
};

struct churn {
  churn(std::uint64_t count, clock::time_point when) noexcept : left(count), end(when) {}

  countdown left;
  const clock::time_point end;
  const scratch_file path;
  std::vector<const churn_kind*> kinds;
  std::atomic<std::uint64_t> rounds{0};
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::uint64_t> closed{0};
};

template <class Object>
task<> close_and_count(Object& object, churn& all) {
  ++all.opened;
  auto closing = object.close();
  const std::error_code said = co_await closing;
  if (!said) ++all.closed;
}

task<> churn_tcp(churn* all) {
  ends both = co_await make_ends();
  co_await close_and_count(both.first, *all);
  co_await close_and_count(both.second, *all);
}

task<> churn_accept(churn* all) {
  auto listener = net::tcp_listener::bind("127.0.0.1:0");
  co_await close_and_count(listener, *all);
}

task<> churn_file(churn* all) {
  auto opening = io::file::open(all->path.name());
  io::file made = co_await opening;
  co_await close_and_count(made, *all);
}

task<> churn_pipe(churn* all) {
  auto [reader, writer] = io::make_pipe();
  co_await close_and_count(reader, *all);
  co_await close_and_count(writer, *all);
}

const churn_kind kinds[] = {
    {"tcp", churn_tcp},
    {"accept", churn_accept},
    {"file", churn_file},
    {"pipe", churn_pipe},
};

const churn_kind& kind_of(const json& name) {
  for (const churn_kind& known : kinds)
    if (name == known.name) return known;
  throw refusal::unsupported(name.is_string() ? name.get<std::string>() : name.dump());
}

task<> churn_lane(churn* all) {
  while (clock::now() < all->end && all->left.next()) {
    for (const churn_kind* kind : all->kinds) co_await kind->round(all);
    ++all->rounds;
  }
}

task<> run_churn(call& c, std::unique_ptr<churn> all, std::size_t tasks) {
  co_await in_lanes(tasks, churn_lane, all.get());
  c.members["count"] = all->rounds.load();
  c.members["opened"] = all->opened.load();
  c.members["closed"] = all->closed.load();
}

task<> prepare_churn(call& c) {
  if (c.asked.has("ms") == c.asked.has("count"))
    throw refusal::bad_request("a churn has either \"count\" or \"ms\"");
  const auto end =
      c.asked.has("ms")
          ? clock::now() + std::chrono::milliseconds(c.asked.number("ms", 0, 86'400'000))
          : clock::time_point::max();
  auto all = std::make_unique<churn>(c.asked.has("count") ? rounds_of(c.asked) : UINT64_MAX, end);
  const json& asked = c.asked.member("kinds");
  if (!asked.is_array() || asked.empty())
    throw refusal::bad_request("\"kinds\" has to be a list of kinds");
  for (const json& name : asked) all->kinds.push_back(&kind_of(name));
  return run_churn(c, std::move(all), lanes_of(c.asked, "tasks"));
}

const storm_kind table[] = {{"churn", {"kinds", "tasks", "ms"}, prepare_churn}};

}  // namespace

std::span<const storm_kind> churn_storms() { return table; }

}  // namespace cove::driver
