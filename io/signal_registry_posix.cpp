#include "signal_registry.hpp"

#include "signals_blocked.hpp"
#include "thread_sanitizer.hpp"

#include <cove/runtime/detail/own_number.hpp>

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

// From a signal handler to a task that waits.
//
// What a signal does is one setting for the whole process, and so is this registry: beside the
// cache of frames it is the only state that no runtime owns. It is touched by nobody who makes no
// signal_set, and constant-initialised, so it has no order of construction.
//
// Rejected
//   signalfd    needs the signals blocked in every thread, also those that the program started
//               before or that a library starts; and children inherit the blocked mask over exec,
//               so that they cannot be ended any more.
//   a thread in sigwait()   the same, and a thread that nobody asked for.
//   one pipe for the process, read by one runtime   which one, when there are several and that one
//               ends?
//
// So: a handler, taken only for the signals that a set names and only while one does, that finds
// the sets and writes the signal's number to each. A set reads at the other end with an ordinary
// operation of its runtime: attached, cancelled and timed like any other, on every backend.
//
//   handler   1. locks the registry; each inbox that names the signal hears it:
//             2. sets the signal's bit in `unheard` and in the inbox's `pending`
//             3. if it was not pending: writes its number to the bell
//   task      4. reads a number
//             5. locks, clears both bits, and gives the number
//
// At most one number of each signal stands between 3 and 5, so the line never fills up and a storm
// is one report. A signal that comes between 4 and 5 is not written again; but it came before the
// wait gave its answer, which therefore stands for it.
//
// The lock is held with all signals blocked, by the handler, too (sa_mask): nobody is interrupted
// by a handler that waits for what he holds, and a handler on another thread waits for a few
// instructions. All that it calls is safe there: send, getpid, sigaction, raise, sched_yield.
//
// No signal falls between (what a signal did before is called its old effect)
//   a. The last set that names it goes: its old effect is restored under the lock. If nobody took
//      it since it came (`unheard`), it is raised again, and has its old effect.
//   b. A handler that was on its way meanwhile finds no inbox: the same.
//   c. Somebody else has set another handler meanwhile: it stays.
//
// fork() without exec: the child has our handler and copies of the inboxes, whose bells ring in the
// parent. `process` tells: there, signals have their old effect (b). If the child makes sets of its
// own, it begins with an empty registry; the lock may have been copied while it was taken, and is
// void if its holder is another process. exec resets handlers; the lines are close-on-exec.

namespace cove::io::detail {
namespace {

extern "C" void cove_on_signal(int number);

constexpr int most_signals = 64;

/// Calls that are not cove's go on after the signal, and stacks that are not cove's stay small.
/// ThreadSanitizer puts handlers off until a call that it knows: a worker that sleeps on a futex
/// must come back for that.
constexpr int handler_flags = SA_ONSTACK | (thread_sanitized ? 0 : SA_RESTART);

constexpr std::uint64_t bit_of(int number) noexcept { return std::uint64_t{1} << (number - 1); }

struct registry {
  /// 0: open; else the process that holds it.
  std::atomic<pid_t> holder{0};
  /// Whose inboxes these are. Stored under the lock; the handler looks before it locks.
  std::atomic<pid_t> process{0};

  // Under the lock.
  signal_inbox* first = nullptr;
  std::uint64_t unheard = 0;  ///< Bit n - 1: signal n came, and no wait has given it since.
  std::array<unsigned, most_signals> users{};  ///< How many inboxes name the signal.

  /// What a signal did before. Written before our handler is set, constant while it is.
  std::array<struct sigaction, most_signals> before{};
};

constinit registry all;
static_assert(std::atomic<pid_t>::is_always_lock_free);

/// Holds the registry. For threads that have all signals blocked.
class registry_guard {
 public:
  explicit registry_guard(pid_t me) noexcept {
    pid_t holder = 0;
    // acquire: pairs with the release of the holder before.
    while (!all.holder.compare_exchange_weak(holder, me, std::memory_order_acquire)) {
      if (holder != me) continue;  // Left behind by fork(): taken over.
      ::sched_yield();
      holder = 0;
    }
  }
  registry_guard(const registry_guard&) = delete;
  registry_guard& operator=(const registry_guard&) = delete;
  ~registry_guard() { all.holder.store(0, std::memory_order_release); }
};

bool is_ours(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == cove_on_signal;
}

void take_over(int number) noexcept {
  struct sigaction now{};
  ::sigaction(number, nullptr, &now);
  // It is ours already in a child that has inherited it; then `before` was inherited, too.
  if (is_ours(now)) return;
  all.before[static_cast<std::size_t>(number - 1)] = now;
  struct sigaction ours{};
  ours.sa_handler = cove_on_signal;
  ours.sa_flags = handler_flags;
  ::sigfillset(&ours.sa_mask);
  ::sigaction(number, &ours, nullptr);
}

void give_back(int number) noexcept {
  struct sigaction now{};
  ::sigaction(number, nullptr, &now);
  if (is_ours(now)) ::sigaction(number, &all.before[static_cast<std::size_t>(number - 1)], nullptr);
}

/// Step 3, and its half of 2. False if it does not name the signal.
bool hear(signal_inbox& inbox, int number) noexcept {
  const std::uint64_t bit = bit_of(number);
  if ((inbox.named & bit) == 0) return false;
  const auto written = static_cast<unsigned char>(number);
  // Where it fails the system is out of memory; the next signal may find some.
  if ((inbox.pending & bit) == 0 &&
      ::send(inbox.bell, &written, sizeof written, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
    inbox.pending |= bit;
  return true;
}

/// Step 1. False if nobody names the signal.
bool tell_all(int number) noexcept {
  const pid_t me = ::getpid();
  if (all.process.load(std::memory_order_relaxed) != me) return give_back(number), false;
  const registry_guard guard(me);
  bool heard = false;
  for (signal_inbox* each = all.first; each != nullptr; each = each->next)
    heard = hear(*each, number) || heard;
  if (heard)
    all.unheard |= bit_of(number);
  else
    give_back(number);
  return heard;
}

extern "C" void cove_on_signal(int number) {
  const int interrupted = errno;
  // It is blocked until this returns, and then has its old effect.
  if (!tell_all(number)) ::raise(number);
  errno = interrupted;
}

/// Takes the inbox out of the list; the signals that nobody names any more and nobody took.
std::uint64_t forget(signal_inbox& inbox) noexcept {
  signal_inbox** at = &all.first;
  while (*at != &inbox) at = &(*at)->next;
  *at = inbox.next;
  std::uint64_t freed = 0;
  for (int number = 1; number <= most_signals; ++number) {
    const std::uint64_t bit = bit_of(number);
    if ((inbox.named & bit) == 0 || --all.users[static_cast<std::size_t>(number - 1)] != 0)
      continue;
    give_back(number);
    freed |= bit;
  }
  const std::uint64_t missed = all.unheard & freed;
  all.unheard &= ~freed;
  return missed;
}

}  // namespace

const char* why_not_a_signal(int number) noexcept {
  switch (number) {
    case SIGKILL: return "nobody can wait for SIGKILL";
    case SIGSTOP: return "nobody can wait for SIGSTOP";
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return "SIGSEGV, SIGBUS, SIGFPE and SIGILL stop the thread that caused them";
    default: break;
  }
  struct sigaction now{};
  if (number < 1 || number > most_signals || ::sigaction(number, nullptr, &now) != 0)
    return "there is no such signal here";
  return nullptr;
}

signal_line open_signal_line() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0 ||
      !cove::detail::own_numbers(ends))
    throw error(system_error_code(errno), "signal_set", "a set needs two descriptors");
  return {ends[0], ends[1]};
}

void subscribe(signal_inbox& inbox) noexcept {
  const pid_t me = ::getpid();
  inbox.process = me;
  const signals_blocked quiet;
  const registry_guard guard(me);
  if (all.process.load(std::memory_order_relaxed) != me) {
    all.first = nullptr;
    all.users.fill(0);
    all.unheard = 0;
    all.process.store(me, std::memory_order_relaxed);
  }
  inbox.next = all.first;
  all.first = &inbox;
  for (int number = 1; number <= most_signals; ++number)
    if ((inbox.named & bit_of(number)) != 0 &&
        all.users[static_cast<std::size_t>(number - 1)]++ == 0)
      take_over(number);
}

void unsubscribe(signal_inbox& inbox) noexcept {
  const pid_t me = ::getpid();
  std::uint64_t missed = 0;
  if (inbox.process == me) {
    const signals_blocked quiet;
    const registry_guard guard(me);
    missed = forget(inbox);
  }
  ::close(inbox.bell);
  for (int number = 1; number <= most_signals; ++number)
    if ((missed & bit_of(number)) != 0) ::raise(number);
}

void take_signal(signal_inbox& inbox, int number) noexcept {
  const signals_blocked quiet;
  const registry_guard guard(::getpid());
  all.unheard &= ~bit_of(number);
  inbox.pending &= ~bit_of(number);
}

}  // namespace cove::io::detail
