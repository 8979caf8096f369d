#include "process_start.hpp"

#include "signals_blocked.hpp"
#include "thread_sanitizer.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <new>

// Sanitizers keep accounts of stacks and memory that a child with our memory would spoil.
#define COVE_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

namespace cove::io::detail {
namespace {

/// The same on every processor; headers before Linux 5.9 do not know it.
constexpr long close_range_call = 436;
// Where a uid once had 16 bits, the call for whole ones has a name of its own.
#ifdef SYS_setuid32
constexpr long setuid_call = SYS_setuid32;
constexpr long setgid_call = SYS_setgid32;
constexpr long setgroups_call = SYS_setgroups32;
#else
constexpr long setuid_call = SYS_setuid;
constexpr long setgid_call = SYS_setgid;
constexpr long setgroups_call = SYS_setgroups;
#endif
/// The kernel's set of signals, in bytes.
constexpr std::size_t signal_set_bytes = _NSIG / 8;

/// What the child is called with; the report is in shared memory, the rest where it was.
struct child_side {
  start_orders orders;
  start_report report{};
  bool failed = false;
};

// ----- step 3 to 6: system calls only -----

[[noreturn]] COVE_IN_CHILD void give_up(child_side& side, start_step at, int descriptor = 0) {
  side.report = {at, descriptor, errno};
  side.failed = true;
  ::_exit(127);
}

COVE_IN_CHILD void reset_signals() {
  // The kernel's sigaction, whatever its layout: SIG_DFL and no flags are zeros.
  alignas(std::max_align_t) static constexpr char by_default[128] = {};
  for (int number = 1; number < _NSIG; ++number)
    ::syscall(SYS_rt_sigaction, number, by_default, nullptr, signal_set_bytes);
}

COVE_IN_CHILD void unblock_signals() {
  alignas(std::max_align_t) static constexpr char none[signal_set_bytes] = {};
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, nullptr, signal_set_bytes);
}

COVE_IN_CHILD void place_descriptors(child_side& side) {
  int* const from = side.orders.descriptors;
  const int count = side.orders.descriptor_count;
  for (int i = 0; i < count; ++i) {
    if (from[i] >= count || from[i] == i) continue;
    const int aside = ::fcntl(from[i], F_DUPFD_CLOEXEC, count);
    if (aside < 0) give_up(side, start_step::descriptors, i);
    from[i] = aside;
  }
  for (int i = 0; i < count; ++i) {
    const int made = from[i] == i ? ::fcntl(i, F_SETFD, 0) : ::dup3(from[i], i, 0);
    if (made < 0) give_up(side, start_step::descriptors, i);
  }
}

/// Linux' own record of a directory, as far as it is needed here.
struct directory_entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

COVE_IN_CHILD int number_in(const char* digits) {
  int number = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits) number = number * 10 + (*digits - '0');
  return number;
}

/// For kernels before 5.9. Without /proc what is left open is what others opened without
/// close-on-exec.
COVE_IN_CHILD void close_one_by_one(int first) {
  const int listing = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) return;
  alignas(directory_entry) char buffer[1024];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, listing, buffer, sizeof buffer);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const directory_entry*>(buffer + at);
      at += entry->length;
      if (entry->name[0] < '0' || entry->name[0] > '9') continue;
      const int number = number_in(entry->name);
      if (number >= first && number != listing) ::syscall(SYS_close, number);
    }
  }
}

COVE_IN_CHILD void close_others(int first) {
  if (::syscall(close_range_call, first, ~0U, 0) != 0) close_one_by_one(first);
}

COVE_IN_CHILD void change_owner(child_side& side) {
  const start_orders& orders = side.orders;
  if (orders.user == nullptr && orders.group == nullptr) return;
  // Whoever may not do this has no groups that are above his rights.
  ::syscall(setgroups_call, 0, nullptr);
  if (orders.group != nullptr && ::syscall(setgid_call, *orders.group) != 0)
    give_up(side, start_step::group);
  if (orders.user != nullptr && ::syscall(setuid_call, *orders.user) != 0)
    give_up(side, start_step::user);
}

/// May another directory of PATH have it?
COVE_IN_CHILD bool is_elsewhere_perhaps(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case ENAMETOOLONG:
    case ELOOP:
    case ENODEV:
    case ESTALE:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

[[noreturn]] COVE_IN_CHILD void execute(child_side& side) {
  const start_orders& orders = side.orders;
  int worst = ENOENT;
  for (char* const* each = orders.candidates; *each != nullptr; ++each) {
    ::execve(*each, orders.arguments, orders.environment);
    if (errno == EACCES || !is_elsewhere_perhaps(errno)) worst = errno;
    if (!is_elsewhere_perhaps(errno)) break;
  }
  errno = worst;
  give_up(side, start_step::program);
}

COVE_IN_CHILD int run_child(void* argument) {
  child_side& side = *static_cast<child_side*>(argument);
  const start_orders& orders = side.orders;
  reset_signals();
  if (orders.own_session && ::setsid() < 0) give_up(side, start_step::session);
  place_descriptors(side);
  change_owner(side);
  if (orders.directory != nullptr && ::chdir(orders.directory) != 0)
    give_up(side, start_step::directory);
  close_others(orders.descriptor_count);
  unblock_signals();
  execute(side);
}

// ----- step 1, 2 and 7 -----

/// Its stack, and behind that what it is called with. Shared, also with a copy of this process.
class child_memory {
 public:
  child_memory() noexcept
      : at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  child_memory(const child_memory&) = delete;
  child_memory& operator=(const child_memory&) = delete;
  ~child_memory() {
    if (*this) ::munmap(at_, bytes);
  }

  explicit operator bool() const noexcept { return at_ != MAP_FAILED; }
  child_side* make_side(const start_orders& orders) noexcept {
    return ::new (top()) child_side{orders, {}, false};
  }
  /// Grows down.
  void* top() const noexcept { return static_cast<char*>(at_) + stack_bytes; }

 private:
  static constexpr std::size_t stack_bytes = 256 * 1024;
  static constexpr std::size_t bytes = stack_bytes + 4096;

  void* at_;
};

int flags_for(const start_orders& orders) noexcept {
  // ThreadSanitizer's clone() knows only children that have a memory of their own.
  const bool own_memory = thread_sanitized || orders.user != nullptr || orders.group != nullptr;
  return CLONE_VFORK | CLONE_PIDFD | SIGCHLD | (own_memory ? 0 : CLONE_VM);
}

}  // namespace

started start(const start_orders& orders) noexcept {
  started made;
  child_memory memory;
  if (!memory) return made.error = errno, made;
  child_side* side = memory.make_side(orders);
  {
    const signals_blocked quiet;
    made.pid = ::clone(run_child, memory.top(), flags_for(orders), side, &made.pidfd);
    if (made.pid < 0) made.error = errno;
  }
  made.failed = side->failed;
  made.report = side->report;
  return made;
}

}  // namespace cove::io::detail
