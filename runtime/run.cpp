#include <cove/runtime/detail/log.hpp>
#include "state.hpp"

#include <cstdio>
#include <cstdlib>

namespace cove::detail {

int run_main(runtime_options options, main_task& task) noexcept {
  constexpr std::int64_t limit_ns = 5'000'000'000;
  int code = 1;
  try {
    runtime in(std::move(options));
    try {
      code = task.run(in);
    } catch (...) {
      std::fprintf(stderr, "cove: the main task failed: %s\n",
                   describe_exception(std::current_exception()).c_str());
    }
    if (!in.stop(std::chrono::nanoseconds(limit_ns))) {
      // What is left cannot be waited for: the destructor would hang.
      flush_log();
      std::fflush(nullptr);
      std::_Exit(code);
    }
  } catch (...) {
    std::fprintf(stderr, "cove: %s\n", describe_exception(std::current_exception()).c_str());
  }
  flush_log();
  return code;
}

}  // namespace cove::detail
