#include "watch_state.hpp"

#include "path_calls.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

namespace cove::io::detail {
namespace {

using cove::detail::own_number;

constexpr std::uint32_t told_of = IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t ends_watch = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;

int open_source() {
  const int fd = own_number(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (fd < 0)
    cove::detail::throw_error(last_error(), "fs::watch",
                              "raise the limit (sysctl fs.inotify.max_user_instances, ulimit -n), "
                              "or let one watch see to several paths");
  return fd;
}

/// The number of what `path` is, or -errno. Finding it may wait; what happens under the descriptor
/// and the lock does not.
int watch_found(int source, int found, const char* path) noexcept {
  std::array<char, 32> by_number{};
  std::snprintf(by_number.data(), by_number.size(), "/proc/self/fd/%d", found);
  const int number = ::inotify_add_watch(source, by_number.data(), told_of);
  if (number >= 0) return number;
  // Without /proc the path is found once more.
  if (errno == ENOENT || errno == ENOTDIR)
    if (const int again = ::inotify_add_watch(source, path, told_of); again >= 0) return again;
  return -errno;
}

fs::change_kind kind_of(std::uint32_t mask) noexcept {
  if ((mask & ends_watch) != 0) return fs::change_kind::gone;
  if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) return fs::change_kind::created;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return fs::change_kind::removed;
  if ((mask & IN_MODIFY) != 0) return fs::change_kind::modified;
  return fs::change_kind::attributes;
}

}  // namespace

/// One record as it was read.
struct watch_state::record {
  int number;  ///< Of what is watched.
  std::uint32_t mask;
  std::uint32_t cookie;  ///< The same for both halves of a rename.
  std::size_t size;
  std::string_view name;

  bool is(std::uint32_t what) const noexcept { return (mask & what) != 0; }
};

watch_state::watch_state() : source(open_source(), cove::detail::descriptor_kind::other) {}

std::error_code watch_state::add(const std::string& path) noexcept {
  if (path.find('\0') != std::string::npos) return system_error_code(EINVAL);
  const int found =
      own_number(uninterrupted([&] { return ::open(path.c_str(), O_PATH | O_CLOEXEC); }));
  if (found < 0) return last_error();
  const std::error_code why = note(found, path);
  ::close(found);
  return why;
}

/// Watches an open file, and enters it into the table.
std::error_code watch_state::note(int found, const std::string& path) noexcept {
  const std::lock_guard guard(lock_);
  const cove::detail::descriptor_hold held(source);
  if (!held) return make_error_code(errc::closed);
  const int number = watch_found(held.fd(), found, path.c_str());
  if (number < 0) return system_error_code(-number);
  try {
    watched_.try_emplace(number, path);
  } catch (const std::bad_alloc&) {
    ::inotify_rm_watch(held.fd(), number);
    return system_error_code(ENOMEM);
  }
  return {};
}

bool watch_state::remove(std::string_view path) noexcept {
  const std::lock_guard guard(lock_);
  const auto is_it = [path](const auto& entry) { return entry.second == path; };
  const auto found = std::ranges::find_if(watched_, is_it);
  if (found == watched_.end()) return false;
  const cove::detail::descriptor_hold held(source);
  if (held) ::inotify_rm_watch(held.fd(), found->first);
  watched_.erase(found);
  return true;
}

count_operation watch_state::read() noexcept {
  return make_read<count_operation>(source, io_kind::read,
                                    std::as_writable_bytes(std::span(buffer_)), false, "fs::watch");
}

bool watch_state::peek(record& into) const noexcept {
  if (begin_ == end_) return false;
  inotify_event head;
  const char* at = buffer_.data() + begin_;
  std::memcpy(&head, at, sizeof head);
  into.number = head.wd;
  into.mask = head.mask;
  into.cookie = head.cookie;
  into.size = sizeof head + head.len;
  into.name = {at + sizeof head, ::strnlen(at + sizeof head, head.len)};  // Padded with zeros.
  return true;
}

/// Reads what there is behind the last record, which stays. False: there is nothing, yet.
bool watch_state::look_for_more() noexcept {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  const io_result more =
      try_once(source, io_kind::read, buffer_.data() + end_, buffer_.size() - end_);
  end_ += more.n;
  return more.n != 0;
}

bool watch_state::take(fs::change& into) {
  for (record first; peek(first);) {
    record second;
    begin_ += first.size;
    bool both = peek(second);
    if (!both && first.is(IN_MOVED_FROM)) {
      begin_ -= first.size;
      both = look_for_more();
      peek(first);  // It has moved, with its name.
      begin_ += first.size;
      both = both && peek(second);
    }
    both = both && first.is(IN_MOVED_FROM) && second.is(IN_MOVED_TO) &&
           first.cookie == second.cookie && first.number == second.number;
    if (both) begin_ += second.size;
    if (!translate(both ? second : first, into)) continue;
    if (both) {
      into.kind = fs::change_kind::renamed;
      into.from = first.name;
    }
    return true;
  }
  return false;
}

/// False: nothing that anybody is told of.
bool watch_state::translate(const record& from, fs::change& into) {
  into = {};
  if (from.is(IN_Q_OVERFLOW)) return true;
  const std::lock_guard guard(lock_);
  const auto found = watched_.find(from.number);
  // It was removed meanwhile, or was said to be gone.
  if (found == watched_.end()) return false;
  into.kind = kind_of(from.mask);
  into.is_directory = from.is(IN_ISDIR);
  into.watched = found->second;
  into.name = from.name;
  if (into.kind == fs::change_kind::gone) {
    const cove::detail::descriptor_hold held(source);
    if (held && from.is(IN_MOVE_SELF)) ::inotify_rm_watch(held.fd(), found->first);
    watched_.erase(found);
  }
  return true;
}

const char* remedy_of_watch(std::string_view path, std::error_code why) noexcept {
  if (why == std::errc::no_such_file_or_directory) return remedy_of_no_file(path);
  if (why == std::errc::permission_denied) return "only what may be read can be watched";
  if (why == std::errc::no_space_on_device)
    return "raise the number of watches (sysctl fs.inotify.max_user_watches), or remove() some";
  if (why == std::errc::invalid_argument) return "no path has a byte 0 in it";
  return "";
}

}  // namespace cove::io::detail
