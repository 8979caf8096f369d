#include "native_stack.hpp"

#include "sched/parker.hpp"

#include <cove/runtime/error.hpp>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>

// Where another thread stands, by asking it with a signal.
//
// Rejected
//   ptrace, process_vm_readv   need rights that containers withhold, and a second process
//   reading its stack from here   it runs meanwhile, and its registers are the kernel's
//
// The thread may answer late: it does not get a CPU, it blocks the signal, or the kernel is in the
// middle of something. So who asks waits for a limit only, and a late answer must do no harm. What
// a signal does belongs to the whole process, and so does the one place for answers: it is
// constant-initialised and never gone, and who asks takes turns under `captors`.
//
//   word   generation << 2 | phase
//
//   idle -> wanted     captor: a new generation; the word is the token that the signal carries
//   wanted -> filling  handler, if the token is the word: it alone writes `stack`
//   filling -> done    handler: `stack` is whole
//   wanted -> idle     captor: at its limit, or the signal could not be sent
//   done -> wanted     the next captor
//
//   a. The handler comes after the limit: its token is an old one, and it touches nothing.
//   b. The limit passes in `filling`: the captor leaves with an error. The place is the handler's
//      until it is done; until then nobody else is asked.
//   c. The bell of an answer in b. may ring for a later captor, who looks at the word and waits on.
//
// A real-time signal that nobody handles ends the process, and a thread that blocks it keeps it
// until it is unblocked, or hands it to the program that it execs. So none of ours is left behind:
// at each limit and before the signal is given back it is ignored for a moment, by which the system
// drops what it holds of it for every thread. While it is pending there is one at most.
//
// In the handler: _Unwind_Backtrace, with which libgcc takes no lock since glibc 2.35; before, the
// dynamic linker's, which a thread that is interrupted in dlopen() has itself. It is called once
// before, as its first call may have to be bound. Atomics and the futex of a parker; errno is kept.

namespace cove::detail {
namespace {

extern "C" void cove_on_stack_signal(int number, siginfo_t* info, void* context);

enum phase : std::uint32_t { idle, wanted, filling, done };
constexpr std::uint32_t phase_mask = 3;
constexpr std::uint32_t next_generation = phase_mask + 1;

constexpr std::uint32_t in_phase(std::uint32_t word, phase in) noexcept {
  return (word & ~phase_mask) | in;
}

struct answers {
  std::mutex captors;

  // Under the lock.
  unsigned users = 0;
  int number = 0;
  struct sigaction before{};

  std::atomic<std::uint32_t> word{idle};
  native_stack stack;  ///< Written by the handler in `filling`, read by the captor in `done`.
  sched::parker bell;  ///< The captor sleeps here, the handler wakes it.
};

constinit answers all;
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

struct walk {
  native_stack& stack;
  bool met_signal = false;
};

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  walk& way = *static_cast<walk*>(argument);
  int exact = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &exact);
  // Exact is an address that is not returned to, but was interrupted. Above the first of these
  // lies the handler.
  if (exact != 0 && !way.met_signal) {
    way.met_signal = true;
    way.stack.depth = 0;
  }
  if (address == 0 || way.stack.depth == native_stack::most_frames) return _URC_END_OF_STACK;
  // A call may be its function's last instruction: the address behind it is another function's.
  way.stack.at[way.stack.depth++] = exact != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

void walk_this_thread(native_stack& stack) noexcept {
  stack.depth = 0;
  walk way{stack};
  _Unwind_Backtrace(note_frame, &way);
}

extern "C" void cove_on_stack_signal(int /*number*/, siginfo_t* info, void* /*context*/) {
  if (info->si_code != SI_QUEUE || info->si_pid != ::getpid()) return;
  const std::uint32_t token =
      in_phase(static_cast<std::uint32_t>(info->si_value.sival_int), wanted);
  std::uint32_t word = token;
  const int interrupted = errno;
  // acquire: pairs with the release of `wanted`; whoever read the stack before is through with it.
  if (all.word.compare_exchange_strong(word, in_phase(token, filling), std::memory_order_acquire)) {
    walk_this_thread(all.stack);
    // release: pairs with the captor's acquire, this one's or, in case b., the next one's.
    all.word.store(in_phase(token, done), std::memory_order_release);
    all.bell.unpark();
  }
  errno = interrupted;
}

bool is_ours() noexcept {
  struct sigaction now{};
  ::sigaction(all.number, nullptr, &now);
  return (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == cove_on_stack_signal;
}

void handle() noexcept {
  struct sigaction ours{};
  ours.sa_sigaction = cove_on_stack_signal;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigfillset(&ours.sa_mask);
  ::sigaction(all.number, &ours, nullptr);
}

void drop_pending() noexcept {
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(all.number, &ignored, nullptr);
}

/// 0: there is none.
int find_free_signal() noexcept {
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
    struct sigaction now{};
    if (::sigaction(number, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
        now.sa_handler == SIG_DFL)
      return number;
  }
  return 0;
}

std::error_code send(int thread, std::uint32_t token) noexcept {
  siginfo_t info{};
  info.si_signo = all.number;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_int = static_cast<int>(token);
  if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, all.number, &info) == 0) return {};
  return system_error_code(errno);
}

/// Captor: until the answer to `token` is whole, or the limit passed.
void wait_for_answer(std::uint32_t token, std::int64_t limit_ns) noexcept {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::nanoseconds(limit_ns);
  while (all.word.load(std::memory_order_relaxed) != in_phase(token, done)) {
    const std::int64_t left = std::chrono::nanoseconds(end - clock::now()).count();
    if (left <= 0) return;
    all.bell.park_for(left);
  }
}

}  // namespace

int this_thread_number() noexcept { return static_cast<int>(::syscall(SYS_gettid)); }

native_stack_signal::native_stack_signal() {
  const std::lock_guard turn(all.captors);
  if (all.users == 0) {
    all.number = find_free_signal();
    if (all.number == 0)
      throw error(std::make_error_code(std::errc::resource_unavailable_try_again),
                  "native stacks of stalled threads", "the program uses every real-time signal");
    native_stack unused;
    walk_this_thread(unused);
    ::sigaction(all.number, nullptr, &all.before);
    handle();
  }
  ++all.users;
}

native_stack_signal::~native_stack_signal() {
  const std::lock_guard turn(all.captors);
  if (--all.users != 0 || !is_ours()) return;
  drop_pending();
  ::sigaction(all.number, &all.before, nullptr);
}

int native_stack_signal::number() const noexcept {
  const std::lock_guard turn(all.captors);
  return all.number;
}

std::error_code native_stack_signal::capture(int thread, std::int64_t limit_ns,
                                             native_stack& into) noexcept {
  const std::lock_guard turn(all.captors);
  // acquire: pairs with the release of a handler that was done after its limit.
  const std::uint32_t before = all.word.load(std::memory_order_acquire);
  if ((before & phase_mask) == filling)
    return std::make_error_code(std::errc::device_or_resource_busy);
  if (!is_ours()) return std::make_error_code(std::errc::operation_not_permitted);
  std::uint32_t word = in_phase(before + next_generation, wanted);
  const std::uint32_t token = word;
  all.word.store(token, std::memory_order_release);  // Pairs with the handler's acquire.
  const std::error_code not_sent = send(thread, token);
  if (!not_sent) wait_for_answer(token, limit_ns);
  // Still `wanted`: nothing was handed over. Else acquire: pairs with the handler's release, before
  // which it wrote the stack.
  if (all.word.compare_exchange_strong(word, in_phase(token, idle), std::memory_order_relaxed,
                                       std::memory_order_acquire)) {
    if (not_sent) return not_sent;
    if (is_ours()) {
      drop_pending();
      handle();
    }
  } else if (word == in_phase(token, done)) {
    into = all.stack;
    return {};
  }
  return std::make_error_code(std::errc::timed_out);
}

}  // namespace cove::detail
