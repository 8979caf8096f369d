#include "path_calls.hpp"

#include <cove/runtime/error.hpp>

#include <array>

// What the errors of path operations say: the call with its paths, and what can be done about it.

namespace cove::io::detail {
namespace {

using std::errc;

/// How the name of a verb and its second path are put.
struct wording {
  const char* name;
  const char* second;  ///< Between the two paths; null: there is one only.
};

constexpr wording wording_of(path_verb verb) noexcept {
  switch (verb) {
    case path_verb::access: return {"access", nullptr};
    case path_verb::chmod: return {"chmod", nullptr};
    case path_verb::copy_file: return {"copy_file", " to "};
    case path_verb::create_directories: return {"create_directories", nullptr};
    case path_verb::exists: return {"exists", nullptr};
    case path_verb::link: return {"link", " to "};
    case path_verb::lstat: return {"lstat", nullptr};
    case path_verb::mkdir: return {"mkdir", nullptr};
    case path_verb::mkdtemp: return {"mkdtemp", nullptr};
    case path_verb::readlink: return {"readlink", nullptr};
    case path_verb::realpath: return {"realpath", nullptr};
    case path_verb::remove: return {"remove", nullptr};
    case path_verb::remove_all: return {"remove_all", nullptr};
    case path_verb::rename: return {"rename", " to "};
    case path_verb::rmdir: return {"rmdir", nullptr};
    case path_verb::stat: return {"stat", nullptr};
    case path_verb::statfs: return {"statfs", nullptr};
    case path_verb::symlink: return {"symlink", " to "};
    case path_verb::truncate: return {"truncate", nullptr};
    case path_verb::unlink: return {"unlink", nullptr};
    case path_verb::utimes: return {"utimes", nullptr};
  }
  return {"fs", nullptr};
}

/// Those that go through many names, and note in `other` which was to blame.
bool names_culprit(const path_job& job) noexcept {
  return (job.verb == path_verb::create_directories || job.verb == path_verb::remove_all) &&
         !job.other.empty() && job.other != job.path;
}

bool makes_name(path_verb verb) noexcept {
  switch (verb) {
    case path_verb::copy_file:
    case path_verb::link:
    case path_verb::mkdir:
    case path_verb::mkdtemp:
    case path_verb::rename:
    case path_verb::symlink: return true;
    default: return false;
  }
}

std::string octal(std::uint32_t mode) {
  std::string text;
  for (; mode != 0; mode >>= 3U) text.insert(text.begin(), static_cast<char>('0' + (mode & 7U)));
  return "0" + text;
}

const char* remedy_of_missing(const path_job& job) noexcept {
  if (job.path.empty()) return "the path is empty";
  if (job.verb == path_verb::mkdir || job.verb == path_verb::mkdtemp)
    return "its parent is missing: create_directories() makes that, too";
  if (makes_name(job.verb))
    return "either of them, or a directory on the way, is missing; create_directories() makes "
           "those";
  return remedy_of_no_file(job.path);
}

const char* remedy_of_existing(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::mkdir: return "create_directories() does not mind a directory that is there";
    case path_verb::copy_file:
    case path_verb::rename: return "it was asked to refuse this; if_exists::replace does not";
    default: return "remove() what is there, or make it under another name and rename() that";
  }
}

const char* remedy_of_invalid(const path_job& job) noexcept {
  if (job.path.find('\0') != std::string::npos || job.other.find('\0') != std::string::npos)
    return "no path has a byte 0 in it";
  if (has_wrong_mode(job)) return "a mode has permissions only, 07777 at most";
  switch (job.verb) {
    case path_verb::copy_file:
      return "copy_file() is for two regular files, not for one and itself";
    case path_verb::readlink: return "it is no symbolic link";
    case path_verb::remove_all: return "name the directory itself, not \"/\", \".\" or \"..\"";
    case path_verb::rename: return "no directory can be moved into itself";
    case path_verb::truncate: return "only a regular file has a size to be set";
    default: return nullptr;
  }
}

const char* remedy_of_denied(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::chmod:
    case path_verb::utimes: return "only its owner may do this";
    case path_verb::access: return nullptr;
    default: return "see to the permissions of the directories on the way, and of the last one";
  }
}

const char* remedy_of_forbidden(const path_job& job) noexcept {
  if (job.verb == path_verb::link)
    return "a directory has no second name, and not every file system gives files one; a symlink() "
           "may lead to either";
  return remedy_of_denied(job);
}

const char* remedy_of_file_there(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::rename:
      return "a directory takes the place of no file, nor is a file a directory on the way";
    case path_verb::rmdir: return "it is a file, or one stands on the way; remove() takes both";
    default: return "what stands on the way to the last name is a file";
  }
}

const char* remedy_of_directory_there(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::rename:
      return "a file takes the place of no directory: remove() that, or name a file in it";
    case path_verb::unlink: return "rmdir() and remove() take directories";
    default: return "it is for files";
  }
}

const char* remedy_of_full(const path_job& job) noexcept {
  switch (job.verb) {
    case path_verb::remove:
    case path_verb::rmdir: return "remove_all() takes what is in it, too";
    case path_verb::rename: return "a directory takes the place of an empty one only";
    default: return "somebody adds to it";
  }
}

}  // namespace

const char* remedy_of(const path_job& job, std::error_code why) noexcept {
  if (why.category() != std::system_category()) return nullptr;
  switch (static_cast<errc>(why.value())) {
    case errc::no_such_file_or_directory: return remedy_of_missing(job);
    case errc::file_exists: return remedy_of_existing(job);
    case errc::invalid_argument: return remedy_of_invalid(job);
    case errc::permission_denied: return remedy_of_denied(job);
    case errc::operation_not_permitted: return remedy_of_forbidden(job);
    case errc::not_a_directory: return remedy_of_file_there(job);
    case errc::is_a_directory: return remedy_of_directory_there(job);
    case errc::too_many_symbolic_link_levels: return "its symbolic links lead in a circle";
    case errc::directory_not_empty: return remedy_of_full(job);
    case errc::cross_device_link: return "they are on two file systems: copy_file() and remove()";
    case errc::filename_too_long: return "a name has at most 255 bytes, and a path 4095";
    case errc::read_only_file_system: return "its file system is mounted to be read only";
    case errc::no_space_on_device: return "statfs() says what is free; names need room, too";
    case errc::device_or_resource_busy: return "it is the root of a mounted file system, or in use";
    case errc::too_many_files_open: return "raise the limit (ulimit -n), or close some";
    default: return nullptr;
  }
}

const char* remedy_of_no_file(std::string_view path) noexcept {
  if (path.empty()) return "the path is empty";
  return "nothing has this name; relative ones begin at the working directory of the process";
}

const char* name_of(path_verb verb) noexcept { return wording_of(verb).name; }

std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte >= 0x20 && byte != 0x7f) {
      out += each;
    } else {
      out += "\\x";
      out += digits[byte >> 4U];
      out += digits[byte & 0xfU];
    }
  }
  return out += '"';
}

std::string describe(const path_job& job) {
  const wording how = wording_of(job.verb);
  std::string text = std::string(how.name) + " " + quoted(job.path);
  if (how.second != nullptr) text += how.second + quoted(job.other);
  if (job.verb == path_verb::chmod) text += " to " + octal(job.mode);
  if (names_culprit(job)) text += ", at " + quoted(job.other);
  return text;
}

void throw_path_error(const path_job& job, std::error_code why) {
  const std::string context = describe(job);
  if (why == errc::operation_canceled && why.category() != category())
    throw canceled(context, job.broken_off ? job.count : 0);
  const char* remedy = remedy_of(job, why);
  const std::string_view said = remedy != nullptr ? remedy : "";
  if (job.broken_off) throw io_error(why, context, job.count, said);
  throw error(why, context, said);
}

}  // namespace cove::io::detail
