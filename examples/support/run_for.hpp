#pragma once

#include <cove/runtime.hpp>

#include <chrono>
#include <cstdio>

namespace cove::examples {

/// Runs `job` until it ends, but no longer than `limit` (zero: no limit), then prints what the
/// runtime has been doing.
inline cove::task<> run_for(cove::task<> job, std::chrono::nanoseconds limit) {
  try {
    if (limit == limit.zero())
      co_await std::move(job);
    else
      co_await cove::with_timeout(std::move(job), limit);
  } catch (const cove::error& why) {
    if (why.code() != cove::errc::deadline_exceeded) throw;
  }
  std::printf("%s", to_string(cove::runtime::current()->stats()).c_str());
}

}  // namespace cove::examples
