#pragma once

#include "verbs.hpp"

#include <stop_token>
#include <thread>

namespace cove::driver {

/// A kind of storm: many rounds of a small race that is too fast for requests through pipes.
struct storm_kind {
  std::string_view name;
  std::vector<std::string_view> members;  ///< Beside `kind` and `count`.
  task<> (*prepare)(call& which);
};
std::span<const storm_kind> task_storms();
std::span<const storm_kind> network_storms();
std::span<const storm_kind> churn_storms();
std::span<const storm_kind> sync_storms();

inline std::size_t lanes_of(const request& asked, std::string_view name) {
  return static_cast<std::size_t>(asked.number_or(name, 2, 1, 10'000));
}
inline std::uint64_t rounds_of(const request& asked) {
  return static_cast<std::uint64_t>(asked.number("count"));
}

/// Runs `lane(arguments...)` in so many tasks and waits for all; a failure ends them all.
template <class Lane, class... Arguments>
task<> in_lanes(std::size_t count, Lane lane, Arguments... arguments) {
  const auto body = [&](scope& parts) -> task<> {
    for (std::size_t each = 0; each < count; ++each) parts.spawn(lane, arguments...).detach();
    co_return;
  };
  co_await with_scope(body);
}

/// The rounds that are left, for lanes that share them.
class countdown {
 public:
  explicit countdown(std::uint64_t count) noexcept : left_(count) {}
  bool next() noexcept {
    std::uint64_t left = left_;
    while (left != 0 && !left_.compare_exchange_weak(left, left - 1)) {
    }
    return left != 0;
  }

 private:
  std::atomic<std::uint64_t> left_;
};

/// Two ends of a connection, both ours.
using ends = std::pair<net::tcp_stream, net::tcp_stream>;
task<ends> make_ends();

/// Plain OS threads beside the tasks of a storm. A storm that is cancelled asks them to stop and
/// waits for them where its frame goes, since they use what is in it.
class storm_crew {
 public:
  storm_crew() = default;
  storm_crew(const storm_crew&) = delete;
  storm_crew& operator=(const storm_crew&) = delete;
  ~storm_crew() {
    for (std::jthread& each : threads_) each.request_stop();
  }

  /// Starts the threads: `work(stop, index)` in each.
  template <class Work>
  void start(std::size_t count, Work work) {
    working_ = count;
    threads_.reserve(count);
    for (std::size_t index = 0; index < count; ++index)
      threads_.emplace_back([this, work, index](const std::stop_token& stop) {
        work(stop, index);
        if (working_.fetch_sub(1) == 1) done_.open();
      });
  }
  /// Waits in a task until all have ended.
  task<> finish() { co_await done_.pass(); }

 private:
  std::atomic<std::size_t> working_{0};
  gate done_;
  std::vector<std::jthread> threads_;
};

}  // namespace cove::driver
