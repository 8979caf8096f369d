#pragma once

#include <cstdint>

// A call about a file that a ring of the kernel's carries out, in place of a thread of the pool.
// Not an io_op: a file has no direction to hold and is never waited for, any number of calls may be
// out for one file at once, and it is not registered with the netpoller. What a backend does with
// one stands in netpoll/backend.hpp.

namespace cove::sched {
class processor;
}

namespace cove::detail {

struct task_ctl;

enum class ring_verb : std::uint8_t {
  none,       ///< Rings do not know it.
  read,       ///< `size` bytes into `data`
  write,      ///< from `data`
  read_v,     ///< into `size` buffers; `data` is an array of io_vec that stays as it is
  write_v,    ///< from them
  sync,       ///< contents and what belongs to them to the disk
  sync_data,  ///< contents alone
  open,       ///< the path `data`, with `flags`; `size` is the mode of a file that is made
};
inline constexpr unsigned ring_verbs = 8;

/// Without initial values, as it is part of operations that rarely need it: `call = {}` is a call
/// of nothing.
struct ring_call {
  ring_verb verb;
  bool apart;  ///< Takes so long that the worker must not even try it.
  int fd;
  void* data;
  std::uint32_t size;
  int flags;
  std::int64_t offset;  ///< -1: at the cursor.

  std::int32_t result;  ///< Bytes, a descriptor, 0 or -errno; there when it has ended.

  // The backend's while it has the call.
  task_ctl* task;
  unsigned lane;
  std::uint32_t slot;
};

/// Gives the call to the ring of the worker's processor; `task`, which is about to park, is
/// completed once when it has ended. False: there is no ring, or it does not know the verb, or it
/// has no memory: nothing was done.
[[nodiscard]] bool give_to_ring(ring_call& call, task_ctl& task, sched::processor& p) noexcept;

/// Whoever owns the task of a call that was given. True: the kernel has not seen it and never will.
/// False: it was asked to end it; the completion comes, with what really happened.
[[nodiscard]] bool take_from_ring(ring_call& call, task_ctl& task, sched::processor& p) noexcept;

}  // namespace cove::detail
