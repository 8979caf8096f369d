#include "storm.hpp"

#include <algorithm>
#include <memory>
#include <random>

// Storms on locks and channels. With `cancel_us` every wait gets a random limit up to that, so that
// grants and requests meet; what a limit ended took nothing and gave nothing.

namespace cove::driver {
namespace {

using std::chrono::microseconds;

/// The rounds of a storm, shared by its lanes, and what they found.
struct sync_storm {
  explicit sync_storm(const request& asked)
      : rounds(rounds_of(asked)),
        lanes(lanes_of(asked, "tasks")),
        most_us(asked.number_or("cancel_us", -1, 0, 1'000'000)) {}

  /// Awaits `wait`, or its limit; false if that ended it.
  task<bool> attempt(task<> wait, std::minstd_rand* random) {
    bool in_time = true;
    try {
      if (most_us < 0) {
        co_await std::move(wait);
      } else {
        std::uniform_int_distribution<std::int64_t> limit(0, most_us);
        co_await with_timeout(std::move(wait), microseconds(limit(*random)));
      }
    } catch (const error& ended) {
      if (ended.code() != errc::deadline_exceeded) throw;
      in_time = false;
    }
    if (!in_time) co_await this_task::yield();
    co_return in_time;
  }
  bool next() { return done.fetch_add(1) < rounds; }
  void tell(json& members) const {
    members["count"] = rounds;
    members["lost"] = lost.load();
    members["duplicated"] = duplicated.load();
    members["order_violations"] = order_violations.load();
  }

  const std::uint64_t rounds;
  const std::size_t lanes;
  const std::int64_t most_us;  ///< Negative: no limits.
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::uint64_t> duplicated{0};
  std::atomic<std::uint64_t> order_violations{0};
};

std::minstd_rand random_of(std::size_t lane) {
  return std::minstd_rand(static_cast<unsigned>(lane) + 1);
}

// ----- mutex, sem -----

/// A section that so many may be in at once.
struct guarded_section {
  std::atomic<std::size_t> inside{0};
  std::atomic<std::uint64_t> visits{0};

  /// False if there were too many inside.
  task<bool> visit(std::size_t most) {
    const bool right = inside.fetch_add(1) < most;
    co_await this_task::yield();
    inside.fetch_sub(1);
    visits.fetch_add(1);
    co_return right;
  }
};

/// A limit is one of the wait: who is inside, stays for the visit.
task<> take_turn(sync_storm* all, guarded_section* section, std::size_t most) {
  auto visit = section->visit(most);
  const bool right = co_await shield(std::move(visit));
  if (!right) ++all->duplicated;
}

task<> in_mutex(sync_storm* all, guarded_section* section, mutex* held) {
  const mutex_guard guard = co_await held->lock();
  co_await take_turn(all, section, 1);
}

constexpr std::size_t permits = 3;

task<> in_semaphore(sync_storm* all, guarded_section* section, semaphore* from) {
  const semaphore_permits permit = co_await from->acquire();
  co_await take_turn(all, section, permits);
}

template <class Lock>
task<> visit_often(sync_storm* all, guarded_section* section, Lock* lock,
                   task<> (*visit)(sync_storm*, guarded_section*, Lock*),
                   std::atomic<std::size_t>* lanes) {
  auto random = random_of(lanes->fetch_add(1));
  while (all->next()) {
    bool entered = false;
    while (!entered) entered = co_await all->attempt(visit(all, section, lock), &random);
  }
}

task<> run_mutex(call& c, std::unique_ptr<sync_storm> all) {
  guarded_section section;
  mutex held;
  std::atomic<std::size_t> lanes{0};
  co_await in_lanes(all->lanes, visit_often<mutex>, all.get(), &section, &held, in_mutex, &lanes);
  // Held for ever by nobody, and each round was in there once.
  all->lost = all->rounds - section.visits + (held.try_lock() ? 0 : 1);
  all->tell(c.members);
}

task<> run_sem(call& c, std::unique_ptr<sync_storm> all) {
  guarded_section section;
  semaphore from(permits);
  std::atomic<std::size_t> lanes{0};
  co_await in_lanes(all->lanes, visit_often<semaphore>, all.get(), &section, &from, in_semaphore,
                    &lanes);
  all->lost = all->rounds - section.visits + (permits - from.available());
  all->tell(c.members);
}

// ----- chan -----

struct parcel {
  std::size_t sender;
  std::uint64_t number;
};

/// Each lane sends numbered parcels and receives those of all.
struct sorting_office {
  explicit sorting_office(std::size_t lanes) : sent(lanes), received(lanes) {}

  channel<parcel> line{2};
  std::vector<std::uint64_t> sent;  ///< Each lane its own.
  std::vector<std::atomic<std::uint64_t>> received;
  std::atomic<std::size_t> senders{0};
  std::atomic<std::size_t> sending{0};
};

task<> send_parcel(channel<parcel>* line, parcel which) { co_await line->send(which); }

task<> send_parcels(sync_storm* all, sorting_office* office) {
  const std::size_t self = office->senders.fetch_add(1);
  auto random = random_of(self);
  while (all->next()) {
    const parcel next{self, office->sent[self]};
    bool gone = false;
    while (!gone) gone = co_await all->attempt(send_parcel(&office->line, next), &random);
    ++office->sent[self];
  }
  if (office->sending.fetch_sub(1) == 1) office->line.close();
}

/// One receiver sees the parcels of a sender in their order, with gaps where others took them.
task<> receive_parcels(sync_storm* all, sorting_office* office) {
  std::vector<std::uint64_t> least(office->received.size(), 0);
  while (auto got = co_await office->line.receive()) {
    if (got->number < least[got->sender]) ++all->order_violations;
    least[got->sender] = got->number + 1;
    ++office->received[got->sender];
  }
}

task<> run_chan(call& c, std::unique_ptr<sync_storm> all) {
  sorting_office office(all->lanes);
  office.sending = all->lanes;
  const auto body = [&](scope& parts) -> task<> {
    for (std::size_t each = 0; each < all->lanes; ++each) {
      parts.spawn(send_parcels, all.get(), &office).detach();
      parts.spawn(receive_parcels, all.get(), &office).detach();
    }
    co_return;
  };
  co_await with_scope(body);
  for (std::size_t each = 0; each < all->lanes; ++each) {
    const std::uint64_t sent = office.sent[each];
    const std::uint64_t received = office.received[each];
    if (received < sent) all->lost += sent - received;
    if (received > sent) all->duplicated += received - sent;
  }
  all->tell(c.members);
}

template <task<> (*Run)(call&, std::unique_ptr<sync_storm>)>
task<> prepare(call& c) {
  return Run(c, std::make_unique<sync_storm>(c.asked));
}

const storm_kind table[] = {
    {"mutex", {"tasks", "cancel_us"}, prepare<run_mutex>},
    {"sem", {"tasks", "cancel_us"}, prepare<run_sem>},
    {"chan", {"tasks", "cancel_us"}, prepare<run_chan>},
};

}  // namespace

std::span<const storm_kind> sync_storms() { return table; }

}  // namespace cove::driver
