#include <cove/io/fs_watch.hpp>

#include <cove/runtime/blocking.hpp>
#include <cove/runtime/this_task.hpp>

#include "path_calls.hpp"
#include "watch_state.hpp"

namespace cove::io::fs {
namespace {

using cove::detail::stop_reason;
using detail::watch_state;

/// The right to wait, of one task.
class turn {
 public:
  explicit turn(watch_state& on) : on_(on) {
    // acquire: pairs with the release of the last one, whose reading it goes on with.
    if (on_.waits.exchange(true, std::memory_order_acquire))
      throw error(make_error_code(errc::operation_in_progress), "fs::watch",
                  "one task waits for a watch at a time");
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() { on_.waits.store(false, std::memory_order_release); }

 private:
  watch_state& on_;
};

/// What one that was moved from has nothing to say to.
void require_open(const watch_state* which) {
  if (which == nullptr || which->source.is_closed())
    cove::detail::throw_stopped(stop_reason::closed, "fs::watch");
}

/// What one that was moved from closes; closed from the start, and always.
cove::detail::descriptor& nothing_open() noexcept {
  static cove::detail::descriptor none;
  return none;
}

task<> add_to(watch_state* to, std::string path) {
  require_open(to);
  std::error_code why;
  const auto add = [to, &path, &why] { why = to->add(path); };
  auto adding = blocking(pool_lane::file, add).as_result();
  adding.name = "fs::watch::add";
  const result<void> added = co_await std::move(adding);
  if (!added) why = added.error();
  if (why)
    cove::detail::throw_error(why, "fs::watch " + detail::quoted(path),
                              detail::remedy_of_watch(path, why));
}

task<change> next_of(watch_state* from) {
  require_open(from);
  const turn mine(*from);
  co_await this_task::maybe_yield();
  change found;
  for (;;) {
    require_open(from);
    if (from->take(found)) co_return found;
    const std::size_t bytes = co_await from->read();
    from->has_read(bytes);
  }
}

}  // namespace

watch::watch() : state_(new watch_state) {}

watch& watch::operator=(watch&& other) noexcept {
  if (this != &other) {
    delete state_;
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

watch::~watch() { delete state_; }

task<> watch::add(std::string path) { return add_to(state_, std::move(path)); }

bool watch::remove(std::string_view path) noexcept {
  return state_ != nullptr && state_->remove(path);
}

task<change> watch::next() { return next_of(state_); }

cove::detail::close_awaiter watch::close() noexcept {
  return cove::detail::close_awaiter(state_ != nullptr ? state_->source : nothing_open());
}

bool watch::is_closed() const noexcept { return state_ == nullptr || state_->source.is_closed(); }

}  // namespace cove::io::fs
