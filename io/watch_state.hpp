#pragma once

#include <cove/io/fs_watch.hpp>

#include <array>
#include <mutex>
#include <unordered_map>

// What a watch is made of: private contract of this room, a file a platform.
//
// The system gives records, each with the number of what is watched. add() learns that number on
// a thread of the pool, maybe while a task reads; so both the call and the entry in the table are
// made under one lock, and no record of it can be read and looked up between them. What may wait
// for a disk, to find the path, comes before.

namespace cove::io::detail {

class watch_state {
 public:
  /// Errors: thrown.
  watch_state();

  // Any thread.
  /// On a thread of the pool, as it may wait for a disk.
  std::error_code add(const std::string& path) noexcept;
  bool remove(std::string_view path) noexcept;

  // The task that waits; see `waits`.
  /// Takes the next change of what has been read. False: there is none, read on.
  bool take(fs::change& into);
  /// Reads more records.
  count_operation read() noexcept;
  void has_read(std::size_t bytes) noexcept {
    begin_ = 0;
    end_ = bytes;
  }

  cove::detail::descriptor source;
  cove::detail::atomic<bool> waits{false};  ///< Set by the task that waits, for as long as it does.

 private:
  struct record;

  std::error_code note(int found, const std::string& path) noexcept;
  bool peek(record& into) const noexcept;
  bool look_for_more() noexcept;
  bool translate(const record& from, fs::change& into);

  // The task that waits.
  alignas(8) std::array<char, std::size_t{16} << 10U> buffer_;
  std::size_t begin_ = 0;  ///< Of the records that were read and not taken.
  std::size_t end_ = 0;

  std::mutex lock_;
  std::unordered_map<int, std::string> watched_;  ///< Paths by their numbers; under lock_.
};

/// What can be done about an error of add(), for people; empty if there is nothing to say.
const char* remedy_of_watch(std::string_view path, std::error_code why) noexcept;

}  // namespace cove::io::detail
