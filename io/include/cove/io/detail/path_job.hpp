#pragma once

#include <cove/io/file_status.hpp>

#include <string>
#include <system_error>
#include <utility>

// One call about a path: what is asked of the system and what came of it, as a value. It is what
// `co_await fs::stat(path)` hands to a thread of the pool, and what an fs::batch is a list of.

namespace cove::io {

/// What a file system has: the answer of fs::statfs().
///
/// Threads:  a value.
/// Units:    bytes.
/// Source:   statvfs(3).
struct file_system_status {
  std::uint64_t size = 0;
  std::uint64_t free = 0;
  std::uint64_t available = 0;   ///< What users who are not root may still fill.
  std::uint64_t files = 0;       ///< How many it may hold; 0 where it does not know a limit.
  std::uint64_t free_files = 0;  ///< How many more.
  std::uint64_t block_size = 0;
  std::uint64_t name_max = 0;  ///< The longest name of a file, in bytes.
  bool read_only = false;
};

namespace detail {

enum class path_verb : std::uint8_t {
  access,
  chmod,
  copy_file,
  create_directories,
  exists,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readlink,
  realpath,
  remove,
  remove_all,
  rename,
  rmdir,
  stat,
  statfs,
  symlink,
  truncate,
  unlink,
  utimes,
};

struct path_job {
  path_job(path_verb which, std::string on) noexcept : verb(which), path(std::move(on)) {}

  struct times {
    file_time accessed;
    file_time modified;
  };

  path_verb verb;
  bool made = false;        ///< The call was made: what stands below came of it.
  bool broken_off = false;  ///< It was asked to end, and left off in its middle.
  bool exclusive = false;   ///< Asked: nothing may be there yet.
  std::uint32_t mode = 0;   ///< Asked: permissions.
  std::error_code code;
  std::string path;   ///< Asked: what it is about.
  std::string other;  ///< Asked: the other path. Came: the answer; or what in `path` was to blame.
  /// Which one is the verb's. Each is copied as bytes.
  union {
    std::uint64_t count = 0;     ///< Asked: a size. Came: bytes, entries, or yes and no.
    times moments;               ///< Asked.
    file_status status;          ///< Came.
    file_system_status storage;  ///< Came.
  };
};

/// The verb, as it is called.
const char* name_of(path_verb verb) noexcept;

/// `rename "a" to "b"`: the call in the words of its errors.
std::string describe(const path_job& job);

/// Throws what became of the call: `why`, with its story.
[[noreturn]] void throw_path_error(const path_job& job, std::error_code why);

/// What the call gave, if it succeeded: moved out of it, or copied from a const one.
template <class T, class Job>
T take_answer(Job& job) {
  if constexpr (std::is_same_v<T, file_status>)
    return job.status;
  else if constexpr (std::is_same_v<T, file_system_status>)
    return job.storage;
  else if constexpr (std::is_same_v<T, std::string>)
    return std::move(job.other);
  else if constexpr (std::is_same_v<T, bool>)
    return job.count != 0;
  else if constexpr (!std::is_void_v<T>)
    return job.count;
}

}  // namespace detail
}  // namespace cove::io
