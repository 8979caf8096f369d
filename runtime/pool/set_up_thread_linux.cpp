#include "pool/set_up_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <initializer_list>

namespace cove::pool {

void set_up_thread(const char* lane, unsigned number) noexcept {
  sigset_t blocked;
  ::sigfillset(&blocked);
  // Blocked, these would end the process without a word from handlers that would have reported.
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
    ::sigdelset(&blocked, fault);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  char name[16];  // What Linux keeps of it.
  std::snprintf(name, sizeof name, "cove-%s-%u", lane, number);
  ::pthread_setname_np(::pthread_self(), name);
}

}  // namespace cove::pool
