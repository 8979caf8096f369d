#pragma once

#include <cove/io/detail/path_job.hpp>
#include <cove/runtime/detail/atomic.hpp>
#include <cove/runtime/detail/retry_call.hpp>

#include <string_view>

// The system calls behind the path operations: private contract of this room. They may wait for a
// disk: for threads of the pool.

namespace cove::io::detail {

using asked_flag = cove::detail::atomic<bool>;

/// Makes the call and notes what came of it. Those that take many steps look at `asked` between
/// them and leave off if it is set.
void perform(path_job& job, const asked_flag& asked) noexcept;

/// The parts that have a file of their own. Each returns what stopped it and books the rest in the
/// job. They may throw bad_alloc.
std::error_code copy_file(path_job& job, const asked_flag& asked);
std::error_code remove_all(path_job& job, const asked_flag& asked);
/// Has it a mode with bits that are no permissions? The system drops them without a word.
bool has_wrong_mode(const path_job& job) noexcept;
/// -1 with errno, as rename(2).
int rename_without_replacing(const char* from, const char* to) noexcept;

/// errno as the library's code.
std::error_code last_error() noexcept;

using cove::detail::uninterrupted;

/// What can be done about `why`, for people; null if there is nothing to say.
const char* remedy_of(const path_job& job, std::error_code why) noexcept;
/// Of no_such_file_or_directory, where only one path is named.
const char* remedy_of_no_file(std::string_view path) noexcept;

/// `"text"`, with what is not printable as \xHH.
std::string quoted(std::string_view text);

}  // namespace cove::io::detail
