#include "support/fake_backend.hpp"

#include "io_syscall.hpp"
#include "netpoll/backend.hpp"
#include "netpoll/pick.hpp"
#include "netpoll/waker.hpp"

#include <cove/runtime/detail/assert.hpp>
#include <cove/runtime/error.hpp>

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <random>
#include <vector>

// A completion backend that is as unkind as the contract in netpoll/backend.hpp allows.
//
// The problem. io_uring and IOCP complete operations late, in any order, and after a cancel that
// came too late with success. On an idle machine they hardly ever do, so a test that runs on them
// proves little about it.
//
// This backend carries operations out itself, with poll(2) and the system calls of io_syscall.hpp,
// and does on purpose what the others do by chance. The life of an entry of its table:
//
//   armed    arm() was called; tried whenever poll(2) reports its descriptor. EAGAIN: stays armed
//   ended    tried with an answer, or withdrawn: the answer is then, at random, -ECANCELED or what
//            one more try gives. Held back for 0 to 3 rounds.
//   (gone)   delivered: result set, complete() called, never touched again. Those that are due in
//            one round go in random order.
//
// A round is one poll(), or one turn of the loop in wait(). Nothing is delivered inside of arm() or
// withdraw(), and nothing is slept over: wait() goes on without waiting while something is held
// back, and a poll() that leaves something held back rouses the waiter. The waiter is roused too
// when the table changes while it is in poll(2); that is a waker of its own, so a scheduler that
// forgets to call wake() gets no help from it.
//
// Two runs with the same seed (COVE_STRESS_SEED) draw the same numbers; the order in which threads
// ask for them does not repeat.

namespace cove::test {
namespace {

using detail::io_kind;
using detail::io_op;
using netpoll::poll_desc;

using wall = std::chrono::steady_clock;

constexpr unsigned held_rounds_max = 3;

struct entry {
  std::uint64_t id;
  io_op* op;
  int fd;
  short events;
  bool withdrawn = false;
  bool ended = false;
  unsigned held = 0;  ///< Rounds to go.
  std::int64_t result = 0;
};

bool would_block(const io_op& op, std::int64_t outcome) {
  if (outcome == -EAGAIN || outcome == -EWOULDBLOCK) return true;
  return op.kind == io_kind::connect && (outcome == -EINPROGRESS || outcome == -EALREADY);
}

/// Room for what a test of few connections needs, so that it allocates nothing later.
constexpr std::size_t room = 64;

/// One turn's view of the table: what poll(2) is asked, and which entry each line is for.
struct round_view {
  round_view() {
    asked.reserve(room);
    ids.reserve(room);
    reported.reserve(room);
    due.reserve(room);
  }

  std::vector<pollfd> asked;
  std::vector<std::uint64_t> ids;
  std::vector<std::uint64_t> reported;
  std::vector<entry> due;
  std::atomic<bool> in_use{false};
};

/// The contract allows one thread in poll() and one in wait().
class sole_user {
 public:
  explicit sole_user(round_view& view) : view_(view) {
    COVE_CHECK(!view_.in_use.exchange(true), "two threads in poll(), or two in wait()");
  }
  sole_user(const sole_user&) = delete;
  ~sole_user() { view_.in_use = false; }

 private:
  round_view& view_;
};

class fake_backend final : public netpoll::backend {
 public:
  fake_backend();
  ~fake_backend() override;

  const char* name() const noexcept override { return "fake"; }
  netpoll::model model() const noexcept override { return netpoll::model::completion; }
  std::error_code open(poll_desc& desc) noexcept override;
  bool close(poll_desc& desc) noexcept override;
  void arm(io_op& op, unsigned lane) noexcept override;
  void withdraw(io_op& op, unsigned lane) noexcept override;
  void poll(unsigned lane, detail::task_list& ready) noexcept override;
  void wait(std::int64_t delay_ns, detail::task_list& ready) noexcept override;
  void wake() noexcept override { waker_.wake(); }
  bool woken() const noexcept override { return waker_.woken(); }
  std::size_t watched() const noexcept override { return watched_.load(std::memory_order_relaxed); }

 private:
  bool round(round_view& view, detail::task_list& ready);
  void ask(round_view& view);
  static void keep_reported(round_view& view);
  void end(entry& which);
  void try_entries(const round_view& view);
  void deliver(round_view& view, detail::task_list& ready);
  bool sleep(wall::time_point until);  // tidy: allow (waits in poll)
  unsigned draw(unsigned below) {
    return std::uniform_int_distribution<unsigned>(0, below - 1)(random_);
  }

  // Any thread.
  netpoll::waker waker_;
  netpoll::waker changed_;  ///< Rouses wait() without making it return.
  std::atomic<std::size_t> watched_{0};

  std::mutex lock_;
  // Under lock_.
  std::vector<entry> table_;  ///< In the order of arming, so sorted by id.
  std::uint64_t next_id_ = 1;
  std::mt19937_64 random_;

  round_view polling_;  ///< The thread in poll() only.
  round_view waiting_;  ///< The thread in wait() only.
};

fake_backend::fake_backend() {
  const char* seed = std::getenv("COVE_STRESS_SEED");
  table_.reserve(room);
  random_.seed(seed != nullptr ? std::strtoull(seed, nullptr, 0) : 1);
}

fake_backend::~fake_backend() {
  COVE_CHECK(table_.empty(), "a runtime ended with operations armed");
}

std::error_code fake_backend::open(poll_desc& desc) noexcept {
  struct stat what{};
  if (::fstat(desc.fd, &what) != 0) return system_error_code(errno);
  if (S_ISREG(what.st_mode) || S_ISDIR(what.st_mode)) return system_error_code(EPERM);
  watched_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool fake_backend::close(poll_desc& desc) noexcept {
  watched_.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard guard(lock_);
  for (const entry& armed : table_)
    COVE_CHECK(armed.op->desc != &desc, "a descriptor was closed with an operation inside");
  return true;
}

void fake_backend::arm(io_op& op, unsigned) noexcept {
  {
    const std::lock_guard guard(lock_);
    for (const entry& armed : table_) COVE_CHECK(armed.op != &op, "an operation was armed twice");
    table_.push_back({next_id_++, &op, op.desc->fd, detail::poll_events_of(op.kind)});
  }
  changed_.wake();
}

void fake_backend::withdraw(io_op& op, unsigned) noexcept {
  {
    const std::lock_guard guard(lock_);
    for (entry& armed : table_)
      if (armed.op == &op) armed.withdrawn = true;
    // Not found: it has been delivered, which the caller is about to see.
  }
  changed_.wake();
}

void fake_backend::poll(unsigned, detail::task_list& ready) noexcept {
  const sole_user alone(polling_);
  if (round(polling_, ready)) changed_.wake();
}

void fake_backend::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  const sole_user alone(waiting_);
  const auto start = wall::now();
  const auto until = delay_ns < 0 || delay_ns > (wall::time_point::max() - start).count()
                         ? wall::time_point::max()
                         : start + std::chrono::nanoseconds(delay_ns);
  if (!waker_.block()) {
    round(waiting_, ready);
    return;
  }
  bool rung = false;
  while (!rung) {
    const bool held_back = round(waiting_, ready);
    if (!ready.empty()) break;
    if (held_back) continue;
    if (wall::now() >= until) break;
    rung = sleep(until);  // tidy: allow (waits in poll)
  }
  if (rung) round(waiting_, ready);
  waker_.unblock(rung);
}

/// Sleeps in poll(2) until a descriptor of the table is ready or the table changes; true if the
/// backend was woken.
bool fake_backend::sleep(wall::time_point until) {
  // First "blocked", then the look at the table: who changes it does the reverse.
  if (!changed_.block()) return false;
  ask(waiting_);
  waiting_.asked.push_back({changed_.fd(), POLLIN, 0});
  waiting_.asked.push_back({waker_.fd(), POLLIN, 0});
  timespec limit{};
  if (until != wall::time_point::max()) {
    const std::int64_t left = std::max<std::int64_t>((until - wall::now()).count(), 0);
    limit = {left / 1'000'000'000, left % 1'000'000'000};
  }
  const int count = ::ppoll(waiting_.asked.data(), waiting_.asked.size(),
                            until == wall::time_point::max() ? nullptr : &limit, nullptr);
  const bool rung = count > 0 && waiting_.asked.back().revents != 0;
  const std::size_t changed_at = waiting_.asked.size() - 2;
  changed_.unblock(count > 0 && waiting_.asked[changed_at].revents != 0);
  return rung;
}

/// Tries, counts down and delivers; true if something is still held back.
bool fake_backend::round(round_view& view, detail::task_list& ready) {
  ask(view);
  if (!view.asked.empty()) {
    for (pollfd& line : view.asked) line.revents = 0;
    ::poll(view.asked.data(), view.asked.size(), 0);
  }
  keep_reported(view);
  const std::lock_guard guard(lock_);
  try_entries(view);
  deliver(view, ready);
  return std::any_of(table_.begin(), table_.end(), [](const entry& armed) { return armed.ended; });
}

void fake_backend::ask(round_view& view) {
  view.asked.clear();
  view.ids.clear();
  const std::lock_guard guard(lock_);
  for (const entry& armed : table_) {
    if (armed.ended) continue;
    view.asked.push_back({armed.fd, armed.events, 0});
    view.ids.push_back(armed.id);
  }
}

void fake_backend::keep_reported(round_view& view) {
  view.reported.clear();
  for (std::size_t i = 0; i < view.ids.size(); ++i)
    if (view.asked[i].revents != 0) view.reported.push_back(view.ids[i]);
}

void fake_backend::try_entries(const round_view& view) {
  // Entries that were added or have gone while the lock was free are told apart by their ids.
  for (entry& armed : table_) {
    if (armed.ended) continue;
    if (armed.withdrawn)
      end(armed);
    else if (std::binary_search(view.reported.begin(), view.reported.end(), armed.id))
      end(armed);
  }
}

/// Gives the entry its answer, unless it has to wait on.
void fake_backend::end(entry& which) {
  const bool cancels = which.withdrawn && draw(2) == 0;
  which.result = cancels ? -ECANCELED : detail::call_once(*which.op, *which.op->desc);
  if (!cancels && would_block(*which.op, which.result)) {
    if (!which.withdrawn) return;
    which.result = -ECANCELED;
  }
  which.ended = true;
  which.held = draw(held_rounds_max + 1);
}

void fake_backend::deliver(round_view& view, detail::task_list& ready) {
  view.due.clear();
  std::size_t kept = 0;
  for (entry& armed : table_) {
    if (armed.ended && armed.held == 0) {
      view.due.push_back(armed);
    } else {
      if (armed.ended) --armed.held;
      table_[kept++] = armed;
    }
  }
  table_.erase(table_.begin() + static_cast<std::ptrdiff_t>(kept), table_.end());
  std::shuffle(view.due.begin(), view.due.end(), random_);
  for (const entry& answer : view.due) {
    answer.op->result = static_cast<std::int32_t>(answer.result);
    detail::task_ctl& task = *answer.op->task_;
    // From here on the operation belongs to its task again, and may be gone.
    if (task.word.complete()) ready.push(task);
  }
}

}  // namespace
}  // namespace cove::test

void register_fake_backend() {
  cove::netpoll::register_backend(
      "fake",
      [](const cove::netpoll::backend_settings&) -> std::unique_ptr<cove::netpoll::backend> {
        return std::make_unique<cove::test::fake_backend>();
      });
}
