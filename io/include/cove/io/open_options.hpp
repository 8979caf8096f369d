#pragma once

#include <cstdint>

namespace cove::io {

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

  constexpr open_options& read() noexcept { return set(read_bit); }
  constexpr open_options& write() noexcept { return set(write_bit); }
  /// Every write goes to the end, wherever that is by then. For writing; see file::write_at().
  constexpr open_options& append() noexcept { return set(append_bit); }

  /// Makes the file if it is not there.
  constexpr open_options& create(std::uint32_t mode = default_mode) noexcept {
    mode_ = mode;
    return set(create_bit);
  }
  /// With create(): fails with file_exists if it is there, even as a symbolic link to nothing.
  constexpr open_options& exclusive() noexcept { return set(exclusive_bit); }
  /// A file that is there loses its contents.
  constexpr open_options& truncate() noexcept { return set(truncate_bit); }

  /// Past the system's cache (O_DIRECT): buffers, sizes and offsets in whole blocks, see
  /// aligned_buffer. Not every file system can.
  constexpr open_options& direct() noexcept { return set(direct_bit); }
  /// A write has ended when its bytes are on the disk (O_DSYNC),
  constexpr open_options& sync_data() noexcept { return set(sync_data_bit); }
  /// and all that the system keeps about the file, too (O_SYNC).
  constexpr open_options& sync() noexcept { return set(sync_bit); }

  /// Fails with too_many_symbolic_link_levels if the last part of the path is a symbolic link.
  constexpr open_options& no_follow() noexcept { return set(no_follow_bit); }
  /// Fails with not_a_directory if it is none. For sync() and stat() of a directory; goes with
  /// read() alone.
  constexpr open_options& directory() noexcept { return set(directory_bit); }

  constexpr bool reads() const noexcept { return has(read_bit); }
  constexpr bool writes() const noexcept { return has(write_bit) || has(append_bit); }
  constexpr bool appends() const noexcept { return has(append_bit); }
  constexpr bool creates() const noexcept { return has(create_bit); }
  constexpr bool is_exclusive() const noexcept { return has(exclusive_bit); }
  constexpr bool truncates() const noexcept { return has(truncate_bit); }
  constexpr bool is_direct() const noexcept { return has(direct_bit); }
  constexpr bool syncs_data() const noexcept { return has(sync_data_bit); }
  constexpr bool syncs() const noexcept { return has(sync_bit); }
  constexpr bool follows() const noexcept { return !has(no_follow_bit); }
  constexpr bool wants_directory() const noexcept { return has(directory_bit); }
  constexpr std::uint32_t mode() const noexcept { return mode_; }

  /// What contradicts itself, for people; null if nothing does.
  constexpr const char* contradiction() const noexcept {
    if (!reads() && !writes()) return "none of read(), write() and append() was chosen";
    if (wants_directory() && (writes() || creates() || truncates()))
      return "directory() goes with read() alone";
    if (is_exclusive() && !creates()) return "exclusive() needs create()";
    if (creates() && !writes()) return "create() needs write() or append()";
    if (truncates() && !has(write_bit)) return "truncate() needs write()";
    if (truncates() && appends()) return "truncate() and append() contradict each other";
    if ((mode_ & ~07777U) != 0) return "create() was given a mode with more than permissions";
    return nullptr;
  }

 private:
  enum bit : std::uint16_t {
    read_bit = 1,
    write_bit = 2,
    append_bit = 4,
    create_bit = 8,
    exclusive_bit = 16,
    truncate_bit = 32,
    direct_bit = 64,
    sync_data_bit = 128,
    sync_bit = 256,
    no_follow_bit = 512,
    directory_bit = 1024,
  };

  constexpr open_options& set(bit which) noexcept {
    bits_ = static_cast<std::uint16_t>(bits_ | which);
    return *this;
  }
  constexpr bool has(bit which) const noexcept { return (bits_ & which) != 0; }

  std::uint32_t mode_ = default_mode;
  std::uint16_t bits_ = 0;
};

}  // namespace cove::io
