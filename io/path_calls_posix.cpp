#include "path_calls.hpp"

#include "file_status.hpp"

#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>
#include <string_view>

// The calls that are one or two of the system's. Nothing here changes the process: no working
// directory, no umask.

namespace cove::io::detail {
namespace {

/// Of a call that gives 0 or -1.
std::error_code told(int outcome) noexcept {
  return outcome == 0 ? std::error_code() : last_error();
}

template <class Call>
std::error_code code_of_call(Call call) noexcept {
  return told(uninterrupted(call));
}

std::error_code find_status(path_job& job, bool follow) noexcept {
  auto& into = *::new (&job.status) file_status;
  return read_status(current_folder, job.path.c_str(), follow, into);
}

std::error_code exists(path_job& job) noexcept {
  const std::error_code why = told(::access(job.path.c_str(), F_OK));
  job.count = why ? 0 : 1;
  if (why == std::errc::no_such_file_or_directory || why == std::errc::not_a_directory) return {};
  return why;
}

std::error_code check_access(const path_job& job) noexcept {
  int wanted = 0;
  if ((job.mode & 1U) != 0) wanted |= X_OK;
  if ((job.mode & 2U) != 0) wanted |= W_OK;
  if ((job.mode & 4U) != 0) wanted |= R_OK;
  return told(::faccessat(AT_FDCWD, job.path.c_str(), wanted, AT_EACCESS));
}

/// What became of one directory on the way of create_directories().
enum class making : std::uint8_t { made, was_there, needs_parent, in_the_way, failed };

making make_one(const std::string& path, std::uint32_t mode, std::error_code& why) noexcept {
  why = told(::mkdir(path.c_str(), mode));
  if (!why) return making::made;
  file_status there;
  // Systems differ in what they say where it is not allowed to make what is there already.
  if (!read_status(current_folder, path.c_str(), true, there)) {
    if (!there.is_directory()) why = system_error_code(ENOTDIR);
    return there.is_directory() ? making::was_there : making::in_the_way;
  }
  const bool parent =
      why == std::errc::no_such_file_or_directory || why == std::errc::not_a_directory;
  return parent ? making::needs_parent : making::failed;
}

/// Where the parent of `path` ends; 0: it has none that it names.
std::size_t end_of_parent(std::string_view path) noexcept {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return 0;
  return path.find_last_not_of('/', slash) + 1;  // npos + 1 is 0.
}

/// Up to the first directory that is there, and down again. Others may remove what was just made;
/// then it goes up again, but not for ever. `other` is where it stands.
std::error_code create_directories(path_job& job) {
  constexpr int turns_max = 16;
  const std::size_t size = job.path.find_last_not_of('/') + 1;
  const std::string all = size != 0 ? job.path.substr(0, size) : job.path;
  making last = making::failed;
  std::error_code why;
  for (int turn = 0; turn < turns_max; ++turn) {
    job.other = all;
    while ((last = make_one(job.other, job.mode, why)) == making::needs_parent) {
      const std::size_t end = end_of_parent(job.other);
      if (end == 0) return why;
      job.other.resize(end);
    }
    while (last <= making::was_there && job.other.size() < all.size()) {
      const std::size_t name = all.find_first_not_of('/', job.other.size());
      job.other = all.substr(0, all.find('/', name));
      last = make_one(job.other, job.mode, why);
    }
    if (last != making::needs_parent) break;
  }
  job.count = last == making::made ? 1 : 0;
  return last <= making::was_there ? std::error_code() : why;
}

std::error_code make_unique(path_job& job) {
  job.other = job.path + "XXXXXX";
  return ::mkdtemp(job.other.data()) != nullptr ? std::error_code() : last_error();
}

std::error_code remove(const path_job& job) noexcept {
  const std::error_code as_file = told(::unlink(job.path.c_str()));
  // What unlink() says of a directory differs from system to system; what rmdir() says of a file
  // does not.
  if (as_file != std::errc::is_a_directory && as_file != std::errc::operation_not_permitted)
    return as_file;
  const std::error_code as_directory = told(::rmdir(job.path.c_str()));
  return as_directory == std::errc::not_a_directory ? as_file : as_directory;
}

std::error_code read_link(path_job& job) {
  std::string text(256, '\0');
  for (;;) {
    const ssize_t length = ::readlink(job.path.c_str(), text.data(), text.size());
    if (length < 0) return last_error();
    const auto size = static_cast<std::size_t>(length);
    if (size < text.size()) {
      text.resize(size);
      job.other = std::move(text);
      return {};
    }
    text.resize(2 * text.size());
  }
}

std::error_code find_real_path(path_job& job) {
  char* found = ::realpath(job.path.c_str(), nullptr);
  if (found == nullptr) return last_error();
  try {
    job.other = found;
  } catch (...) {
    std::free(found);
    throw;
  }
  std::free(found);
  return {};
}

timespec moment(file_time when) noexcept {
  constexpr std::int64_t per_second = 1'000'000'000;
  const std::int64_t ns = when.time_since_epoch().count();
  std::int64_t seconds = ns / per_second;
  if (ns % per_second < 0) --seconds;
  timespec at{};
  at.tv_sec = seconds;
  at.tv_nsec = ns - seconds * per_second;
  return at;
}

std::error_code set_times(const path_job& job) noexcept {
  const timespec both[2] = {moment(job.moments.accessed), moment(job.moments.modified)};
  return told(::utimensat(AT_FDCWD, job.path.c_str(), both, 0));
}

std::error_code set_size(const path_job& job) noexcept {
  if (job.count > INT64_MAX) return system_error_code(EFBIG);
  const auto size = static_cast<off_t>(job.count);
  return code_of_call([&] { return ::truncate(job.path.c_str(), size); });
}

std::error_code find_storage(path_job& job) noexcept {
  struct statvfs said{};
  if (const auto why = code_of_call([&] { return ::statvfs(job.path.c_str(), &said); })) return why;
  const std::uint64_t unit = said.f_frsize;
  auto& found = *::new (&job.storage) file_system_status;
  found.size = said.f_blocks * unit;
  found.free = said.f_bfree * unit;
  found.available = said.f_bavail * unit;
  found.files = said.f_files;
  found.free_files = said.f_ffree;
  found.block_size = said.f_bsize;
  found.name_max = said.f_namemax;
  found.read_only = (said.f_flag & ST_RDONLY) != 0;
  return {};
}

std::error_code make_call(path_job& job, const asked_flag& asked) {
  const char* path = job.path.c_str();
  const char* other = job.other.c_str();
  switch (job.verb) {
    case path_verb::access: return check_access(job);
    case path_verb::chmod: return told(::chmod(path, job.mode));
    case path_verb::copy_file: return copy_file(job, asked);
    case path_verb::create_directories: return create_directories(job);
    case path_verb::exists: return exists(job);
    case path_verb::link: return told(::linkat(AT_FDCWD, other, AT_FDCWD, path, 0));
    case path_verb::lstat: return find_status(job, false);
    case path_verb::mkdir: return told(::mkdir(path, job.mode));
    case path_verb::mkdtemp: return make_unique(job);
    case path_verb::readlink: return read_link(job);
    case path_verb::realpath: return find_real_path(job);
    case path_verb::remove: return remove(job);
    case path_verb::rmdir: return told(::rmdir(path));
    case path_verb::unlink: return told(::unlink(path));
    case path_verb::remove_all: return remove_all(job, asked);
    case path_verb::rename:
      return told(job.exclusive ? rename_without_replacing(path, other) : ::rename(path, other));
    case path_verb::stat: return find_status(job, true);
    case path_verb::statfs: return find_storage(job);
    case path_verb::symlink: return told(::symlink(other, path));
    case path_verb::truncate: return set_size(job);
    case path_verb::utimes: return set_times(job);
  }
  return system_error_code(ENOSYS);
}

}  // namespace

bool has_wrong_mode(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::chmod:
    case path_verb::create_directories:
    case path_verb::mkdir: return (job.mode & ~07777U) != 0;
    default: return false;
  }
}

std::error_code last_error() noexcept { return system_error_code(errno); }

void perform(path_job& job, const asked_flag& asked) noexcept {
  job.made = true;
  if (job.path.find('\0') != std::string::npos || job.other.find('\0') != std::string::npos ||
      has_wrong_mode(job)) {
    job.code = system_error_code(EINVAL);
    return;
  }
  try {
    job.code = make_call(job, asked);
  } catch (const std::bad_alloc&) {
    job.code = system_error_code(ENOMEM);
  }
}

}  // namespace cove::io::detail
