#pragma once

#include "gate.hpp"
#include "standard_streams.hpp"

#include <map>
#include <memory>
#include <vector>

namespace cove::driver {

/// A request under way: its id, who can cancel it, and whether it was answered.
struct operation_entry {
  operation_entry(std::int64_t number, std::string where) : id(number), runtime(std::move(where)) {}

  const std::int64_t id;
  const std::string runtime;
  cancel_target target;
  std::atomic<bool> answered{false};
};

/// The requests under way. An id is registered by the thread that reads it, before its task is
/// spawned, so that a later line always finds it; it leaves with its answer.
///
/// Threads: any.
class operations {
 public:
  explicit operations(line_writer& output) : output_(output) {}

  /// Refuses an id that is under way.
  std::shared_ptr<operation_entry> open(std::int64_t id, const std::string& runtime);
  /// The first answer counts.
  void answer(operation_entry& which, json reply);
  /// Requests cancellation; false if there is no such request any more.
  bool cancel(std::int64_t id);
  /// Answers what was left behind when the stop of this runtime gave up waiting.
  void abandon(const std::string& runtime);

 private:
  line_writer& output_;
  std::mutex lock_;
  std::map<std::int64_t, std::shared_ptr<operation_entry>> entries_;
};

/// What a request's task owns so that it is answered in any case: if the task never runs, or its
/// frame is destroyed, the destructor says so.
class reply_ticket {
 public:
  reply_ticket(operations& all, std::shared_ptr<operation_entry> entry)
      : all_(all), entry_(std::move(entry)) {}
  reply_ticket(const reply_ticket&) = delete;
  reply_ticket& operator=(const reply_ticket&) = delete;
  ~reply_ticket();

  void answer(json reply) { all_.answer(*entry_, std::move(reply)); }
  operation_entry& entry() noexcept { return *entry_; }

 private:
  operations& all_;
  std::shared_ptr<operation_entry> entry_;
};

}  // namespace cove::driver
