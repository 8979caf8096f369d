#include <cove/runtime/detail/spin_lock.hpp>

#include <thread>

// The one instruction that differs between processors; without one an empty loop does.
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#define COVE_CPU_PAUSE() _mm_pause()
#elif defined(_MSC_VER) && defined(_M_ARM64)
#include <intrin.h>
#define COVE_CPU_PAUSE() __yield()
#elif defined(__x86_64__) || defined(__i386__)
#define COVE_CPU_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define COVE_CPU_PAUSE() __asm__ __volatile__("yield")
#else
#define COVE_CPU_PAUSE() static_cast<void>(0)
#endif

namespace cove::detail {
namespace {

// A microsecond or two: longer than most sections under this lock, far shorter than a preemption.
constexpr unsigned spins_before_yield = 64;

}  // namespace

void spin_lock::lock_contended() noexcept {
  unsigned spins = 0;
  do {
    while (word_.load(std::memory_order_relaxed) != open) {
      if (spins < spins_before_yield) {
        ++spins;
        COVE_CPU_PAUSE();
      } else {
        std::this_thread::yield();
      }
    }
  } while (!try_lock());
}

}  // namespace cove::detail
