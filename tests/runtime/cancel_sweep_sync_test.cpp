#include "support/cancel_sweep.hpp"

#include "support/stress.hpp"

// The table of all waits for locks and the like, and for channels; for time and for tasks it is in
// cancel_sweep_tasks_test.cpp. To add one, write a fixture and a line; what a fixture is stands at
// the head of support/cancel_sweep.hpp.

namespace {

using cove::task;
using cove::test::counted;
using cove::test::line_of;
using cove::test::sweep_line;
using std::chrono_literals::operator""h;

// ----- locks and the like -----

struct semaphore_acquire : counted {
  cove::semaphore permits{0};
  int given = 0;
  task<> wait() {
    auto two = co_await permits.acquire(2);
    got += static_cast<int>(two.forget()) / 2;
  }
  bool give() {
    permits.release();
    return ++given < 2;
  }
  bool settled() const { return got == 1 && permits.available() == 0; }
};

struct mutex_lock : counted {
  cove::mutex lock;
  cove::mutex_guard held = lock.try_lock();
  task<> wait() {
    auto guard = co_await lock.lock();
    got += guard.owns_lock();
  }
  bool give() {
    held.unlock();
    return false;
  }
  bool settled() { return got == 1 && lock.try_lock().owns_lock(); }
};

template <bool Exclusive>
struct shared_mutex_lock : counted {
  cove::shared_mutex lock;
  cove::shared_mutex_guard held = lock.try_lock();
  task<> wait() {
    if constexpr (Exclusive) {
      auto guard = co_await lock.lock();
      got += guard.is_exclusive();
    } else {
      auto guard = co_await lock.lock_shared();
      got += guard.owns_lock();
    }
  }
  bool give() {
    held.unlock();
    return false;
  }
  bool settled() { return got == 1 && lock.try_lock().owns_lock(); }
};

struct event_wait : counted {
  cove::event happened;
  task<> wait() {
    co_await happened.wait();
    ++got;
  }
  bool give() {
    happened.set();
    return false;
  }
};

struct latch_wait : counted {
  cove::latch open{2};
  int given = 0;
  task<> wait() {
    co_await open.wait();
    ++got;
  }
  bool give() {
    open.count_down();
    return ++given < 2;
  }
  bool settled() const { return got == 1 && open.try_wait(); }
};

struct barrier_wait : counted {
  cove::barrier meeting{2};
  cove::join_handle<> other;
  task<> arrive() { co_await meeting.arrive_and_wait(); }
  task<> wait() {
    co_await meeting.arrive_and_wait();
    ++got;
  }
  bool give() {
    other = cove::spawn([this] { return arrive(); });
    return false;
  }
  task<> finish() { co_await other; }
};

struct condition_wait : counted {
  cove::mutex lock;
  cove::condition_variable changed;
  bool ready = false;
  task<> wait() {
    auto guard = co_await lock.lock();
    const auto is_ready = [this] { return ready; };
    co_await changed.wait(guard, is_ready);
    got += guard.owns_lock();
  }
  bool give() {
    auto guard = lock.try_lock();
    if (!guard) return true;
    ready = true;
    guard.unlock();
    changed.notify_one();
    return false;
  }
  bool settled() { return got == 1 && lock.try_lock().owns_lock(); }
};

/// The one who waits is the one who does it.
struct once_runs : counted {
  cove::once first;
  cove::event go_on;
  task<> wait() {
    const auto job = [this]() -> task<> {
      co_await go_on.wait();
      ++got;
    };
    co_await first.run(job);
  }
  bool give() {
    go_on.set();
    return false;
  }
  bool settled() const { return got == 1 && first.done(); }
};

/// Somebody else does it.
struct once_waits : counted {
  cove::once first;
  cove::event go_on;
  std::atomic<bool> running{false};
  cove::join_handle<> runs = cove::spawn([this] { return run(); });
  static task<std::unique_ptr<once_waits>> make() {
    auto made = std::make_unique<once_waits>();
    co_await cove::test::eventually(made->running);
    co_return made;
  }
  task<> run() {
    const auto job = [this]() -> task<> {
      running = true;
      co_await go_on.wait();
    };
    co_await first.run(job);
  }
  task<> finish() { co_await runs; }
  task<> wait() {
    const auto nothing = []() -> task<> { co_return; };
    co_await first.run(nothing);
    ++got;
  }
  bool give() {
    go_on.set();
    return false;
  }
};

struct lazy_get : counted {
  cove::lazy<int> value;
  cove::event go_on;
  task<> wait() {
    const auto make = [this]() -> task<int> {
      co_await go_on.wait();
      co_return 7;
    };
    const int& made = co_await value.get(make);
    got += made == 7;
  }
  bool give() {
    go_on.set();
    return false;
  }
};

/// Its turn has come; the job itself waits.
struct strand_runs : counted {
  cove::strand line;
  cove::event go_on;
  task<> wait() {
    const auto job = [this]() -> task<> {
      co_await go_on.wait();
      ++got;
    };
    co_await line.run(job);
  }
  bool give() {
    go_on.set();
    return false;
  }
};

/// Somebody else's job comes first.
struct strand_waits : counted {
  cove::strand line;
  cove::event go_on;
  cove::join_handle<> before = line.spawn([this] { return hold(); });
  task<> hold() { co_await go_on.wait(); }
  task<> finish() { co_await before; }
  task<> wait() {
    const auto job = [this] { ++got; };
    co_await line.run(job);
  }
  bool give() {
    go_on.set();
    return false;
  }
};

// ----- channels -----

template <std::size_t Capacity>
struct channel_receive : counted {
  cove::channel<int> from{Capacity};
  bool given = false;
  task<> wait() {
    auto value = co_await from.receive();
    got += value.value_or(0);
  }
  bool give() {
    if (!given) given = static_cast<bool>(from.try_send(1));
    return !given;
  }
  bool settled() { return got == 1 && !from.try_receive(); }
};

template <std::size_t Capacity>
struct channel_send : counted {
  cove::channel<std::unique_ptr<int>> to{Capacity};
  std::size_t taken = 0;
  channel_send() {
    for (std::size_t i = 0; i < Capacity; ++i) static_cast<void>(to.try_send(nullptr));
  }
  task<> wait() {
    auto value = std::make_unique<int>(1);
    co_await to.send(std::move(value));
  }
  bool give() {
    if (auto value = to.try_receive()) {
      ++taken;
      if (*value != nullptr) got += **value;
    }
    return taken <= Capacity;
  }
  bool settled() {
    while (auto value = to.try_receive())
      if (*value != nullptr) got += **value;
    return got == 1;
  }
};

struct oneshot_receive : counted {
  cove::oneshot_ends<int> ends = cove::oneshot<int>();
  task<> wait() {
    const int value = co_await ends.receiver.receive();
    got += value;
  }
  bool give() {
    static_cast<void>(ends.sender.send(1));
    return false;
  }
  bool settled() { return got == 1 && !ends.receiver.try_receive(); }
};

struct broadcast_receive : counted {
  cove::broadcast<int> from{4};
  cove::broadcast_receiver<int> receiver = from.subscribe();
  task<> wait() {
    auto message = co_await receiver.receive();
    got += message->value + static_cast<int>(message->lost);
  }
  bool give() {
    from.send(1);
    return false;
  }
  bool settled() { return got == 1 && !receiver.try_receive(); }
};

struct watch_changed : counted {
  cove::watch<int> value{0};
  cove::watch_receiver<int> receiver = value.subscribe();
  task<> wait() {
    const bool changed = co_await receiver.changed();
    got += changed;
  }
  bool give() {
    value.set(1);
    return false;
  }
  bool settled() { return got == 1 && receiver.get() == 1; }
};

/// One of its cases can be done, in the end.
struct selected : counted {
  cove::channel<int> silent{0};
  cove::channel<int> from{1};
  cove::event never;
  bool given = false;
  task<> wait() {
    auto first = co_await cove::select(silent.receive(), from.receive(), never.wait(),
                                       cove::this_task::sleep_for(1h));
    if (first.index() == 1) got += std::get<1>(first).value_or(0);
  }
  bool give() {
    if (!given) given = static_cast<bool>(from.try_send(1));
    return !given;
  }
  bool settled() { return got == 1 && !from.try_receive(); }
};

struct select_sends : channel_send<1> {
  cove::channel<int> silent{0};
  task<> wait() {
    auto sending = to.send(std::make_unique<int>(1));
    co_await cove::select(silent.receive(), sending);
  }
};

constexpr sweep_line waits[] = {
    line_of<semaphore_acquire>("semaphore"),
    line_of<mutex_lock>("mutex"),
    line_of<shared_mutex_lock<true>>("shared_mutex, exclusive"),
    line_of<shared_mutex_lock<false>>("shared_mutex, shared"),
    line_of<event_wait>("event"),
    line_of<latch_wait>("latch"),
    line_of<barrier_wait>("barrier"),
    line_of<condition_wait>("condition_variable"),
    line_of<once_runs>("once, who runs it"),
    line_of<once_waits>("once, who waits"),
    line_of<lazy_get>("lazy"),
    line_of<channel_receive<0>>("receive from a rendezvous"),
    line_of<channel_receive<2>>("receive from a channel"),
    line_of<channel_send<0>>("send to a rendezvous"),
    line_of<channel_send<2>>("send to a full channel"),
    line_of<oneshot_receive>("oneshot"),
    line_of<broadcast_receive>("broadcast"),
    line_of<watch_changed>("watch"),
    line_of<strand_runs>("strand, whose job waits"),
    line_of<strand_waits>("strand, behind another job"),
    line_of<selected>("select"),
    line_of<select_sends>("select that sends"),
};

TEST_CASE("K17 K20 M15 M16 every wait for a lock or channel, asked to end at each of its moments") {
  cove::test::sweep(waits, cove::test::plain_options());
}

TEST_CASE("M15 M16 every wait for a lock or channel, asked to end by others and by timers") {
  constexpr int rounds = cove::test::sanitized ? 60 : 300;
  cove::test::race_against(waits, cove::test::plain_options(), cove::test::stress_seed(), rounds);
}

}  // namespace
