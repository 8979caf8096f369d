#pragma once

#include "support/runtime_test.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cove::test {

/// As long as this lives, every thread of the process is interrupted again and again by a signal
/// whose handler was set without SA_RESTART, so that system calls which wait end with EINTR.
class interruptions {
 public:
  interruptions() {
    handled.store(0);
    struct sigaction own{};
    own.sa_handler = [](int) { handled.fetch_add(1); };
    REQUIRE(::sigaction(which, &own, &before_) == 0);
    REQUIRE(threads_ != nullptr);
    thread_ = std::thread([this] { interrupt(); });
  }
  interruptions(const interruptions&) = delete;
  interruptions& operator=(const interruptions&) = delete;
  ~interruptions() {
    over_.store(true);
    thread_.join();
    // The last ones may still be on their way.
    ::signal(which, SIG_IGN);
    ::sigaction(which, &before_, nullptr);
    ::closedir(threads_);
  }

  /// How often a thread has been interrupted so far.
  static int count() noexcept { return handled.load(); }

 private:
  static constexpr int which = SIGURG;  // Ignored by default, so a late one does no harm.
  static inline std::atomic<int> handled{0};

  void interrupt() {
    const auto me = static_cast<pid_t>(::syscall(SYS_gettid));
    while (!over_.load()) {
      ::rewinddir(threads_);
      while (const dirent* each = ::readdir(threads_)) {
        const int thread = std::atoi(each->d_name);  // 0 for "." and "..".
        if (thread > 0 && thread != me) ::syscall(SYS_tgkill, ::getpid(), thread, which);
      }
      std::this_thread::yield();
    }
  }

  std::atomic<bool> over_{false};
  struct sigaction before_{};
  DIR* const threads_ = ::opendir("/proc/self/task");  // Open all the time: tests count.
  std::thread thread_;
};

}  // namespace cove::test
