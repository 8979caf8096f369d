#include "pool_options.hpp"

#include <cove/runtime/error.hpp>

#include <algorithm>
#include <string>

namespace cove::detail {
namespace {

/// The threads of a lane of which nothing is said.
struct usual {
  const char* name;
  unsigned threads;
  unsigned threads_max;
};

[[noreturn]] void refuse(const std::string& option, const std::string& value, const char* remedy) {
  throw error(std::make_error_code(std::errc::invalid_argument), option + " = " + value, remedy);
}

pool::lane_settings settle(const lane_options& asked, const usual& otherwise) {
  const std::string of = std::string("runtime_options::pool.") + otherwise.name + '.';
  constexpr unsigned most = 1024;
  for (const auto& [name, value] :
       {std::pair{"threads", asked.threads}, std::pair{"threads_max", asked.threads_max}})
    if (value > most)
      refuse(of + name, std::to_string(value),
             "give a number from 1 to 1024, or 0 for the usual one");
  if (asked.threads_max != 0 && asked.threads > asked.threads_max)
    refuse(of + "threads", std::to_string(asked.threads), "give no more than its threads_max");
  if (asked.queue_max == 0) refuse(of + "queue_max", "0", "give a number of calls from 1 on");
  for (const auto& [name, value] :
       {std::pair{"grow_after", asked.grow_after}, std::pair{"keep_idle", asked.keep_idle}})
    if (value.count() < 0)
      refuse(of + name, std::to_string(value.count()) + " ms", "give a time that is not negative");

  pool::lane_settings chosen;
  chosen.name = otherwise.name;
  chosen.threads = asked.threads != 0 ? asked.threads : otherwise.threads;
  chosen.threads_max =
      asked.threads_max != 0 ? asked.threads_max : std::max(chosen.threads, otherwise.threads_max);
  chosen.threads = std::min(chosen.threads, chosen.threads_max);
  chosen.queue_max = asked.queue_max;
  chosen.refuses = asked.refuse_when_full;
  chosen.grow_after_ns = saturated_ns(asked.grow_after);
  chosen.keep_ns = saturated_ns(asked.keep_idle);
  return chosen;
}

}  // namespace

pool::thread_pool::lanes_settings settle(const pool_options& asked, unsigned workers) {
  // What users call only waits, as a rule, and does not compute: there are several threads for each
  // worker. Files answer at once, until a disk is slow; then others are worth a thread, too.
  const unsigned several = std::max(16U, 4 * workers);
  const unsigned few = std::max(4U, workers);
  return {settle(asked.file, {"file", few, 64}), settle(asked.dns, {"dns", 4, 16}),
          settle(asked.user, {"user", several, several})};
}

}  // namespace cove::detail
