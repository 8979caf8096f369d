#pragma once

#include <cove/io/open_options.hpp>
#include <cove/runtime/task.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace cove::io {

/// Reads all of a file, in one turn of the pool. The size that the system gives is a guess: a file
/// that grows meanwhile, or one of /proc, which says 0, is read to its end.
///
///     std::string text = co_await cove::io::read_whole("/etc/hostname");
///
/// Errors:       those of open and read, naming the path; file_too_large if there are more than
///               `most` bytes, which are not all read then; std::bad_alloc.
/// Cancellation: not begun, it is not done; begun, it is waited for.
/// Threads:      awaited by tasks; any number at once.
/// Units:        bytes.
/// Source:       open(2), read(2).
task<std::string> read_whole(std::string path, std::size_t most = SIZE_MAX);

/// Makes `contents` all that a file has, in one turn of the pool: creates the file if it is not
/// there (with `mode`, less the umask), else its old contents are lost at the beginning. Who reads
/// meanwhile may see a part; for all or nothing write to another name, sync, and rename.
/// Errors, Cancellation, Threads: as read_whole(). After an error the file may hold a part.
/// Source:       open(2), write(2).
task<> write_whole(std::string path, std::string contents,
                   std::uint32_t mode = open_options::default_mode);

}  // namespace cove::io
