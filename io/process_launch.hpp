#pragma once

#include "process_child.hpp"

#include <cove/io/command.hpp>

#include <array>
#include <exception>

// How a process is started: private contract of this room, a file a platform.

namespace cove::io::detail {

/// What the fields of a command's parts are to those who start it.
struct launch_access {
  using kind = stdio::kind;

  static kind kind_of(const stdio& what) noexcept { return what.kind_; }
  static const std::string& path_of(const stdio& what) noexcept { return what.path_; }
  static cove::detail::descriptor& given_of(stdio& what) noexcept { return what.given_; }
  static stdio given(cove::detail::descriptor what) noexcept {
    stdio made(kind::given);
    made.given_ = std::move(what);
    return made;
  }
  static bool starts_empty(const child_environment& which) noexcept { return which.from_nothing_; }
  static const auto& changes_of(const child_environment& which) noexcept { return which.changes_; }
};

/// A command that was looked through, with what depends on the moment at which it was given.
struct launch_plan {
  std::vector<std::string> candidates;   ///< Paths of the program, to be tried in this order.
  std::vector<std::string> arguments;    ///< argv[0] is the first.
  std::vector<std::string> environment;  ///< NAME=VALUE.
  command how;                           ///< All else.
};

/// Errors: invalid_argument, naming what is wrong.
launch_plan plan_of(command what);

/// NAME=VALUE of this process, in no order.
std::vector<std::string> own_environment();

/// A child that runs, and this process's ends of its pipes: of its input, output and errors. Those
/// that it has no pipe for are closed.
struct launched {
  child_ref who;
  std::array<cove::detail::descriptor, 3> ends;
};

/// Starts it. May block: the program may be on a slow disk, and this process be large.
/// Errors: thrown, those of the system: naming the program, the file, the directory.
launched launch(launch_plan plan);

/// Throws a failure again; one that only says that its time was over, or that it was canceled, with
/// what that was.
[[noreturn]] void rethrow_named(const std::exception_ptr& failure, const std::string& context,
                                std::string_view remedy = {});

/// A duplicate that is close-on-exec. Errors: thrown.
cove::detail::descriptor duplicate(int fd, std::string_view who);

/// Reads and writes wait from now on, for everybody who has this end.
void let_wait(int fd) noexcept;

}  // namespace cove::io::detail
