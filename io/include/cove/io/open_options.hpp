#pragma once

#include <cstdint>

namespace cove::io {

/// One of open_options' choices, named as the function that makes it.
enum class open_choice : std::uint16_t {
  read = 1,
  write = 2,
  append = 4,
  create = 8,
  exclusive = 16,
  truncate = 32,
  direct = 64,
  sync_data = 128,
  sync = 256,
  no_follow = 512,
  directory = 1024,
};

/// How file::open() opens a file: what is to be done with it, and what to do if it is there or not.
///
///     auto options = cove::io::open_options{}.write().create().truncate();
///     cove::io::file log = co_await cove::io::file::open("/var/log/x", options);
///
/// Options that contradict one another are refused by open(), which names them, before the system
/// is asked: none of read, write and append; create without write or append; exclusive without
/// create; truncate without write; truncate with append; directory with more than read.
///
/// Threads:  a value.
/// Source:   open(2).
class open_options {
 public:
  /// Permissions of a file that is made, less the umask.
  static constexpr std::uint32_t default_mode = 0666;

  /// Its bytes may be read,
  constexpr open_options& read() noexcept { return set(open_choice::read); }
  /// or written, at any offset.
  constexpr open_options& write() noexcept { return set(open_choice::write); }
  /// Every write goes to the end, wherever that is by then. For writing; see file::write_at().
  constexpr open_options& append() noexcept { return set(open_choice::append); }

  /// Makes the file if it is not there.
  constexpr open_options& create(std::uint32_t mode = default_mode) noexcept {
    mode_ = mode;
    return set(open_choice::create);
  }
  /// With create(): fails with file_exists if it is there, even as a symbolic link to nothing.
  constexpr open_options& exclusive() noexcept { return set(open_choice::exclusive); }
  /// A file that is there loses its contents.
  constexpr open_options& truncate() noexcept { return set(open_choice::truncate); }

  /// Past the system's cache (O_DIRECT): buffers, sizes and offsets in whole blocks, see
  /// aligned_buffer. Not every file system can.
  constexpr open_options& direct() noexcept { return set(open_choice::direct); }
  /// A write has ended when its bytes are on the disk (O_DSYNC),
  constexpr open_options& sync_data() noexcept { return set(open_choice::sync_data); }
  /// and all that the system keeps about the file, too (O_SYNC).
  constexpr open_options& sync() noexcept { return set(open_choice::sync); }

  /// Fails with too_many_symbolic_link_levels if the last part of the path is a symbolic link.
  constexpr open_options& no_follow() noexcept { return set(open_choice::no_follow); }
  /// Fails with not_a_directory if it is none. For sync() and stat() of a directory; goes with
  /// read() alone.
  constexpr open_options& directory() noexcept { return set(open_choice::directory); }

  /// Was it chosen?
  constexpr bool has(open_choice which) const noexcept {
    return (bits_ & static_cast<std::uint16_t>(which)) != 0;
  }
  /// Is it for writing, at the end alone or anywhere?
  constexpr bool writes() const noexcept {
    return has(open_choice::write) || has(open_choice::append);
  }
  /// Permissions of a file that is made.
  constexpr std::uint32_t mode() const noexcept { return mode_; }

  /// What contradicts itself, for people; null if nothing does.
  constexpr const char* contradiction() const noexcept {
    if (!has(open_choice::read) && !writes())
      return "none of read(), write() and append() was chosen";
    if (has(open_choice::directory) && writes()) return "directory() goes with read() alone";
    if (has(open_choice::exclusive) && !has(open_choice::create))
      return "exclusive() needs create()";
    if (has(open_choice::create) && !writes()) return "create() needs write() or append()";
    if (has(open_choice::truncate) && !has(open_choice::write)) return "truncate() needs write()";
    if (has(open_choice::truncate) && has(open_choice::append))
      return "truncate() and append() contradict each other";
    if ((mode_ & ~07777U) != 0) return "create() was given a mode with more than permissions";
    return nullptr;
  }

 private:
  constexpr open_options& set(open_choice which) noexcept {
    bits_ = static_cast<std::uint16_t>(bits_ | static_cast<std::uint16_t>(which));
    return *this;
  }

  std::uint32_t mode_ = default_mode;
  std::uint16_t bits_ = 0;
};

}  // namespace cove::io
