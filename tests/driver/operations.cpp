#include "operations.hpp"

namespace cove::driver {

std::shared_ptr<operation_entry> operations::open(std::int64_t id, const std::string& runtime) {
  auto made = std::make_shared<operation_entry>(id, runtime);
  const std::lock_guard guard(lock_);
  if (!entries_.emplace(id, made).second)
    throw refusal::bad_request("the id " + std::to_string(id) + " is in use");
  return made;
}

void operations::answer(operation_entry& which, json reply) {
  if (which.answered.exchange(true)) return;
  {
    const std::lock_guard guard(lock_);
    entries_.erase(which.id);
  }
  json whole{{"id", which.id}};
  whole.update(reply);
  output_.write(whole);
}

bool operations::cancel(std::int64_t id) {
  std::shared_ptr<operation_entry> found;
  {
    const std::lock_guard guard(lock_);
    const auto at = entries_.find(id);
    if (at == entries_.end()) return false;
    found = at->second;
  }
  found->target.cancel();
  return true;
}

void operations::abandon(const std::string& runtime) {
  std::vector<std::shared_ptr<operation_entry>> left;
  {
    const std::lock_guard guard(lock_);
    for (const auto& [id, entry] : entries_)
      if (entry->runtime == runtime) left.push_back(entry);
  }
  for (const auto& entry : left)
    answer(*entry,
           json{{"error", "stopped"}, {"detail", "abandoned when the stop's limit passed"}});
}

reply_ticket::~reply_ticket() {
  if (entry_->target.was_asked())
    answer(json{{"error", "cancelled"}, {"detail", "cancelled before it began"}});
  else
    answer(json{{"error", "stopped"}, {"detail", "its runtime stopped before it ended"}});
}

}  // namespace cove::driver
