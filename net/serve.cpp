#include <cove/net/serve.hpp>

#include <cove/runtime/detail/log.hpp>

#include <string>

namespace cove::net::detail {

bool accept_backoff::passes(std::error_code why) noexcept {
  return why == std::errc::too_many_files_open || why == std::errc::too_many_files_open_in_system ||
         why == std::errc::no_buffer_space || why == std::errc::not_enough_memory;
}

std::int64_t accept_backoff::next_ns(std::error_code why) noexcept {
  constexpr std::int64_t shortest_ns = 5'000'000;
  constexpr std::int64_t longest_ns = 1'000'000'000;
  if (wait_ns_ == 0) {
    cove::detail::log(cove::detail::log_level::warning,
                      "accept: " + describe(why) + "; trying again until there is room");
    wait_ns_ = shortest_ns;
  } else {
    wait_ns_ = wait_ns_ * 2 < longest_ns ? wait_ns_ * 2 : longest_ns;
  }
  return wait_ns_;
}

namespace {

bool breaks_connections(std::error_code why) noexcept {
  // deadline_exceeded is a timeout of ours, and no peer's doing.
  return why == std::errc::connection_reset || why == std::errc::broken_pipe ||
         why == std::errc::connection_aborted ||
         (why == std::errc::timed_out && why != errc::deadline_exceeded) ||
         why == std::errc::host_unreachable || why == std::errc::network_unreachable;
}

bool peer_broke_it(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& e) {
    return breaks_connections(e.code());
  } catch (...) {
    return false;
  }
}

std::string describe(const task_failure& failure) {
  // The coroutine's signature is long, and its place says as much.
  const std::string name(failure.name.find('(') == std::string_view::npos ? failure.name : "");
  return "session " + std::to_string(failure.id) + (name.empty() ? "" : " \"" + name + "\"") +
         " (" + failure.place.file_name() + ":" + std::to_string(failure.place.line()) +
         ") failed: " + cove::detail::describe_exception(failure.exception);
}

}  // namespace

session_log::~session_log() {
  const std::uint64_t unsaid = broken_.held_back();
  if (unsaid == 0) return;
  cove::detail::log(cove::detail::log_level::info,
                    std::to_string(unsaid) + (unsaid == 1 ? " more session" : " more sessions") +
                        " failed since the last line, as the peer broke the connection");
}

void session_log::operator()(const task_failure& failure) noexcept {
  if (peer_broke_it(failure.exception))
    peer_broke(failure);
  else
    cove::detail::log(cove::detail::log_level::error, describe(failure));
}

void session_log::peer_broke(const task_failure& failure) noexcept {
  const std::uint64_t ended = broken_.count(clock::now().time_since_epoch().count());
  if (ended == 0) return;
  std::string text = describe(failure);
  if (ended > 1) text += "; so did " + std::to_string(ended - 1) + " others since the last line";
  cove::detail::log(cove::detail::log_level::info, text);
}

}  // namespace cove::net::detail
