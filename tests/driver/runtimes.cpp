#include "runtimes.hpp"

namespace cove::driver {

runtimes::runtimes(const runtime_options& options) {
  entries_[""].what = std::make_unique<runtime>(options);
}

std::string runtimes::make(const std::string& name, runtime_options options) {
  options.name = name;
  auto made = std::make_unique<runtime>(std::move(options));
  const std::string backend(made->backend());
  const std::lock_guard guard(lock_);
  entry& place = entries_[name];
  if (place.what != nullptr) throw refusal::bad_request("the name \"" + name + "\" is taken");
  place = entry{std::move(made), false};
  return backend;
}

std::uint64_t runtimes::stop(const std::string& name, std::chrono::nanoseconds limit) {
  runtime* which = nullptr;
  {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) throw refusal::no_handle(name);
    if (found->second.what == nullptr || std::exchange(found->second.stopping, true))
      throw refusal::bad_request("\"" + name + "\" was stopped before");
    which = found->second.what.get();
  }
  return which->stop(limit) ? 0 : which->stats().tasks_live;
}

std::unique_ptr<runtime> runtimes::take(const std::string& name) {
  const std::lock_guard guard(lock_);
  return std::move(entries_.at(name).what);
}

std::vector<std::string> runtimes::names() {
  std::vector<std::string> all;
  const std::lock_guard guard(lock_);
  for (const auto& [name, known] : entries_)
    if (known.what != nullptr) all.push_back(name);
  return all;
}

}  // namespace cove::driver
