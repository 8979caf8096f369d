#pragma once

#include "pool/lane.hpp"

namespace cove::pool {

/// The threads of a runtime that may block. What must not wait for one another's calls has lanes of
/// its own; there is one so far, for what users call.
class thread_pool {
 public:
  explicit thread_pool(unsigned user_threads_max) noexcept : user_({"user", user_threads_max}) {}

  lane& user() noexcept { return user_; }

  /// Ends the threads; see lane::end().
  void end() noexcept { user_.end(); }

 private:
  lane user_;
};

}  // namespace cove::pool
