#pragma once

#include <cove/runtime/detail/descriptor.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cove::io {

class pipe_reader;
class pipe_writer;

namespace detail {
struct launch_access;
}

/// What a child finds at one of its descriptors.
///
/// Threads: as any value.
class stdio {
 public:
  /// /dev/null: nothing to read, and what is written is gone.
  static stdio null() noexcept { return stdio(kind::null); }
  /// What this process has at the same number; null() where that is closed.
  static stdio inherit() noexcept { return stdio(kind::inherit); }
  /// A new pipe, of which the process object has the other end. For input, output and errors only.
  static stdio pipe() noexcept { return stdio(kind::pipe); }
  /// A file: input reads it; the others write it from its beginning, and make it where there is
  /// none. The path goes from the directory of this process.
  ///
  /// To open a FIFO waits for its other end, as in a shell: that holds a thread of the pool's lane
  /// for files, and no request ends the spawn before. from() an end that pipe_reader::open() or
  /// pipe_writer::open() has given does not wait.
  static stdio file(std::string path) { return stdio(kind::file, std::move(path)); }
  /// The same, written behind what is there; a FIFO, too.
  static stdio append(std::string path) { return stdio(kind::append, std::move(path)); }
  /// For errors: where the output goes.
  static stdio same_as_output() noexcept { return stdio(kind::same_as_output); }
  /// A duplicate of a descriptor of this process, made here and now: it may be closed afterwards.
  /// Position and flags such as O_NONBLOCK stay common to both.
  /// Errors: thrown; bad_file_descriptor, too_many_files_open.
  static stdio copy_of(int fd);
  /// An end of a pipe, which becomes the child's: it waits there as ordinary programs do.
  /// Errors: thrown; errc::closed.
  static stdio from(pipe_reader end);
  static stdio from(pipe_writer end);

 private:
  friend struct detail::launch_access;

  enum class kind : std::uint8_t { null, inherit, pipe, file, append, same_as_output, given };

  explicit stdio(kind what, std::string path = {}) noexcept : kind_(what), path_(std::move(path)) {}

  kind kind_;
  std::string path_;
  cove::detail::descriptor given_;
};

/// The environment of a child: that of this process at the moment of the start, with changes.
///
///     list.environment.set("LANG", "C").remove("LS_COLORS");
///
/// Threads: as any value.
class child_environment {
 public:
  /// Adds a variable, or changes it. A name that is empty or has a '=' in it is refused by spawn.
  child_environment& set(std::string name, std::string value) {
    changes_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  /// Takes a variable out, if it is there.
  child_environment& remove(std::string name) {
    changes_.emplace_back(std::move(name), std::nullopt);
    return *this;
  }
  /// Nothing of this process; what was set before goes, too.
  child_environment& clear() noexcept {
    changes_.clear();
    from_nothing_ = true;
    return *this;
  }

 private:
  friend struct detail::launch_access;

  bool from_nothing_ = false;
  std::vector<std::pair<std::string, std::optional<std::string>>> changes_;
};

/// What to start, and how: for process::spawn and process::output.
///
///     cove::io::command list("ls", "-l");
///     list.directory = "/usr";
///     list.output = cove::io::stdio::pipe();
///     cove::io::process child = co_await cove::io::process::spawn(std::move(list));
///
/// No shell sees any of it: arguments arrive as they are. A NUL byte in one of them, or in anything
/// else here, is refused.
///
/// Threads: as any value; it moves, because it may own descriptors.
struct command {
  template <std::convertible_to<std::string>... More>
  explicit command(std::string what, More&&... more) : program(std::move(what)) {
    arguments.reserve(sizeof...(more));
    (arguments.emplace_back(std::forward<More>(more)), ...);
  }

  /// A path if it has a slash in it. Else a name, looked up in the PATH of this process, whatever
  /// the child's will be.
  std::string program;
  std::vector<std::string> arguments;  ///< Behind the program's name.
  std::optional<std::string> name;     ///< The child's argv[0], if it is to be another.
  child_environment environment;
  std::string directory;          ///< Where it starts; empty: where this process is.
  std::optional<unsigned> user;   ///< Runs as this uid. Takes the rights to do so, as `group` does.
  std::optional<unsigned> group;  ///< Runs as this gid. With either one, without further groups.
  /// In a session of its own (setsid): the terminal's Ctrl-C and its end do not reach it.
  bool own_session = false;
  /// A child whose process object goes is killed (SIGKILL), if it has not ended; what that one has
  /// started is not.
  bool kill_on_drop = true;

  stdio input = stdio::null();
  stdio output = stdio::null();
  stdio errors = stdio::inherit();
  /// Its descriptors 3, 4, ... It has no others.
  std::vector<stdio> more_descriptors;
};

}  // namespace cove::io
