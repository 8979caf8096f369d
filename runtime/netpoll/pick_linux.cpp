#include "netpoll/pick.hpp"

#include "netpoll/epoll.hpp"
#include "netpoll/epoll_lt.hpp"
#include "netpoll/make_uring.hpp"
#include "netpoll/poll_set.hpp"
#include "netpoll/select_set.hpp"

#include <cove/runtime/detail/log.hpp>
#include <cove/runtime/error.hpp>

#include <atomic>
#include <vector>

namespace cove::netpoll {
namespace {

struct known_backend {
  std::string name;
  backend_maker maker;
};

template <class Backend>
std::unique_ptr<backend> make(const backend_settings& chosen) {
  return std::make_unique<Backend>(chosen.table);
}

/// The default comes first.
std::vector<known_backend>& known_backends() {
  static std::vector<known_backend> all{{"epoll", make<epoll>},
                                        {"io_uring", make_uring},
                                        {"epoll-lt", make<epoll_lt>},
                                        {"poll", make<poll_set>},
                                        {"select", make<select_set>}};
  return all;
}

/// A program may make many runtimes, and each is refused for the same reason.
void tell_once(const std::string& refusal) {
  static std::atomic<bool> told{false};
  if (!told.exchange(true, std::memory_order_relaxed))
    detail::log(detail::log_level::warning, refusal);
}

}  // namespace

void register_backend(std::string_view name, backend_maker maker) {
  known_backends().push_back({std::string(name), maker});
}

std::unique_ptr<backend> make_backend(std::string_view name, const backend_settings& chosen,
                                      std::string& reason) {
  const std::vector<known_backend>& all = known_backends();
  const std::error_code nonsense = std::make_error_code(std::errc::invalid_argument);
  if (name.empty()) return all.front().maker(chosen);
  std::string names;
  for (const known_backend& known : all) {
    names += (names.empty() ? "" : ", ") + known.name;
    if (known.name != name) continue;
    try {
      return known.maker(chosen);
    } catch (const error& refused) {
      // A setting that makes no sense is refused. The kernel's own EINVAL is of another category.
      if (&known == &all.front() || refused.code() == nonsense) throw;
      reason += "; no " + known.name + ": " + refused.what();
      tell_once("using " + all.front().name + " in place of " + known.name + ": " + refused.what());
    }
    return all.front().maker(chosen);
  }
  throw error(nonsense, "backend \"" + std::string(name) + "\"", "this build has: " + names);
}

}  // namespace cove::netpoll
