#include "process_child.hpp"

#include "signals_blocked.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/detail/retry_call.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <thread>

namespace cove::io::detail {

using cove::detail::uninterrupted;

namespace {

/// A pidfd, or a pipe that is only waited for.
constexpr auto kind_of_end = cove::detail::descriptor_kind::other;

/// <sys/wait.h> has it since glibc 2.36, <linux/wait.h> clashes with older ones.
constexpr auto by_pidfd = static_cast<idtype_t>(3);

/// Does the system wait for processes by pidfd? `pidfd` is that of a child.
bool can_wait_by(int pidfd) noexcept {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd);
  return uninterrupted(
             [&] { return ::waitid(by_pidfd, id, &info, WEXITED | WNOHANG | WNOWAIT); }) == 0;
}

/// The thread of a child without a pidfd.
void ring_at_end(int pid, int bell) noexcept {
  ::pthread_setname_np(::pthread_self(), "cove-child");
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid);
  // It fails only if somebody else has taken the status; then it has ended, too.
  static_cast<void>(uninterrupted([&] { return ::waitid(P_PID, id, &info, WEXITED | WNOWAIT); }));
  const char ended = 1;
  static_cast<void>(uninterrupted([&] { return ::write(bell, &ended, 1); }));
  ::close(bell);
}

exit_status status_of(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {info.si_status, 0, false};
  return {-1, info.si_status, info.si_code == CLD_DUMPED};
}

}  // namespace

child_ref child::adopt(int pid, cove::detail::descriptor pidfd, bool kill_on_drop) {
  auto* made = new (std::nothrow) child(pid, kill_on_drop);
  if (made == nullptr) return errno = ENOMEM, child_ref();
  child_ref share(made);
  made->has_pidfd_ = !pidfd.is_closed() && can_wait_by(pidfd.number());
  if (made->has_pidfd_)
    made->end_ = std::move(pidfd);
  else if (!made->watch_by_thread())
    return {};
  return share;
}

bool child::watch_by_thread() noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 || !cove::detail::own_numbers(ends)) return false;
  end_ = cove::detail::descriptor(ends[0], kind_of_end);
  try {
    const signals_blocked inherited;
    watcher_ = std::thread(ring_at_end, pid_, ends[1]);
    return true;
  } catch (const std::system_error& failure) {
    ::close(ends[1]);
    errno = failure.code().value();
    return false;
  }
}

child::~child() {
  if (!watcher_.joinable()) return;
  // Once it has rung it is on its way out. That of a child that nobody waits for any more rings
  // into the void.
  if (state_ == state::running)
    watcher_.detach();
  else
    watcher_.join();
}

bool child::has_end_come() noexcept {
  pollfd now{end_.number(), POLLIN, 0};
  return uninterrupted([&] { return ::poll(&now, 1, 0); }) > 0;
}

child::state child::look(exit_status& status) noexcept {
  const std::lock_guard guard(lock_);
  if (state_ == state::running) state_ = look_locked();
  status = status_;
  return state_;
}

child::state child::look_locked() noexcept {
  if (!has_pidfd_ && !has_end_come()) return state::running;
  siginfo_t info{};
  const auto kind = has_pidfd_ ? by_pidfd : P_PID;
  const auto id = static_cast<id_t>(has_pidfd_ ? end_.number() : pid_);
  if (uninterrupted([&] { return ::waitid(kind, id, &info, WEXITED | WNOHANG); }) != 0)
    return state::lost;
  if (info.si_pid == 0) return state::running;
  status_ = status_of(info);
  return state::ended;
}

std::error_code child::send(int number) noexcept {
  const std::lock_guard guard(lock_);
  if (state_ == state::running) state_ = look_locked();
  if (state_ != state::running) return std::make_error_code(std::errc::no_such_process);
  if (has_pidfd_) {
    if (::syscall(SYS_pidfd_send_signal, end_.number(), number, nullptr, 0) == 0) return {};
    // Denied by a filter, perhaps: the other way says the same if it was not.
    if (errno != EPERM && errno != ENOSYS) return system_error_code(errno);
  }
  if (::kill(pid_, number) == 0) return {};
  return system_error_code(errno);
}

void child::wait_here() noexcept {
  pollfd until{end_.number(), POLLIN, 0};
  static_cast<void>(uninterrupted([&] { return ::poll(&until, 1, -1); }));
}

cove::detail::descriptor child::second_end() noexcept {
  const int fd = cove::detail::own_duplicate(end_.number());
  if (fd < 0) return {};
  return {fd, kind_of_end};
}

child_ref::child_ref(const child_ref& other) noexcept : to_(other.to_) {
  if (to_ != nullptr) to_->held_.fetch_add(1, std::memory_order_relaxed);
}

child_ref::~child_ref() {
  if (to_ != nullptr && to_->held_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete to_;
}

}  // namespace cove::io::detail
