#pragma once

#include "payload.hpp"
#include "session.hpp"

namespace cove::driver {

/// One request, or one step of a composite, on its way to its reply. Verbs put the members of the
/// reply into `members` as they learn them, so that those are told with a failure, too.
class call {
 public:
  call(session& of, json body, handle_table& names, std::string runtime_name, bool step)
      : all(of),
        handles(names),
        runtime(std::move(runtime_name)),
        is_step(step),
        asked(std::move(body)) {}
  call(call&&) = delete;

  session& all;
  handle_table& handles;
  const std::string runtime;  ///< The name of the one that runs this.
  const bool is_step;
  const request asked;
  json members = json::object();

  /// Receives up to `n` bytes; the reply tells how many `members["n"]` says, and what they are.
  void receives();
  /// Bytes may move: `n` is told, also with an error.
  void moves_bytes() { members["n"] = 0; }
  void moved(std::size_t n) { members["n"] = members["n"].get<std::size_t>() + n; }
  std::span<std::byte> room() noexcept { return buffer_->room(); }

  /// The name `as`, if the request has one.
  handle_table::reservation new_handle();

  /// The operation's clock.
  void begin() noexcept { began_ = clock::now(); }
  void end() noexcept;
  bool has_ended() const noexcept { return ended_; }
  clock::time_point began() const noexcept { return began_; }
  clock::time_point ended_at() const noexcept { return began_ + took_; }

  /// How it ended; the first failure stays.
  void fail(const std::exception_ptr& failure);
  void fail(std::string error_class, std::string detail);
  const std::string& error_class() const noexcept { return error_class_; }

  /// How long the buffer has to be kept before the reply can say whether it stayed clean.
  std::chrono::milliseconds guard() const noexcept { return guard_; }
  json reply() const;

 private:
  std::optional<receive_buffer> buffer_;
  std::chrono::milliseconds guard_{-1};
  clock::time_point began_{};
  clock::duration took_{};
  bool ended_ = false;
  std::string error_class_;
  std::string detail_;
  std::string what_;
};

/// Runs the request: reads it, and awaits its operation under its limits. Never throws; how it
/// ended is in the call.
task<> perform(call& which);

/// For a step: its composite keeps the guarded buffer for as long as the request says, and who
/// cancels the composite waits for that.
task<> keep_guarded(call& which);

}  // namespace cove::driver
