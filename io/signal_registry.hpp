#pragma once

#include <cove/io/signal_set.hpp>

// Which sets of this process hear which signals: private contract of this room, a file a platform.

namespace cove::io::detail {

/// Why a set may not name signal `number`, as a remedy for people; nullptr if it may.
const char* why_not_a_signal(int number) noexcept;

/// Two ends of a connection, non-blocking: what is written to `bell` is read from `ear`.
struct signal_line {
  int ear;
  int bell;
};
/// Errors: thrown.
signal_line open_signal_line();

/// From now on the inbox hears what it names, all of which why_not_a_signal() allows.
void subscribe(signal_inbox& inbox) noexcept;
/// The inbox hears nothing more, and its bell is closed. Signals that no other one names do again
/// what they did before; those that nobody took do it now.
void unsubscribe(signal_inbox& inbox) noexcept;

/// Signal `number` was read and is given to a task: when it comes again, it is written again.
void take_signal(signal_inbox& inbox, int number) noexcept;

}  // namespace cove::io::detail
