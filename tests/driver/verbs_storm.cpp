#include "verbs.hpp"

#include "storm.hpp"

#include <algorithm>
#include <array>

namespace cove::driver {
namespace {

std::array<std::span<const storm_kind>, 4> all_storms() {
  return {task_storms(), network_storms(), churn_storms(), sync_storms()};
}

const storm_kind* find_kind(std::string_view name) {
  for (const auto table : all_storms())
    for (const storm_kind& known : table)
      if (known.name == name) return &known;
  return nullptr;
}

/// Every member that some kind knows; the kind then says which are its own.
std::vector<std::string_view> every_member() {
  std::vector<std::string_view> all{"kind", "count"};
  for (const auto table : all_storms())
    for (const storm_kind& known : table)
      all.insert(all.end(), known.members.begin(), known.members.end());
  return all;
}

task<> prepare_storm(call& c) {
  const std::string& name = c.asked.text("kind");
  const storm_kind* kind = find_kind(name);
  if (kind == nullptr) throw refusal::unsupported(name);
  std::vector<std::string_view> members{"kind", "count"};
  members.insert(members.end(), kind->members.begin(), kind->members.end());
  c.asked.allow_only(members, c.is_step);
  return kind->prepare(c);
}

bool cancels_parts(const request& asked) {
  const storm_kind* kind = find_kind(asked.text("kind"));
  if (kind == nullptr) return false;
  return std::find(kind->members.begin(), kind->members.end(), "cancel_us") != kind->members.end();
}

const verb table[] = {
    {"storm", every_member(), prepare_storm, cancels_parts},
};

}  // namespace

std::span<const verb> storm_verbs() { return table; }

}  // namespace cove::driver
