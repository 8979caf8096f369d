#include "netpoll/pick.hpp"

#include "netpoll/epoll.hpp"
#include "netpoll/make_uring.hpp"

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

/// The default comes first.
std::vector<known_backend>& known_backends() {
  static std::vector<known_backend> all{
      {"epoll",
       [](const backend_settings& chosen) -> std::unique_ptr<backend> {
         return std::make_unique<epoll>(chosen.table);
       }},
      {"io_uring", make_uring}};
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
  if (name.empty()) return all.front().maker(chosen);
  std::string names;
  for (const known_backend& known : all) {
    names += (names.empty() ? "" : ", ") + known.name;
    if (known.name != name) continue;
    try {
      return known.maker(chosen);
    } catch (const error& refused) {
      if (&known == &all.front()) throw;
      reason += "; no " + known.name + ": " + refused.what();
      tell_once("using " + all.front().name + " in place of " + known.name + ": " + refused.what());
    }
    return all.front().maker(chosen);
  }
  throw error(std::make_error_code(std::errc::invalid_argument),
              "backend \"" + std::string(name) + "\"", "this build has: " + names);
}

}  // namespace cove::netpoll
