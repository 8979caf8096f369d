#include "netpoll/line_set.hpp"

#include <cove/runtime/error.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

// A set that is edited while a thread is blocked on it.
//
// The problem. The system reads the set when the call begins. A worker that wants to wait for
// something, while another is blocked in the call, is not heard; and the array must not be moved
// under the kernel's hands.
//
//   set      lines for what somebody waits for; edited under the lock by whoever wants to wait
//   copy     what one call is given; belongs to the thread that makes it, so poll() and wait() may
//            run at once
//   answer   a line of a copy, brought back under the lock: it counts for what the set still asks
//            of the same generation. That is taken out of the set, and its slots are told. The rest
//            is late, and dropped: whoever watched since is in the next copy, or rouses the waiter.
//
//   wait()   1. changed_: "blocked"       watch()  1. lock, edit the set
//            2. lock, copy the set                 2. changed_: wake; it rings if "blocked"
//            3. the system call                    (the edit is made before the wake)
//            4. changed_: "idle"
//            5. lock, bring the answers back; again, unless there is something to return with
//
// No edit is lost: it is in the copy, or it was made after 2 and so finds "blocked", and rings in a
// line of that copy; or it comes after 4, and the next turn begins with it. (The waker's word keeps
// a wake that finds nobody blocked, and 1 then starts over.) The scheduler's wake() is another
// waker: only that one makes wait() return with empty hands.
//
// What nobody waits for any more stays in the set until it is reported once, or closed; if somebody
// waits for something else there, he watches once more. What nobody ever waited for is in no line,
// so a hang-up, which the system reports unasked, is not reported over and over.
//
// Closing. The system holds on to the files of a blocked call until it returns: a connection closed
// meanwhile would stay open, and a port bound, for as long as nothing else happens. So close()
// rouses the waiter if its copy has the descriptor, and waits until it has come back. poll() holds
// files, too, for no longer than it runs: only what may hold a port waits for that, not a stream.
//
// Memory. open() makes room for one more line in the set and in both copies, or fails. A copy that
// is in use cannot be moved: its spare grows instead. Nothing is allocated later.

namespace cove::netpoll {
namespace {

using wall = std::chrono::steady_clock;

constexpr short everything = POLLIN | POLLPRI | POLLOUT;

constexpr short asked_for(awaited what) noexcept {
  switch (what) {
    case awaited::in: return POLLIN;
    case awaited::urgent: return POLLPRI;
    case awaited::out: return POLLOUT;
  }
  return 0;
}

/// What the holder of the direction may wait for.
constexpr short asked_by(direction d) noexcept {
  return d == direction::read ? POLLIN | POLLPRI : POLLOUT;
}

/// What of `asked` an answer speaks of: the end of a connection, of both directions.
short answered(short asked, short revents) noexcept {
  const bool all = (revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
  return static_cast<short>(asked & (all ? everything : revents));
}

std::uint32_t flags_of(short revents) noexcept {
  std::uint32_t flags = 0;
  if ((revents & POLLHUP) != 0) flags |= hung_up;
  if ((revents & POLLERR) != 0) flags |= failed;
  return flags;
}

/// As epoll has it: there is nothing to wait for in files and directories.
std::error_code check_can_wait(int fd) noexcept {
  struct stat what{};
  if (::fstat(fd, &what) != 0) return system_error_code(errno);
  const bool always_ready = S_ISREG(what.st_mode) || S_ISDIR(what.st_mode) || S_ISBLK(what.st_mode);
  return always_ready ? system_error_code(EPERM) : std::error_code();
}

void check_below(int limit, const char* name, const waker& bell) {
  if (bell.fd() >= limit)
    throw error(errc::descriptor_too_high, "eventfd " + std::to_string(bell.fd()),
                std::string(name) + " watches descriptors below " + std::to_string(limit));
}

timespec span_of(wall::duration left) noexcept {
  const auto ns = std::max<std::int64_t>(left.count(), 0);
  return {ns / 1'000'000'000, ns % 1'000'000'000};
}

}  // namespace

line_set::line_set(desc_table& table, const char* name, int limit) : table_(table), limit_(limit) {
  check_below(limit, name, waker_);
  check_below(limit, name, changed_);
  all_.reserve(first_line);
  for (const waker* bell : {&waker_, &changed_}) {
    all_.lines.push_back({bell->fd(), POLLIN, 0});
    all_.tags.push_back(0);
  }
}

bool line_set::sheet::holds(std::size_t count) const noexcept {
  return lines.capacity() >= count && tags.capacity() >= count;
}
void line_set::sheet::reserve(std::size_t count) {
  lines.reserve(count);
  tags.reserve(count);
}
void line_set::sheet::copy(const sheet& from) noexcept {
  lines = from.lines;
  tags = from.tags;
}

// ----- the set -----

std::error_code line_set::open(poll_desc& desc) noexcept {
  if (desc.fd >= limit_) return errc::descriptor_too_high;
  if (const std::error_code why = check_can_wait(desc.fd); why) return why;
  const std::lock_guard guard(lock_);
  try {
    make_room(desc.index);
  } catch (const std::bad_alloc&) {
    return system_error_code(ENOMEM);
  }
  watched_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

/// For one descriptor more than are open.
void line_set::make_room(std::uint32_t index) {
  if (places_.size() <= index) places_.resize(std::size_t{index} + 1);
  const std::size_t needed = first_line + watched_.load(std::memory_order_relaxed) + 1;
  const std::size_t ample = 2 * needed;
  if (!all_.holds(needed)) all_.reserve(ample);
  for (view* each : {&polling_, &waiting_})
    if (!each->now.holds(needed) && !each->spare.holds(needed)) each->spare.reserve(ample);
}

bool line_set::close(poll_desc& desc) noexcept {
  std::unique_lock guard(lock_);
  watched_.fetch_sub(1, std::memory_order_relaxed);
  place& at = places_[desc.index];
  if (at.line != nowhere) erase(at.line);
  if (!desc.is_tcp())
    left_.wait(guard, [this, last = looks_] { return !looking_ || looks_ != last; });
  if (!inside_ || places_[desc.index].copied != copies_) return true;
  changed_.wake();
  left_.wait(guard, [this, last = copies_] { return !inside_ || copies_ != last; });
  return true;
}

std::error_code line_set::watch(poll_desc& desc, awaited what) noexcept {
  {
    const std::lock_guard guard(lock_);
    place& at = places_[desc.index];
    if (at.line == nowhere) {
      at.line = all_.lines.size();
      all_.lines.push_back({desc.fd, 0, 0});
      all_.tags.push_back(desc.tag());
    }
    short& asked = all_.lines[at.line].events;
    if ((asked & asked_for(what)) != 0) return {};  // Left behind by a wait that was broken off.
    asked = static_cast<short>(asked | asked_for(what));
  }
  changed_.wake();
  return {};
}

void line_set::erase(std::size_t line) noexcept {
  places_[poll_desc::index_in(all_.tags[line])].line = nowhere;
  if (line + 1 != all_.lines.size()) {
    all_.lines[line] = all_.lines.back();
    all_.tags[line] = all_.tags.back();
    places_[poll_desc::index_in(all_.tags[line])].line = line;
  }
  all_.lines.pop_back();
  all_.tags.pop_back();
}

// ----- asking -----

void line_set::take(view& into) noexcept {
  if (!into.now.holds(all_.lines.size())) std::swap(into.now, into.spare);
  into.now.copy(all_);
}

void line_set::poll(unsigned, detail::task_list& ready) noexcept {
  {
    const std::lock_guard guard(lock_);
    take(polling_);
    ++looks_;
    looking_ = true;
  }
  const timespec at_once{};
  const int count = ask(polling_.now.lines, &at_once);
  {
    const std::lock_guard guard(lock_);
    looking_ = false;
    if (count > 0) deliver(polling_.now, ready);  // Not the wakers: those are for wait().
  }
  left_.notify_all();
}

void line_set::wait(std::int64_t delay_ns, detail::task_list& ready) noexcept {
  const bool blocks = waker_.block();
  if (!blocks)
    delay_ns = 0;  // A wake-up came before: one look, with the copy that is this thread's.
  const auto start = wall::now();
  const bool limited = delay_ns >= 0 && delay_ns < (wall::time_point::max() - start).count();
  const auto until = start + std::chrono::nanoseconds(limited ? delay_ns : 0);
  outcome came = outcome::nothing;
  while (came == outcome::nothing) {
    if (!changed_.block()) continue;
    const timespec left = span_of(until - wall::now());
    came = wait_once(limited ? &left : nullptr, ready);
  }
  if (blocks) waker_.unblock(came == outcome::rung);
}

/// Steps 2 to 5.
line_set::outcome line_set::wait_once(const timespec* at_most, detail::task_list& ready) noexcept {
  {
    const std::lock_guard guard(lock_);
    take(waiting_);
    ++copies_;
    inside_ = true;
    for (std::size_t i = first_line; i < waiting_.now.tags.size(); ++i)
      places_[poll_desc::index_in(waiting_.now.tags[i])].copied = copies_;
  }
  const int count = ask(waiting_.now.lines, at_most);
  const auto answer = [&](std::size_t line) {
    return count > 0 && waiting_.now.lines[line].revents != 0;
  };
  changed_.unblock(answer(changed_line));
  {
    const std::lock_guard guard(lock_);
    inside_ = false;
    if (count > 0) deliver(waiting_.now, ready);
  }
  left_.notify_all();
  if (answer(waker_line)) return outcome::rung;
  return count <= 0 || !ready.empty() ? outcome::over : outcome::nothing;
}

void line_set::deliver(const sheet& answers, detail::task_list& ready) noexcept {
  for (std::size_t i = first_line; i < answers.lines.size(); ++i)
    if (answers.lines[i].revents != 0) report(answers.tags[i], answers.lines[i].revents, ready);
}

void line_set::report(std::uint64_t tag, short revents, detail::task_list& ready) noexcept {
  const std::size_t line = places_[poll_desc::index_in(tag)].line;
  if (line == nowhere || all_.tags[line] != tag) return;
  short& asked = all_.lines[line].events;
  const short told = answered(asked, revents);
  poll_desc& desc = table_.at(poll_desc::index_in(tag));
  // Latch before the slots turn ready: a task that was woken must see why.
  desc.latch(poll_desc::generation_in(tag), flags_of(revents));
  asked = static_cast<short>(asked & ~told);
  if (asked == 0) erase(line);
  for (const direction d : {direction::read, direction::write})
    if ((told & asked_by(d)) != 0) desc.report(d, ready);
}

}  // namespace cove::netpoll
