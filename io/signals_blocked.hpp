#pragma once

#include <pthread.h>
#include <signal.h>

namespace cove::io::detail {

/// No handler runs on this thread meanwhile, and threads that it starts begin so. Private; POSIX.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t every;
    ::sigfillset(&every);
    ::pthread_sigmask(SIG_SETMASK, &every, &before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace cove::io::detail
