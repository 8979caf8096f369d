#pragma once

#include <cstdint>

// From a thread of this process to a running program; private, Linux.
//
// The problem. fork() copies the page tables of a process that may be large, and stops nobody else
// from changing the memory meanwhile, so between it and exec a child may do little. posix_spawn()
// avoids both, but knows neither users nor a way to tell where it failed, and leaves open what was
// opened without close-on-exec.
//
// So, as posix_spawn does: clone(CLONE_VM | CLONE_VFORK). The child uses this process's memory and
// a stack of its own; the thread that made it waits until it has become another program or has
// ended. Nothing is copied, and what the child writes into the report is there when the thread goes
// on. No error is lost, and none needs a pipe.
//
//   thread  1. makes all texts, arrays and descriptors ready; blocks all signals
//           2. clones, and waits
//   child   3. resets what signals do: a handler of this process must not run in a child that has
//              its memory
//           4. session; descriptors, first those out of the way that stand where others are to go;
//              group, user, directory; closes all other descriptors
//           5. blocks no signal, executes: each candidate, as execvp(3) goes through PATH
//           6. failed: says where and why in the report, ends
//   thread  7. goes on; reaps a child that has failed
//
// From 3 to 6 there are system calls only: no lock, no memory, nothing of the C library that keeps
// a state. setuid() of the library would change all threads of what it takes for its process, and
// sigaction() is kept account of by sanitizers: these go to the kernel directly.
//
// A child that changes its user gets a copy of the memory (CLONE_VFORK alone): with the memory of a
// process goes whether it may be looked into, and the kernel would take that from this process,
// too. The report stands in memory that is shared either way.
//
// Signals are reset and not inherited, SIG_IGN included: what a server ignores for its own sake
// (SIGPIPE) is not meant for what it starts.

namespace cove::io::detail {

enum class start_step : std::uint8_t { session, descriptors, group, user, directory, program };

/// Where the child failed, and why.
struct start_report {
  start_step at;
  int descriptor;  ///< Which one of its own; for start_step::descriptors.
  int error;
};

/// All that the child needs. Arrays of texts end with a null.
struct start_orders {
  char* const* candidates = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  ///< Null: stays.
  int* descriptors = nullptr;       ///< At n what is to be n there. The child changes it.
  int descriptor_count = 0;
  const unsigned* user = nullptr;   ///< Null: stays.
  const unsigned* group = nullptr;  ///< Null: stays.
  bool own_session = false;
};

struct started {
  int pid = -1;    ///< -1: there is no child, `error` says why.
  int pidfd = -1;  ///< -1: the kernel knows none.
  int error = 0;
  bool failed = false;  ///< The child has ended, or is about to: `report` says why.
  start_report report{};
};

started start(const start_orders& orders) noexcept;

}  // namespace cove::io::detail
