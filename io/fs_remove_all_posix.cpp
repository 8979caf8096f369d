#include "path_calls.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <unordered_set>
#include <vector>

// The end of a tree. It changes while it is removed, so nothing that was seen is believed:
//
//   enter   opens a directory by its name in the one above, which is open; never through a symbolic
//           link. So what is removed is in the tree, whatever others rename.
//   empty   removes each name as what it seems to be, and as the other kind if it is not that
//           (any more). What is gone already is gone.
//   leave   removes the directory itself. If that is not empty, somebody added to it: empty it
//           again, but not for ever.
//
// What cannot be removed is remembered by its name and passed by; the first such is the outcome.
//
// Only the deepest directories stay open, as a tree may be deeper than a process may have
// descriptors. The way back to one that was closed is ".."; if that is not the directory it was,
// the tree has been moved apart, and the removal ends there rather than go on in a strange place.

namespace cove::io::detail {
namespace {

constexpr std::size_t open_levels_max = 32;
constexpr unsigned repeats_max = 256;  // Of all directories together.

struct closes_directory {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};
using directory_stream = std::unique_ptr<DIR, closes_directory>;

class tree_removal {
 public:
  tree_removal(std::string root, const asked_flag& asked) : asked_(asked), root_(std::move(root)) {}

  void run();

  // What came of it.
  std::uint64_t count = 0;
  bool broken_off = false;
  std::error_code error;
  std::string culprit;

 private:
  struct level {
    std::string name;         ///< In the level above; of the first, the root's path.
    directory_stream stream;  ///< Null: closed for want of descriptors.
    dev_t device;
    ino_t inode;
    std::unordered_set<std::string> kept;  ///< What could not be removed.
  };

  std::error_code enter(int above, const std::string& name);
  std::error_code adopt(int fd, level& as);
  bool reopen_above();
  void leave();
  void remove_entry(const std::string& name, bool is_directory);
  void keep(const std::string& name, std::error_code why);
  /// Where the names of the innermost level are.
  int folder() const noexcept {
    return levels_.empty() ? AT_FDCWD : ::dirfd(levels_.back().stream.get());
  }

  const asked_flag& asked_;
  const std::string root_;
  std::vector<level> levels_;
  unsigned repeats_ = 0;  ///< Directories that were emptied once more.
};

std::error_code unlink_at(int folder, const std::string& name, int flags) noexcept {
  return ::unlinkat(folder, name.c_str(), flags) == 0 ? std::error_code() : last_error();
}

bool is_gone(std::error_code why) noexcept { return why == std::errc::no_such_file_or_directory; }

/// Takes over an open directory: also when it fails.
std::error_code tree_removal::adopt(int fd, level& as) {
  as.stream.reset(::fdopendir(fd));
  if (as.stream == nullptr) {
    const std::error_code why = last_error();
    ::close(fd);
    return why;
  }
  struct stat is{};
  if (::fstat(fd, &is) != 0) return last_error();
  as.device = is.st_dev;
  as.inode = is.st_ino;
  return {};
}

int open_directory(int above, const char* name) noexcept {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return cove::detail::own_number(uninterrupted([&] { return ::openat(above, name, flags); }));
}

std::error_code tree_removal::enter(int above, const std::string& name) {
  const int fd = open_directory(above, name.c_str());
  if (fd < 0) return last_error();
  level entered{name, nullptr, 0, 0, {}};
  if (const std::error_code why = adopt(fd, entered)) return why;
  if (levels_.size() >= open_levels_max) levels_[levels_.size() - open_levels_max].stream.reset();
  levels_.push_back(std::move(entered));
  return {};
}

/// Opens the last level but one again, from the last.
bool tree_removal::reopen_above() {
  level& above = levels_[levels_.size() - 2];
  if (above.stream != nullptr) return true;
  const int fd = open_directory(folder(), "..");
  if (fd < 0) return false;
  level found{above.name, nullptr, 0, 0, {}};
  if (adopt(fd, found) || found.device != above.device || found.inode != above.inode) return false;
  above.stream = std::move(found.stream);
  return true;
}

void tree_removal::keep(const std::string& name, std::error_code why) {
  if (!error) {
    error = why;
    for (const level& each : levels_) culprit += each.name + "/";
    culprit += name;
  }
  if (!levels_.empty()) levels_.back().kept.insert(name);
}

void tree_removal::remove_entry(const std::string& name, bool is_directory) {
  constexpr int turns_max = 8;  // It may change its kind each time.
  std::error_code why;
  for (int turn = 0; turn < turns_max; ++turn) {
    if (is_directory) {
      why = enter(folder(), name);
      if (!why || is_gone(why)) return;
      is_directory =
          why != std::errc::not_a_directory && why != std::errc::too_many_symbolic_link_levels;
      if (!is_directory) continue;
      // It cannot be looked into, but may be empty.
      if (unlink_at(folder(), name, AT_REMOVEDIR)) return keep(name, why);
      ++count;
      return;
    }
    why = unlink_at(folder(), name, 0);
    if (!why) ++count;
    if (!why || is_gone(why)) return;
    is_directory = why == std::errc::is_a_directory;
    if (is_directory) continue;
    // Some systems say this of a directory, all say it of what is protected.
    if (why != std::errc::operation_not_permitted || enter(folder(), name)) return keep(name, why);
    return;
  }
  keep(name, why);
}

void tree_removal::leave() {
  const bool outermost = levels_.size() == 1;
  if (!outermost && !reopen_above()) {
    const std::string name = levels_.back().name;
    levels_.pop_back();
    keep(name, system_error_code(EBUSY));
    levels_.clear();
    return;
  }
  const int above = outermost ? AT_FDCWD : ::dirfd(levels_[levels_.size() - 2].stream.get());
  level& inner = levels_.back();
  const std::error_code why = unlink_at(above, inner.name, AT_REMOVEDIR);
  const bool was_added_to = why == std::errc::directory_not_empty || why == std::errc::file_exists;
  if (was_added_to && inner.kept.empty() && repeats_ < repeats_max) {
    ++repeats_;
    ::rewinddir(inner.stream.get());
    return;
  }
  const std::string name = std::move(inner.name);
  levels_.pop_back();
  if (!why) ++count;
  if (why == std::errc::not_a_directory)
    remove_entry(name, false);
  else if (why && !is_gone(why))
    keep(name, why);
}

void tree_removal::run() {
  remove_entry(root_, false);
  while (!levels_.empty()) {
    if (asked_.load(std::memory_order_relaxed)) {
      broken_off = true;
      return;
    }
    level& inner = levels_.back();
    errno = 0;
    const dirent* entry = ::readdir(inner.stream.get());
    if (entry == nullptr) {
      if (errno != 0 && !error) {
        const std::error_code why = last_error();
        keep(".", why);
      }
      leave();
      continue;
    }
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && !inner.kept.contains(name))
      remove_entry(name, entry->d_type == DT_DIR);
  }
}

}  // namespace

std::error_code remove_all(path_job& job, const asked_flag& asked) {
  const std::size_t end = job.path.find_last_not_of('/');
  if (end == std::string::npos) return system_error_code(job.path.empty() ? ENOENT : EINVAL);
  std::string root = job.path.substr(0, end + 1);
  const std::size_t slash = root.find_last_of('/');
  const std::string last = slash == std::string::npos ? root : root.substr(slash + 1);
  if (last == "." || last == "..") return system_error_code(EINVAL);
  tree_removal removal(std::move(root), asked);
  removal.run();
  job.count = removal.count;
  job.broken_off = removal.broken_off;
  job.other = std::move(removal.culprit);
  // As exists() has it: below a file there is nothing.
  if (removal.error == std::errc::not_a_directory && removal.count == 0) return {};
  return removal.error;
}

}  // namespace cove::io::detail
