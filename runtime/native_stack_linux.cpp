#include "native_stack.hpp"

#include "answer_slot.hpp"
#include "sched/parker.hpp"

#include <cove/runtime/error.hpp>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

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
// a signal does belongs to the whole process, and so does the slot for answers: it is
// constant-initialised and never gone, and who asks takes turns under `askers`.
//
//   asker    1. ask() gives a token; it goes to the thread as the signal's value
//   handler  2. claim(token): refused if it comes too late; else writes the stack, finish()
//            3. rings the bell. A later asker may hear it: it looks at the slot, and waits on
//   asker    4. settle(token), when the answer is there or the limit has passed
//
// A real-time signal that nobody handles ends the process, and a thread that blocks it keeps it
// until it unblocks it, or hands it to the program that it execs. So an unanswered one is not left
// behind: after 4 the signal is ignored for a moment, by which the system drops it, whichever
// thread has it. None is pending while nobody waits, so that it can be given back at any time.
//
// In the handler: _Unwind_Backtrace, with which libgcc takes no lock since glibc 2.35; before, the
// dynamic linker's, which a thread that is interrupted in dlopen() has itself. It is called once
// before, as its first call may have to be bound. Atomics and the futex of a parker; errno is kept.

namespace cove::detail {
namespace {

extern "C" void cove_on_stack_signal(int number, siginfo_t* info, void* context);

struct registry {
  std::mutex askers;

  // Under the lock.
  unsigned users = 0;
  int number = 0;
  struct sigaction before{};

  answer_slot slot;
  sched::parker bell;  ///< The asker sleeps here.
};

constinit registry all;

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
  const int interrupted = errno;
  const auto token = static_cast<std::uint32_t>(info->si_value.sival_int);
  if (all.slot.claim(token)) {
    walk_this_thread(all.slot.stack);
    all.slot.finish(token);
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

/// The system forgets signals that come to be ignored, also those that a thread blocks.
void drop_pending() noexcept {
  if (!is_ours()) return;
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(all.number, &ignored, nullptr);
  handle();
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

void wait_for_answer(std::uint32_t token, std::int64_t limit_ns) noexcept {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::nanoseconds(limit_ns);
  while (!all.slot.is_answered(token)) {
    const std::int64_t left = std::chrono::nanoseconds(end - clock::now()).count();
    if (left <= 0) return;
    all.bell.park_for(left);
  }
}

}  // namespace

int this_thread_number() noexcept { return static_cast<int>(::syscall(SYS_gettid)); }

native_stack_signal::native_stack_signal() {
  const std::lock_guard turn(all.askers);
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
  const std::lock_guard turn(all.askers);
  if (--all.users == 0 && is_ours()) ::sigaction(all.number, &all.before, nullptr);
}

int native_stack_signal::number() const noexcept {
  const std::lock_guard turn(all.askers);
  return all.number;
}

std::error_code native_stack_signal::capture(int thread, std::int64_t limit_ns,
                                             native_stack& into) noexcept {
  const std::lock_guard turn(all.askers);
  if (!is_ours()) return std::make_error_code(std::errc::operation_not_permitted);
  const std::uint32_t token = all.slot.ask();
  if (token == 0) return std::make_error_code(std::errc::device_or_resource_busy);
  const std::error_code not_sent = send(thread, token);
  if (!not_sent) wait_for_answer(token, limit_ns);
  const answer_slot::outcome outcome = all.slot.settle(token);
  if (not_sent) return not_sent;
  if (outcome == answer_slot::outcome::answered) {
    into = all.slot.stack;
    return {};
  }
  if (outcome == answer_slot::outcome::not_answered) drop_pending();
  return std::make_error_code(std::errc::timed_out);
}

}  // namespace cove::detail
