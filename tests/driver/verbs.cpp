#include "verbs.hpp"

#include <algorithm>
#include <map>

namespace cove::driver {
namespace {

const std::map<std::string_view, const verb*>& all_verbs() {
  static const auto all = [] {
    std::map<std::string_view, const verb*> known;
    for (const auto table :
         {handle_verbs(), stream_verbs(), read_verbs(), read_all_verbs(), write_verbs(),
          copy_verbs(), serve_verbs(), descriptor_verbs(), file_verbs(), path_verbs(),
          process_verbs(), composite_verbs(), task_verbs(), sync_verbs(), timer_verbs(),
          runtime_verbs(), host_verbs(), storm_verbs()})
      for (const verb& each : table) known.emplace(each.name, &each);
    return known;
  }();
  return all;
}

}  // namespace

const verb* find_verb(std::string_view name) {
  const auto found = all_verbs().find(name);
  return found == all_verbs().end() ? nullptr : found->second;
}

std::vector<std::string_view> verb_names() {
  std::vector<std::string_view> names{"quit"};  // The end of input in other words; see main.cpp.
  for (const auto& [name, what] : all_verbs()) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

task<std::exception_ptr> failure_of(task<> parts) {
  std::exception_ptr broken;
  try {
    co_await std::move(parts);
  } catch (...) {
    broken = std::current_exception();
  }
  co_return broken;
}

}  // namespace cove::driver
