#include "support/stepping.hpp"

#include "support/stepping_memory.hpp"

#include <ucontext.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stepping {
namespace {

/// What unwinds the body when the execution has failed.
struct failed {};

/// The list of choices that makes an execution. It follows the one of the execution before, with
/// the last choice that can be another one changed.
class choices {
 public:
  explicit choices(unsigned departures) noexcept : departures_(departures) {}

  /// One of `count`; other than 0 is a departure if it `costs`.
  unsigned choose(unsigned count, bool costs) {
    if (count == 1 || (costs && !may_depart())) return 0;
    if (at_ == made_.size()) made_.push_back({0, count, costs});
    const choice& now = made_[at_++];
    spent_ += now.costs && now.taken != 0;
    return now.taken;
  }
  bool may_depart() const noexcept { return spent_ < departures_; }

  void begin() noexcept { at_ = spent_ = 0; }
  /// False when all have been made.
  bool advance() {
    while (!made_.empty() && made_.back().taken + 1 == made_.back().count) made_.pop_back();
    if (made_.empty()) return false;
    ++made_.back().taken;
    return true;
  }

 private:
  struct choice {
    unsigned taken;
    unsigned count;
    bool costs;
  };

  const unsigned departures_;
  std::vector<choice> made_;
  std::size_t at_ = 0;
  unsigned spent_ = 0;
};

constexpr std::size_t stack_bytes = 128 * 1024;
constexpr unsigned repeats_max = 3;    // Of one access that finds the same: the thread spins.
constexpr unsigned steps_max = 5'000;  // Of one execution.

struct simulated {
  enum class state : std::uint8_t { ready, waiting, ended };

  std::function<void()> body;
  state at = state::ended;
  std::function<bool()> wakes;  ///< While it waits.
  // What it did last, to find those that spin.
  std::uint32_t place = locations_max;
  unsigned index = 0;
  unsigned repeats = 0;
  ucontext_t context{};
  std::unique_ptr<char[]> stack;
};

class world final : public execution {
 public:
  explicit world(const limits& bounds) : choices_(bounds.departures), bounds_(bounds) {}

  report walk(const std::function<void(execution&)>& body);

  void thread(std::function<void()> body) override;
  void run() override;

  // Called by the accesses of the program.
  std::uint64_t load(location& where, std::uint64_t initial, std::memory_order order);
  void store(location& where, std::uint64_t initial, std::uint64_t value, std::memory_order order);
  std::uint64_t update(location& where, std::uint64_t initial, std::memory_order order,
                       const std::function<std::uint64_t(std::uint64_t)>& next);
  bool compare_exchange(location& where, std::uint64_t initial, std::uint64_t& expected,
                        std::uint64_t desired, std::memory_order success, std::memory_order failure,
                        bool weak);
  std::uint64_t newest(location& where, std::uint64_t initial) {
    const std::uint32_t place = number_of(where, initial);
    return memory_.value(place, memory_.last(place));
  }
  void fence(std::memory_order order);
  void light_fence();
  void heavy_fence();
  void wait_until(const std::function<bool()>& ready);
  bool otherwise() { return choices_.choose(2, true) == 1; }
  void fail(const std::string& what);

  std::uint32_t life() const noexcept { return life_; }
  unsigned current() const noexcept { return current_; }
  memory& store_of_values() noexcept { return memory_; }

 private:
  bool once(const std::function<void(execution&)>& body);
  static void start();
  std::uint32_t number_of(location& where, std::uint64_t initial);
  bool can_go_on(simulated& which) const;
  void step();
  void go_on_elsewhere();
  void switch_to(unsigned next);
  void saw(std::uint32_t place, unsigned index);
  void say(const char* what, std::uint32_t place, std::uint64_t value, std::memory_order order);

  memory memory_;
  choices choices_;
  const limits bounds_;
  std::uint32_t life_ = 0;
  std::array<simulated, threads_max> threads_;  ///< The first is the body, on the real stack.
  unsigned count_ = 1;
  unsigned current_ = 0;
  unsigned steps_ = 0;
  bool tells_ = false;
  std::string told_;
  std::string failure_;
};

world* now = nullptr;

// ----- executions -----

report world::walk(const std::function<void(execution&)>& body) {
  report result;
  world* const before = std::exchange(now, this);
  do {
    ++result.executions;
    if (once(body)) {
      // Once more, and now it tells.
      tells_ = true;
      const std::string first = failure_;
      once(body);
      result.failure = first == failure_ ? failure_ + '\n' + told_ : "does not repeat: " + first;
      break;
    }
    if (result.executions == bounds_.executions) {
      result.failure = "more executions than allowed";
      break;
    }
  } while (choices_.advance());
  now = before;
  return result;
}

/// True if it failed.
bool world::once(const std::function<void(execution&)>& body) {
  ++life_;
  memory_.clear();
  choices_.begin();
  count_ = 1;
  current_ = steps_ = 0;
  failure_.clear();
  try {
    body(*this);
  } catch (const failed&) {
  }
  return !failure_.empty();
}

void world::thread(std::function<void()> body) {
  if (count_ == threads_max) return fail("too many threads");
  simulated& added = threads_[count_++];
  added.body = std::move(body);
  added.at = simulated::state::ready;
  added.place = locations_max;
  if (added.stack == nullptr) added.stack = std::make_unique<char[]>(stack_bytes);
  getcontext(&added.context);
  added.context.uc_stack.ss_sp = added.stack.get();
  added.context.uc_stack.ss_size = stack_bytes;
  added.context.uc_link = nullptr;
  makecontext(&added.context, &world::start, 0);
}

void world::start() {
  simulated& self = now->threads_[now->current_];
  self.body();
  self.at = simulated::state::ended;
  now->go_on_elsewhere();
}

void world::run() {
  memory_.begin_threads();
  go_on_elsewhere();
  if (!failure_.empty()) throw failed();
  memory_.end_threads();
}

void world::fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
  if (current_ == 0) throw failed();
  switch_to(0);  // The threads are left where they stand.
}

// ----- who goes on -----

bool world::can_go_on(simulated& which) const {
  return which.at == simulated::state::ready ||
         (which.at == simulated::state::waiting && which.wakes());
}

/// Before each access: perhaps another thread first.
void world::step() {
  if (current_ == 0) return;
  if (++steps_ == steps_max) return fail("it never ends");
  std::array<unsigned, threads_max> other{};
  unsigned count = 1;
  for (unsigned i = 1; i < count_; ++i)
    if (i != current_ && can_go_on(threads_[i])) other[count++] = i;
  if (const unsigned chosen = choices_.choose(count, true); chosen != 0) switch_to(other[chosen]);
}

/// The current thread has ended, waits or spins.
void world::go_on_elsewhere() {
  std::array<unsigned, threads_max> other{};
  unsigned count = 0;
  bool all_ended = true;
  for (unsigned i = 1; i < count_; ++i) {
    if (threads_[i].at != simulated::state::ended) all_ended = false;
    if (i != current_ && can_go_on(threads_[i])) other[count++] = i;
  }
  if (count != 0) return switch_to(other[choices_.choose(count, false)]);
  if (all_ended) return switch_to(0);
  fail("some wait for ever");
}

void world::switch_to(unsigned next) {
  if (next == current_) return;
  const unsigned before = std::exchange(current_, next);
  threads_[next].at = simulated::state::ready;
  swapcontext(&threads_[before].context, &threads_[next].context);
}

void world::wait_until(const std::function<bool()>& ready) {
  step();
  simulated& self = threads_[current_];
  while (!ready()) {
    self.wakes = ready;
    self.at = simulated::state::waiting;
    go_on_elsewhere();
  }
}

/// A thread that finds the same store in the same place for ever waits for somebody else.
void world::saw(std::uint32_t place, unsigned index) {
  simulated& self = threads_[current_];
  self.repeats = self.place == place && self.index == index ? self.repeats + 1 : 0;
  self.place = place;
  self.index = index;
  if (current_ == 0 || self.repeats < repeats_max) return;
  self.repeats = 0;
  self.wakes = [this, place, index] { return memory_.last(place) != index; };
  if (self.wakes()) return;  // It reads something old, and need not.
  self.at = simulated::state::waiting;
  go_on_elsewhere();
}

// ----- accesses -----

std::uint32_t world::number_of(location& where, std::uint64_t initial) {
  if (where.life == life_) {
    if (memory_.full(where.number)) fail("too many accesses");
    return where.number;
  }
  where.life = life_;
  where.number = memory_.add_place(initial);
  if (where.number == locations_max) where.number = 0, fail("too many atomics");
  return where.number;
}

std::uint64_t world::load(location& where, std::uint64_t initial, std::memory_order order) {
  step();
  const std::uint32_t place = number_of(where, initial);
  const unsigned last = memory_.last(place);
  unsigned index = last;
  if (current_ != 0 && choices_.may_depart())
    index -= choices_.choose(last - memory_.oldest(current_, place, order) + 1, true);
  memory_.read(current_, place, index, order);
  say(index == last ? "loads" : "loads the old", place, memory_.value(place, index), order);
  saw(place, index);
  return memory_.value(place, index);
}

void world::store(location& where, std::uint64_t initial, std::uint64_t value,
                  std::memory_order order) {
  step();
  const std::uint32_t place = number_of(where, initial);
  memory_.write(current_, place, value, order, false);
  say("stores", place, value, order);
  threads_[current_].place = locations_max;
}

std::uint64_t world::update(location& where, std::uint64_t initial, std::memory_order order,
                            const std::function<std::uint64_t(std::uint64_t)>& next) {
  step();
  const std::uint32_t place = number_of(where, initial);
  const unsigned last = memory_.last(place);
  const std::uint64_t old = memory_.value(place, last);
  memory_.read(current_, place, last, order);
  memory_.write(current_, place, next(old), order, true);
  say("updates to", place, next(old), order);
  threads_[current_].place = locations_max;
  return old;
}

bool world::compare_exchange(location& where, std::uint64_t initial, std::uint64_t& expected,
                             std::uint64_t desired, std::memory_order success,
                             std::memory_order failure, bool weak) {
  step();
  const std::uint32_t place = number_of(where, initial);
  const unsigned last = memory_.last(place);
  const std::uint64_t old = memory_.value(place, last);
  const bool equal = old == expected;
  expected = old;
  if (equal && !(weak && current_ != 0 && otherwise())) {
    memory_.read(current_, place, last, success);
    memory_.write(current_, place, desired, success, true);
    say("exchanges for", place, desired, success);
    threads_[current_].place = locations_max;
    return true;
  }
  memory_.read(current_, place, last, failure);
  say(equal ? "fails for nothing to exchange" : "fails to exchange", place, old, failure);
  if (!equal) saw(place, last);
  return false;
}

void world::fence(std::memory_order order) {
  step();
  memory_.fence(current_, order);
  say("fence", locations_max, 0, order);
}

void world::light_fence() {
  step();
  memory_.light_fence(current_);
  say("light fence", locations_max, 0, std::memory_order_seq_cst);
}

void world::heavy_fence() {
  step();
  memory_.heavy_fence(current_);
  say("heavy fence", locations_max, 0, std::memory_order_seq_cst);
}

void world::say(const char* what, std::uint32_t place, std::uint64_t value,
                std::memory_order order) {
  if (!tells_) return;
  static constexpr const char* names[] = {"relaxed", "consume", "acquire",
                                          "release", "acq_rel", "seq_cst"};
  char line[96];
  if (place == locations_max)
    std::snprintf(line, sizeof line, "  thread %u: %s, %s\n", current_, what,
                  names[static_cast<int>(order)]);
  else
    std::snprintf(line, sizeof line, "  thread %u: %s %llx of atomic %u, %s\n", current_, what,
                  static_cast<unsigned long long>(value), place, names[static_cast<int>(order)]);
  told_ += line;
}

}  // namespace

report walk(const limits& bounds, const std::function<void(execution&)>& body) {
  return world(bounds).walk(body);
}

void require(bool holds, const char* what) {
  if (!holds) now->fail(what);
}

void wait_until(const std::function<bool()>& ready) { now->wait_until(ready); }
bool otherwise() { return now->otherwise(); }
void light_fence() { now->light_fence(); }
void heavy_fence() { now->heavy_fence(); }

std::uint64_t load(location& where, std::uint64_t initial, std::memory_order order) {
  return now->load(where, initial, order);
}
void store(location& where, std::uint64_t initial, std::uint64_t value, std::memory_order order) {
  now->store(where, initial, value, order);
}
std::uint64_t update(location& where, std::uint64_t initial, std::memory_order order,
                     const std::function<std::uint64_t(std::uint64_t)>& next) {
  return now->update(where, initial, order, next);
}
bool compare_exchange(location& where, std::uint64_t initial, std::uint64_t& expected,
                      std::uint64_t desired, std::memory_order success, std::memory_order failure,
                      bool weak) {
  return now->compare_exchange(where, initial, expected, desired, success, failure, weak);
}
std::uint64_t newest(location& where, std::uint64_t initial) { return now->newest(where, initial); }
void fence(std::memory_order order) { now->fence(order); }

void plain_history::note_read() {
  if (life != now->life()) *this = {now->life(), 0, 0, {}};
  memory& known = now->store_of_values();
  const unsigned self = now->current();
  if (!known.knows_plain(self, writer, written)) now->fail("a plain read races with a write");
  read[self] = known.next_plain(self);
}

void plain_history::note_write() {
  if (life != now->life()) *this = {now->life(), 0, 0, {}};
  memory& known = now->store_of_values();
  const unsigned self = now->current();
  bool ordered = known.knows_plain(self, writer, written);
  for (unsigned i = 0; i < threads_max; ++i)
    ordered = ordered && known.knows_plain(self, i, read[i]);
  if (!ordered) now->fail("a plain write races with another access");
  writer = self;
  written = known.next_plain(self);
}

}  // namespace stepping
