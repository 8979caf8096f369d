#pragma once

#include <cove/io/detail/transfer.hpp>
#include <cove/runtime/task.hpp>

#include <string>

namespace cove::io {

namespace detail {
class watch_state;
}

namespace fs {

/// What happened to a file or directory.
enum class change_kind : std::uint8_t {
  created,     ///< Made, or moved here from elsewhere.
  modified,    ///< Its contents.
  attributes,  ///< Permissions, owner, times, or how many names it has.
  removed,     ///< Removed, or moved away.
  renamed,     ///< Within its directory; `from` says what its name was.
  gone,        ///< What is watched itself was removed, renamed or unmounted. It is watched no more.
  overflow,    ///< The system has lost changes: look at everything again. No names.
};

/// One change.
///
/// Threads:  a value.
struct change {
  change_kind kind = change_kind::overflow;
  bool is_directory = false;  ///< What it happened to.
  std::string watched;        ///< As it was given to add().
  std::string name;           ///< In that directory; empty: what is watched itself.
  std::string from;           ///< renamed: the name before.

  /// What changed: `watched`, or that and `name`.
  std::string path() const { return name.empty() ? watched : watched + "/" + name; }
};

/// Tells what happens to files and directories, by whomever on this machine.
///
///     cove::io::fs::watch changes;
///     co_await changes.add("/etc/service");
///     for (;;) {
///       fs::change one = co_await changes.next();
///       if (one.kind == fs::change_kind::overflow || one.name == "config") reload();
///     }
///
/// A directory tells of itself and of what is directly in it, a file of itself. Changes are kept in
/// the order in which they came, from add() on, until somebody waits; some that follow each other
/// and are the same are one. There is a limit to what is kept, some ten thousand: then follows one
/// `overflow`. Many programs write a new file and rename it over the old one, so it is better to
/// watch the directory than the file. Add first and look then: what changes in between is told.
///
/// Only where the system tells of changes, which is in no case what other machines do to a file
/// system that is shared. There is no fallback that looks from time to time.
///
/// Threads:  one task waits at a time; a second one fails with operation_in_progress. add(),
///           remove() and close() may be used meanwhile, by any task.
/// Lifetime: must outlive its waits. Moving it is for one thread at a time.
/// Source:   inotify(7).
class watch {
 public:
  /// Watches nothing yet.
  /// Errors: thrown; too_many_files_open.
  watch();
  /// The other one is closed then.
  watch(watch&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  watch& operator=(watch&& other) noexcept;
  ~watch();

  /// From now on tells of this path too, through symbolic links. One that is watched already, by
  /// this or another name, is told of once, by its first name.
  /// Errors:       no_such_file_or_directory; permission_denied if it may not be read;
  ///               no_space_on_device beyond the number of watches that a user may have;
  ///               errc::closed. The text says the path and a remedy.
  /// Cancellation: canceled or deadline_exceeded: it is not watched, unless the call had begun.
  task<> add(std::string path);

  /// Tells nothing more of this path, as it was given to add(), from now on. False if it does not
  /// watch it.
  bool remove(std::string_view path) noexcept;

  /// Waits for the next change.
  /// Errors:       errc::closed; operation_in_progress; errc::wrong_runtime if it was first awaited
  ///               on in another runtime; errc::descriptor_too_high.
  /// Cancellation: canceled or deadline_exceeded. No change is lost: what has come is given to the
  ///               next one who waits.
  task<change> next();

  /// Ends when the wait on it has left, with errc::closed, and the system watches nothing for it
  /// any more. Changes that nobody took are gone. Gives a zero code, or errc::closed if it was
  /// closed before.
  /// Cancellation: none; a request stays for the next await.
  cove::detail::close_awaiter close() noexcept;
  bool is_closed() const noexcept;

 private:
  detail::watch_state* state_;
};

}  // namespace fs
}  // namespace cove::io
