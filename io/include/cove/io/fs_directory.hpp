#pragma once

#include <cove/io/file_status.hpp>
#include <cove/runtime/generator.hpp>

#include <string>

namespace cove::io::fs {

/// A name in a directory.
///
/// Threads:  a value.
struct directory_entry {
  std::string name;  ///< Without the directory.
  /// What it was when it was read; a symbolic link is one.
  file_kind kind = file_kind::unknown;
  std::uint64_t inode = 0;
};

/// The names in a directory, but for "." and "..", in no order.
///
///     auto entries = fs::read_directory("spool");
///     while (const fs::directory_entry* entry = co_await entries.next())
///       if (entry->kind == file_kind::regular) take("spool/" + entry->name);
///
/// Nothing happens before the first one is asked for. Then the directory is opened, and its names
/// are read by the hundreds, each time by one call on the file lane; most awaits cost no more than
/// a call of a function. What is in it from the beginning to the end is given once; what others
/// add, remove or rename meanwhile is given or not. So entries may be removed in the loop.
///
/// Errors:       next() throws the system's, with the path and a remedy: no_such_file_or_directory,
///               not_a_directory, permission_denied when it is opened; io_error and the like
///               midway, after which it is at its end. A directory that is removed meanwhile ends.
/// Cancellation: canceled or deadline_exceeded from next(), where that has to read.
/// Lifetime:     the directory is closed when the generator goes, wherever it stands, or at its
///               end.
/// Source:       readdir(3).
generator<directory_entry> read_directory(std::string path);

}  // namespace cove::io::fs
