#include <cove/io/signal_set.hpp>

#include "signal_registry.hpp"

#include <string>

namespace cove::io {
namespace detail {

void signal_wait::throw_failure() const {
  if (wrong == fault::busy)
    throw cove::error(io_outcome(*this), name, "one task waits for a signal_set at a time");
  throw_io(*this);
}

int signal_wait::take() noexcept {
  take_signal(*inbox_, number_);
  return number_;
}

}  // namespace detail

namespace {

std::uint64_t bits_of(std::span<const int> signals) {
  const auto invalid = std::make_error_code(std::errc::invalid_argument);
  if (signals.empty()) throw error(invalid, "signal_set", "name at least one signal");
  std::uint64_t bits = 0;
  for (const int number : signals) {
    if (const char* remedy = detail::why_not_a_signal(number); remedy != nullptr)
      throw error(invalid, "signal_set " + std::to_string(number), remedy);
    bits |= std::uint64_t{1} << (number - 1);
  }
  return bits;
}

}  // namespace

signal_set::signal_set(std::span<const int> signals) {
  inbox_.named = bits_of(signals);
  const detail::signal_line line = detail::open_signal_line();
  socket_ = cove::detail::descriptor(line.ear, cove::detail::descriptor_kind::socket);
  inbox_.bell = line.bell;
  detail::subscribe(inbox_);
}

signal_set::~signal_set() { detail::unsubscribe(inbox_); }

}  // namespace cove::io
