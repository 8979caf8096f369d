#pragma once

#include <cove/io/detail/path_call.hpp>

#include <string>

/// Operations on paths.
///
///     namespace fs = cove::io::fs;
///
///     co_await fs::create_directories("spool/today");
///     if (auto found = co_await fs::stat("spool/last").as_result()) use(found->size);
///     co_await fs::rename("spool/last", "spool/today/first");
///
/// Each is one call on the file lane of the runtime's pool, because any of them may wait for a disk
/// or a server; a worker never does. Many of them at once cost less in a batch (fs_batch.hpp).
///
/// A path is bytes, as the system has it. It is copied or moved into the operation. A relative one
/// begins at the working directory of the process, at the time of the call.
///
/// Errors:       the system's, unchanged. The text of an exception says the verb, the paths, what
///               the system said, and what can be done about it. A path with a byte 0 in it is
///               refused with invalid_argument. `as_result()` reports all of them in place of a
///               throw.
/// Cancellation: canceled or deadline_exceeded. One that waits for a thread is not made. One that
///               has begun is waited for and its outcome stands; only remove_all() and copy_file()
///               leave off in the middle, and say how they leave things.
/// Threads:      awaited by tasks; any number at once, in no order. What others do to the same
///               files meanwhile is settled by the file system.
namespace cove::io::fs {

/// What the file is that the path leads to, through symbolic links. lstat() tells of the last link
/// itself.
/// Source: statx(2).
detail::path_call<file_status> stat(std::string path);
detail::path_call<file_status> lstat(std::string path);

/// Whether the path leads to anything. A link that leads nowhere is nothing. What cannot be found
/// out is an error: permission_denied.
/// Source: access(2), with the real user.
detail::path_call<bool> exists(std::string path);

/// What a process may want to do with a file; combine them with `|`.
enum class right : std::uint8_t { execute = 1, write = 2, read = 4 };
constexpr right operator|(right a, right b) noexcept {
  return static_cast<right>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// Succeeds if this process has the rights; those who ask in order to open the file had better open
/// it.
/// Errors: permission_denied; read_only_file_system; no_such_file_or_directory.
/// Source: faccessat(2) with AT_EACCESS: the effective user.
detail::path_call<void> access(std::string path, right wanted);

/// Makes a directory. `mode` goes through the process's umask.
/// Errors: file_exists, whatever it is; no_such_file_or_directory if its parent is missing;
///         invalid_argument for a mode with more than permissions.
/// Source: mkdir(2).
detail::path_call<void> mkdir(std::string path, std::uint32_t mode = 0777);

/// Makes a directory and those above it that are missing. True if it made the last one, false if it
/// was there.
/// Errors: not_a_directory if something else is in the way, which the text names; invalid_argument
///         for a mode with more than permissions.
/// Source: mkdir(2).
detail::path_call<bool> create_directories(std::string path, std::uint32_t mode = 0777);

/// Makes a directory that nobody else has: `prefix` and six characters of the system's choice. Only
/// its owner may enter it. Gives its path.
/// Errors: no_such_file_or_directory if its parent is missing.
/// Source: mkdtemp(3).
detail::path_call<std::string> mkdtemp(std::string prefix);

/// Removes a file, a symbolic link or an empty directory.
/// Errors: no_such_file_or_directory; directory_not_empty.
/// Source: unlink(2), rmdir(2).
detail::path_call<void> remove(std::string path);
/// The same, but for no directory.
/// Errors: is_a_directory, and operation_not_permitted on systems that say that of one.
detail::path_call<void> unlink(std::string path);
/// The same for an empty directory, and nothing else.
/// Errors: not_a_directory; directory_not_empty.
detail::path_call<void> rmdir(std::string path);

/// Removes what has this name, and if that is a directory everything in it; gives how many names
/// went. Nothing there is 0, and no error.
///
/// It goes from directory to directory by descriptors and follows no symbolic link below `path`, so
/// nothing outside is touched, whatever others rename meanwhile. What others remove meanwhile is no
/// error, and what they add is removed, too, unless they keep on adding: then directory_not_empty.
/// What cannot be removed is left and the rest goes; the first such error is the outcome and its
/// text names the place. A slash at the end says nothing: of "link/" the link goes, and not what it
/// leads to, where `rm -r` refuses, and of "file/" the file.
///
/// Errors:       invalid_argument for "/", "." and ".." as the last part.
/// Cancellation: leaves off between two names; what is gone is gone. canceled::transferred() says
///               how many.
/// Source:       unlinkat(2), openat(2) with O_NOFOLLOW.
detail::path_call<std::uint64_t> remove_all(std::string path);

/// What is to happen if the target exists.
enum class if_exists : std::uint8_t { replace, refuse };

/// Gives a file or directory another name, in one step: nobody sees both or none.
/// Errors: cross_device_link between file systems: copy_file() and remove(); file_exists with
///         if_exists::refuse; directory_not_empty if it would replace such a directory.
/// Source: rename(2); renameat2(2) with RENAME_NOREPLACE.
detail::path_call<void> rename(std::string from, std::string to,
                               if_exists then = if_exists::replace);

/// Copies a regular file, with its permissions (0777), and gives the number of bytes. Shares the
/// blocks where the file system can, else lets the kernel copy, else reads and writes. Holes stay
/// holes, and count as bytes, where the file systems have them. The target, if it exists, is
/// overwritten, not replaced: its other names see it too.
///
/// Errors:       file_exists with if_exists::refuse; invalid_argument if one of them is no regular
///               file or both are the same file; is_a_directory.
/// Cancellation: leaves off within some mebibytes; canceled::transferred() says after how many
///               bytes. As after an error, a target that it has made is removed again; one that was
///               there is left with a part of the contents.
/// Source:       ioctl_ficlone(2), copy_file_range(2), sendfile(2), lseek(2).
detail::path_call<std::uint64_t> copy_file(std::string from, std::string to,
                                           if_exists then = if_exists::replace);

/// Makes a symbolic link `path` that leads to `target`, any text.
/// Errors: file_exists.
/// Source: symlink(2).
detail::path_call<void> symlink(std::string target, std::string path);
/// What a symbolic link says.
/// Errors: invalid_argument if it is none.
/// Source: readlink(2).
detail::path_call<std::string> readlink(std::string path);
/// Gives an existing file one more name, `path`.
/// Errors: file_exists; cross_device_link; operation_not_permitted for directories.
/// Source: link(2).
detail::path_call<void> link(std::string existing, std::string path);

/// The path from the root without symbolic links, "." and "..".
/// Errors: no_such_file_or_directory; too_many_symbolic_link_levels.
/// Source: realpath(3).
detail::path_call<std::string> realpath(std::string path);

/// Sets permissions: 07777, of what the path leads to.
/// Errors: operation_not_permitted for those who do not own it; invalid_argument for a mode with
///         more than permissions, as stat(2) has.
/// Source: chmod(2).
detail::path_call<void> chmod(std::string path, std::uint32_t mode);
/// Sets when the contents were last read and written; file systems keep what they can of it.
/// Errors: operation_not_permitted for those who do not own it; read_only_file_system.
/// Source: utimensat(2).
detail::path_call<void> utimes(std::string path, file_time accessed, file_time modified);
/// Makes a file longer, with zeros, or shorter.
/// Errors: is_a_directory; file_too_large; invalid_argument for what is no regular file.
/// Units:  bytes.
/// Source: truncate(2).
detail::path_call<void> truncate(std::string path, std::uint64_t size);

/// What the file system has on which the path is.
/// Errors: no_such_file_or_directory; permission_denied; function_not_supported.
/// Source: statvfs(3).
detail::path_call<file_system_status> statfs(std::string path);

}  // namespace cove::io::fs
