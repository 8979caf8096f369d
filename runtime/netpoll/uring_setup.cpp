#include "netpoll/uring_setup.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

// How a ring comes about.
//
//   1. io_uring_setup with COOP_TASKRUN and TASKRUN_FLAG; EINVAL: without them (before 5.19)
//   2. NODROP, FAST_POLL and EXT_ARG (5.11) must be there: completions that do not fit are kept,
//      sockets are waited for without threads, a wait can have a limit
//   3. one NOP goes there and back: a filter may allow the setup and forbid the use
//   4. the kernel is asked which calls about files it knows; the others go to the pool
//
// Flags that are left alone, and why. DEFER_TASKRUN and SINGLE_ISSUER: completions would wait for
// one certain thread, which may be stuck in user code. SQPOLL: a thread that burns when idle.

namespace cove::netpoll {
namespace {

constexpr unsigned completions_per_entry = 16;
constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;

[[noreturn]] void refuse(int why, const char* call, const char* remedy) {
  throw error(system_error_code(why), call, remedy);
}

const char* remedy_for(int why) {
  switch (why) {
    case EPERM:
    case EACCES:
      return "a seccomp filter, as containers have, or kernel.io_uring_disabled forbids it";
    case ENOSYS: return "this kernel was built without io_uring, or a filter hides it";
    case ENOMEM: return "the limit of locked memory (ulimit -l) may be too small";
    case EMFILE:
    case ENFILE: return "it needs a descriptor for each worker";
    default: return "";
  }
}

/// major * 1000 + minor of the kernel to imitate.
unsigned newest_allowed() {
  const char* text = std::getenv("COVE_IO_URING_KERNEL");
  if (text == nullptr || *text == '\0') return ~0U;
  const std::string_view version(text);
  unsigned major = 0;
  unsigned minor = 0;
  const auto [dot, bad] = std::from_chars(version.begin(), version.end(), major);
  if (bad == std::errc{} && dot != version.end() && *dot == '.' &&
      std::from_chars(dot + 1, version.end(), minor).ec == std::errc{})
    return major * 1000 + minor;
  throw error(std::make_error_code(std::errc::invalid_argument),
              "COVE_IO_URING_KERNEL=\"" + std::string(version) + "\"", "give a version like 5.15");
}

/// Leaves the standard streams' numbers to the program; see own_number.hpp.
int move_up(io_uring& ring) {
  if (ring.ring_fd >= detail::first_own_number) return 0;
  const int moved = detail::own_duplicate(ring.ring_fd);
  if (moved < 0) {
    const int why = errno;
    ::io_uring_queue_exit(&ring);
    return -why;
  }
  ::close(ring.ring_fd);
  ring.ring_fd = ring.enter_ring_fd = moved;
  return 0;
}

int make(io_uring& ring, unsigned entries, unsigned flags) {
  io_uring_params wanted{};
  wanted.flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | flags;
  wanted.cq_entries = entries * completions_per_entry;
  const int outcome = ::io_uring_queue_init_params(entries, &ring, &wanted);
  return outcome < 0 ? outcome : move_up(ring);
}

int try_a_nop(io_uring& ring) {
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring);
  ::io_uring_prep_nop(entry);
  io_uring_cqe* said = nullptr;
  int outcome = ::io_uring_submit_and_wait(&ring, 1);
  if (outcome >= 0) outcome = ::io_uring_peek_cqe(&ring, &said);
  if (outcome >= 0) ::io_uring_cqe_seen(&ring, said);
  return outcome;
}

}  // namespace

uring_setup::uring_setup(unsigned entries) {
  const unsigned kernel = newest_allowed();
  int outcome = -EINVAL;
  if (kernel >= 5019) {
    outcome = make(ring_, entries, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    modern_ = outcome == 0;
  }
  if (outcome == -EINVAL) outcome = make(ring_, entries, 0);
  if (outcome < 0) refuse(-outcome, "io_uring_setup", remedy_for(-outcome));
  if ((ring_.features & needed) != needed || kernel < 5011) {
    ::io_uring_queue_exit(&ring_);
    refuse(ENOSYS, "io_uring_setup", "Linux 5.11 or newer is needed for its io_uring");
  }
  outcome = try_a_nop(ring_);
  if (outcome < 0) {
    ::io_uring_queue_exit(&ring_);
    refuse(-outcome, "io_uring_enter", remedy_for(-outcome));
  }
  probe();
  // A child of fork() has no business here. An error leaves things as they were.
  static_cast<void>(::io_uring_ring_dontfork(&ring_));
}

void uring_setup::probe() noexcept {
  using detail::ring_verb;
  io_uring_probe* said = ::io_uring_get_probe_ring(&ring_);
  if (said == nullptr) return;  // No memory, or a filter: the pool can do all of it.
  const auto ask = [this, said](ring_verb verb, int code) {
    known_.set(static_cast<std::size_t>(verb), ::io_uring_opcode_supported(said, code) != 0);
  };
  ask(ring_verb::read, IORING_OP_READ);
  ask(ring_verb::write, IORING_OP_WRITE);
  ask(ring_verb::read_v, IORING_OP_READV);
  ask(ring_verb::write_v, IORING_OP_WRITEV);
  ask(ring_verb::sync, IORING_OP_FSYNC);
  ask(ring_verb::sync_data, IORING_OP_FSYNC);
  ask(ring_verb::open, IORING_OP_OPENAT);
  ::io_uring_free_probe(said);
}

}  // namespace cove::netpoll
