#pragma once

#include <cove/runtime.hpp>

#include "request.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace cove::driver {

/// The main runtime, whose name is empty, and those that the client made.
///
/// Threads: any but workers, which may neither make nor stop a runtime.
class runtimes {
 public:
  explicit runtimes(const runtime_options& options);

  /// Makes another one; gives its backend. The name of one that was stopped may be used again.
  std::string make(const std::string& name, runtime_options options);

  /// Runs `spawn(runtime&)` while the runtime is there. False if it has been stopped; refuses a
  /// name that never was.
  template <class Spawn>
  bool on(const std::string& name, Spawn spawn) {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) throw refusal::no_handle(name);
    if (found->second.what == nullptr) return false;
    spawn(*found->second.what);
    return true;
  }

  /// Stops it; gives how many tasks have not ended within the limit. Refuses a second stop.
  std::uint64_t stop(const std::string& name, std::chrono::nanoseconds limit);
  /// Takes out a runtime that was stopped; destroying it waits for what is left. The name stays, as
  /// that of a stopped one.
  std::unique_ptr<runtime> take(const std::string& name);
  std::vector<std::string> names();

 private:
  struct entry {
    std::unique_ptr<runtime> what;  ///< Null: has been stopped.
    bool stopping = false;
  };

  std::mutex lock_;
  std::map<std::string, entry> entries_;
};

}  // namespace cove::driver
