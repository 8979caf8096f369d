#include "storm.hpp"

#include "error_class.hpp"

#include <array>
#include <deque>
#include <random>

// Storms of connections; both ends are ours.

namespace cove::driver {
namespace {

using net::tcp_listener;
using net::tcp_stream;
using std::chrono::microseconds;

/// A byte from one end to the other.
task<bool> send_byte(tcp_stream& from, tcp_stream& to, std::byte value) {
  const std::array<std::byte, 1> sent{value};
  std::array<std::byte, 1> got{};
  co_await from.write_all(sent);
  const std::size_t n = co_await to.read_some(got);
  co_return n == 1 && got[0] == value;
}

// ----- close: one closes what others use -----

class tally {
 public:
  void add(const std::string& error_class) {
    const std::lock_guard guard(lock_);
    ++outcomes_[error_class];
  }
  json told() {
    const std::lock_guard guard(lock_);
    return outcomes_;
  }

 private:
  std::mutex lock_;
  std::map<std::string, std::uint64_t> outcomes_;
};

/// Reads or writes until it is told why not.
task<> use_until_closed(tcp_stream* stream, bool reads, tally* all) {
  bytes room(reads ? 1 : 1 << 20);
  io_result moved;
  do {
    if (reads)
      moved = co_await stream->read_some(room).as_result();
    else
      moved = co_await stream->write_some(room).as_result();
  } while (!moved.error && (moved.n != 0 || !reads));
  all->add(moved.error ? error_class_of(moved.error) : "eof");
}

task<> run_close_storm(call& c, std::uint64_t rounds, std::size_t tasks) {
  tally all;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    ends both = co_await make_ends();
    const auto body = [&](scope& parts) -> task<> {
      for (std::size_t each = 0; each < tasks; ++each)
        parts.spawn(use_until_closed, &both.first, each % 2 == 0, &all).detach();
      if (round % 2 == 0) co_await this_task::yield();
      static_cast<void>(co_await both.first.close());
    };
    co_await with_scope(body);
  }
  c.members["count"] = rounds;
  c.members["outcomes"] = all.told();
}

task<> prepare_close_storm(call& c) {
  return run_close_storm(c, rounds_of(c.asked), lanes_of(c.asked, "tasks"));
}

// ----- handle_reuse: a second close must not hit a number that is in use again -----

task<> close_counted(tcp_stream* stream, std::atomic<unsigned>* closed) {
  const std::error_code said = co_await stream->close();
  if (!said) ++*closed;
}

task<> close_twice_and_talk(countdown* left, std::atomic<std::uint64_t>* wrong) {
  while (left->next()) {
    ends doomed = co_await make_ends();
    std::atomic<unsigned> closed{0};
    co_await in_lanes(2, close_counted, &doomed.first, &closed);
    ends alive = co_await make_ends();
    doomed.second.abort();
    const bool arrived = co_await send_byte(alive.first, alive.second, std::byte{42});
    if (!arrived || closed != 1) ++*wrong;
  }
}

task<> run_handle_reuse(call& c, std::uint64_t rounds, std::size_t tasks) {
  countdown left(rounds);
  std::atomic<std::uint64_t> wrong{0};
  co_await in_lanes(tasks, close_twice_and_talk, &left, &wrong);
  c.members["count"] = rounds;
  c.members["wrong"] = wrong.load();
}

task<> prepare_handle_reuse(call& c) {
  return run_handle_reuse(c, rounds_of(c.asked), lanes_of(c.asked, "tasks"));
}

// ----- deadline: a thread moves the deadline of a read that waits -----

struct deadline_storm {
  std::shared_ptr<tcp_stream> stream;
  std::uint64_t rounds = 0;
  std::atomic<std::uint64_t> round{0};
  /// The last word of the round; max() until it is spoken.
  std::atomic<clock::time_point> last{clock::time_point::max()};
  std::uint64_t early = 0;
  std::uint64_t missed = 0;
};

/// In each round to and fro between moments that do not come, then to one that does.
void move_deadlines(deadline_storm& all, const std::stop_token& stop) {
  std::minstd_rand random(1);
  for (std::uint64_t round = 0; round < all.rounds; ++round) {
    for (auto moves = random() % 4; moves > 0; --moves) {
      const auto far = clock::now() + std::chrono::minutes(random() % 60 + 1);
      all.stream->set_read_deadline(random() % 4 == 0 ? clock::time_point::max() : far);
    }
    const auto last = clock::now() + microseconds(random() % 100);
    all.last = last;
    all.stream->set_read_deadline(last);
    while (all.round == round) {
      if (stop.stop_requested()) return;
      std::this_thread::yield();
    }
  }
}

task<> read_under_deadlines(deadline_storm* all) {
  constexpr std::chrono::seconds patience(10);
  std::array<std::byte, 1> room{};
  for (std::uint64_t round = 0; round < all->rounds; ++round) {
    const auto began = clock::now();
    auto limited = with_timeout(all->stream->read_some(room).as_result(), patience);
    const io_result got = co_await std::move(limited);
    if (got.error != errc::deadline_exceeded) throw error(got.error, "read_some");
    const auto ended = clock::now();
    if (ended - began >= patience)
      ++all->missed;
    else if (ended < all->last.load())
      ++all->early;
    all->last = clock::time_point::max();
    all->stream->set_read_deadline(clock::time_point::max());
    ++all->round;
  }
}

task<> run_deadline_storm(call& c, std::shared_ptr<tcp_stream> stream, std::uint64_t rounds) {
  ends own;
  deadline_storm all;
  all.stream = std::move(stream);
  all.rounds = rounds;
  if (all.stream == nullptr) {
    own = co_await make_ends();
    all.stream = std::make_shared<tcp_stream>(std::move(own.first));
  }
  storm_crew crew;
  crew.start(1, [&all](const std::stop_token& stop, std::size_t) {
    try {
      move_deadlines(all, stop);
    } catch (const std::system_error&) {  // It was closed, as the read reports.
    }
  });
  co_await read_under_deadlines(&all);
  co_await crew.finish();
  c.members["count"] = rounds;
  c.members["early"] = all.early;
  c.members["missed"] = all.missed;
}

task<> prepare_deadline_storm(call& c) {
  std::shared_ptr<tcp_stream> own;
  if (c.asked.has("h")) own = c.handles.find<stream>(c.asked.text("h"));
  return run_deadline_storm(c, std::move(own), rounds_of(c.asked));
}

// ----- pingpong: do busy pairs leave the others their turn? -----

struct pingpong {
  std::uint64_t rounds = 0;
  std::atomic<std::size_t> playing{0};
  std::atomic<std::int64_t> bystander_max_us{0};
};

task<> play(pingpong* all) {
  ends both = co_await make_ends();
  for (std::uint64_t round = 0; round < all->rounds; ++round) {
    co_await send_byte(both.first, both.second, std::byte{1});
    co_await send_byte(both.second, both.first, std::byte{2});
  }
  --all->playing;
}

/// Sleeps a little, again and again, and notes how late it went on.
task<> stand_by(pingpong* all) {
  constexpr microseconds pause(500);
  while (all->playing != 0) {
    const auto began = clock::now();
    co_await this_task::sleep_for(pause);
    const auto late = std::chrono::duration_cast<microseconds>(clock::now() - began) - pause;
    std::int64_t most = all->bystander_max_us;
    while (late.count() > most &&
           !all->bystander_max_us.compare_exchange_weak(most, late.count())) {
    }
  }
}

task<> run_pingpong(call& c, std::uint64_t rounds, std::size_t tasks, std::size_t bystanders) {
  pingpong all;
  all.rounds = rounds;
  all.playing = tasks;
  const auto body = [&](scope& parts) -> task<> {
    for (std::size_t each = 0; each < bystanders; ++each) parts.spawn(stand_by, &all).detach();
    for (std::size_t each = 0; each < tasks; ++each) parts.spawn(play, &all).detach();
    co_return;
  };
  co_await with_scope(body);
  c.members["count"] = rounds;
  c.members["bystander_max_us"] = all.bystander_max_us.load();
}

task<> prepare_pingpong(call& c) {
  return run_pingpong(c, rounds_of(c.asked), lanes_of(c.asked, "tasks"),
                      lanes_of(c.asked, "bystanders"));
}

const storm_kind table[] = {
    {"close", {"tasks"}, prepare_close_storm},
    {"handle_reuse", {"tasks"}, prepare_handle_reuse},
    {"deadline", {"h"}, prepare_deadline_storm},
    {"pingpong", {"tasks", "bystanders"}, prepare_pingpong},
};

}  // namespace

task<ends> make_ends() {
  tcp_listener listener = tcp_listener::bind("127.0.0.1:0");
  tcp_stream one = co_await tcp_stream::connect(listener.local_address());
  tcp_stream other = co_await listener.accept();
  co_return ends(std::move(one), std::move(other));
}

std::span<const storm_kind> network_storms() { return table; }

}  // namespace cove::driver
