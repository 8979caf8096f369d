#include "handles.hpp"

namespace cove::driver {

handle_table::object handle_table::find_any(const std::string& name) {
  {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.what) return *found->second.what;
  }
  if (outer_ == nullptr) throw refusal::no_handle(name);
  return outer_->find_any(name);
}

handle_table::object handle_table::take(const std::string& name) {
  {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.what) {
      object taken = *std::move(found->second.what);
      entries_.erase(found);
      return taken;
    }
  }
  if (outer_ == nullptr) throw refusal::no_handle(name);
  return outer_->take(name);
}

void handle_table::drop_all_of(const std::string& runtime) {
  std::vector<object> dropped;  // Destroyed without the lock.
  const std::lock_guard guard(lock_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (at->second.runtime != runtime || !at->second.what) {
      ++at;
      continue;
    }
    dropped.push_back(*std::move(at->second.what));
    at = entries_.erase(at);
  }
}

handle_table::reservation handle_table::reserve(const std::string& name,
                                                const std::string& runtime) {
  const std::lock_guard guard(lock_);
  if (!entries_.try_emplace(name, entry{std::nullopt, runtime}).second)
    throw refusal::bad_request("the name \"" + name + "\" is taken");
  return {*this, name};
}

void handle_table::reservation::fill(object made) {
  if (table_ == nullptr) return;
  const std::lock_guard guard(table_->lock_);
  table_->entries_[name_].what = std::move(made);
  table_ = nullptr;
}

handle_table::reservation::~reservation() {
  if (table_ == nullptr) return;
  const std::lock_guard guard(table_->lock_);
  table_->entries_.erase(name_);
}

}  // namespace cove::driver
