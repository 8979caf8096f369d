#pragma once

// Numbers of the descriptors that the library opens for itself.
//
// A program may be started with standard input, output or errors closed. The system gives the
// lowest free number, so an eventfd of ours would become descriptor 0: the program would take it
// for its standard input, and its children would inherit it as theirs. So ours are at 3 and above.
// They are moved there, as most calls that open something cannot be told where.

namespace cove::detail {

inline constexpr int first_own_number = 3;

/// What a call gave that opens something: its number, or -1 with errno. Gives that, or where it
/// is one of the standard streams' another, close-on-exec; -1 with errno if the system has none,
/// and then nothing is open.
int own_number(int fd) noexcept;

/// The same for what gave two, unless it failed. False: none is open, and errno says why.
bool own_numbers(int (&fds)[2]) noexcept;

/// Another number for the same thing, close-on-exec; or -1 with errno.
int own_duplicate(int fd) noexcept;

}  // namespace cove::detail
