#include "netpoll/pick.hpp"

#include "netpoll/epoll.hpp"

#include <cove/runtime/detail/log.hpp>
#include <cove/runtime/error.hpp>

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
      {"epoll", [](desc_table& table, unsigned) -> std::unique_ptr<backend> {
         return std::make_unique<epoll>(table);
       }}};
  return all;
}

}  // namespace

void register_backend(std::string_view name, backend_maker maker) {
  known_backends().push_back({std::string(name), maker});
}

std::unique_ptr<backend> make_backend(std::string_view name, desc_table& table, unsigned lanes,
                                      std::string& reason) {
  const std::vector<known_backend>& all = known_backends();
  if (name.empty()) return all.front().maker(table, lanes);
  std::string names;
  for (const known_backend& known : all) {
    names += (names.empty() ? "" : ", ") + known.name;
    if (known.name != name) continue;
    try {
      return known.maker(table, lanes);
    } catch (const error& refused) {
      if (&known == &all.front()) throw;
      reason += "; no " + known.name + ": " + refused.what();
      detail::log(detail::log_level::warning, "using " + all.front().name + " in place of " +
                                                  known.name + ": " + refused.what());
    }
    return all.front().maker(table, lanes);
  }
  throw error(std::make_error_code(std::errc::invalid_argument),
              "backend \"" + std::string(name) + "\"", "this build has: " + names);
}

}  // namespace cove::netpoll
