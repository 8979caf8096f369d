#include "directory_stream.hpp"

#include "file_status.hpp"
#include "path_calls.hpp"

#include <cove/runtime/detail/own_number.hpp>
#include <cove/runtime/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string_view>

namespace cove::io::detail {
namespace {

constexpr std::size_t entries_max = 512;  // Of one call.

file_kind kind_of(unsigned char type) noexcept {
  switch (type) {
    case DT_REG: return file_kind::regular;
    case DT_DIR: return file_kind::directory;
    case DT_LNK: return file_kind::symlink;
    case DT_FIFO: return file_kind::fifo;
    case DT_SOCK: return file_kind::socket;
    case DT_BLK: return file_kind::block_device;
    case DT_CHR: return file_kind::character_device;
    default: return file_kind::unknown;
  }
}

/// As opendir(3), which cannot be told about numbers.
DIR* open_listing(const char* path) noexcept {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const int fd = cove::detail::own_number(uninterrupted([&] { return ::open(path, flags); }));
  if (fd < 0) return nullptr;
  DIR* made = ::fdopendir(fd);
  if (made == nullptr) {
    const int why = errno;
    ::close(fd);
    errno = why;
  }
  return made;
}

}  // namespace

directory_stream::~directory_stream() {
  if (stream_ != nullptr) ::closedir(static_cast<DIR*>(stream_));
}

std::error_code directory_stream::read_entries() {
  DIR* from = static_cast<DIR*>(stream_);
  while (entries.size() < entries_max) {
    errno = 0;
    const dirent* found = ::readdir(from);
    if (found == nullptr) {
      ended = errno == 0;
      return ended ? std::error_code() : last_error();
    }
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    file_kind kind = kind_of(found->d_type);
    if (kind == file_kind::unknown) {
      // Some file systems keep the kind elsewhere. What is gone by now is left out.
      file_status said;
      const auto why = read_status(::dirfd(from), found->d_name, false, said);
      if (why == std::errc::no_such_file_or_directory) continue;
      kind = said.kind;
    }
    entries.push_back({std::string(name), kind, found->d_ino});
  }
  return {};
}

void directory_stream::read_some(const std::string& path) noexcept {
  entries.clear();
  if (stream_ == nullptr) stream_ = open_listing(path.c_str());
  if (stream_ == nullptr) {
    failed = last_error();
    return;
  }
  try {
    entries.reserve(entries_max);
    failed = read_entries();
  } catch (const std::bad_alloc&) {
    failed = system_error_code(ENOMEM);
  }
}

}  // namespace cove::io::detail
