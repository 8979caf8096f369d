#include "netpoll/pick.hpp"

#include "netpoll/epoll.hpp"

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
      {"epoll", [](desc_table& table) -> std::unique_ptr<backend> {
         return std::make_unique<epoll>(table);
       }}};
  return all;
}

}  // namespace

void register_backend(std::string_view name, backend_maker maker) {
  known_backends().push_back({std::string(name), maker});
}

std::unique_ptr<backend> make_backend(std::string_view name, desc_table& table) {
  std::string names;
  for (const known_backend& known : known_backends()) {
    if (name.empty() || known.name == name) return known.maker(table);
    names += (names.empty() ? "" : ", ") + known.name;
  }
  throw error(std::make_error_code(std::errc::invalid_argument),
              "backend \"" + std::string(name) + "\"", "this build has: " + names);
}

}  // namespace cove::netpoll
