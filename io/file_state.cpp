#include <cove/io/detail/file_state.hpp>

#include "file_calls.hpp"

#include <cove/runtime/blocking.hpp>
#include <cove/runtime/runtime.hpp>
#include <cove/runtime/shield.hpp>
#include <cove/runtime/task.hpp>

namespace cove::io::detail {

file_state::closing_now file_state::begin_close(close_waiter& waiter) noexcept {
  close_waiter* nobody = nullptr;
  // Before the bit: who leaves last must find us. acq_rel: publishes the waiter.
  if (!closer_.compare_exchange_strong(nobody, &waiter, std::memory_order_acq_rel))
    return closing_now::closed_before;
  // relaxed: a first guess for the exchange below.
  std::uint32_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    if ((word & closed) != 0) return closing_now::closed_before;  // It was released.
    if (word_.compare_exchange_weak(word, (word | closed | closing) + one,
                                    std::memory_order_acq_rel, std::memory_order_relaxed))
      return word < one ? closing_now::yes : closing_now::waits;
  }
}

void file_state::end_close() noexcept {
  const std::uint32_t now = word_.fetch_sub(one, std::memory_order_acq_rel) - one;
  if ((now & gone) != 0) delete this;
}

void file_state::left_closed(std::uint32_t now) noexcept {
  if ((now & closing) != 0) {
    if (now / one != 1) return;
    // acquire: pairs with begin_close().
    cove::detail::task_ctl& task = *closer_.load(std::memory_order_acquire)->task;
    if (task.word.complete()) make_ready(task, true);
  } else if (now / one == 0) {
    close_later(fd);
    delete this;  // Without `closing` it was the handle that closed, so that is gone.
  }
}

void file_state::drop() noexcept {
  const std::uint32_t before = word_.fetch_or(closed | gone, std::memory_order_acq_rel);
  if (before / one != 0) return;
  if ((before & closed) == 0) close_later(fd);
  delete this;
}

int file_state::release() noexcept {
  std::uint32_t free = 0;
  // acquire: comes after what operations did.
  return word_.compare_exchange_strong(free, closed, std::memory_order_acquire) ? fd : -1;
}

std::string file_state::describe() const {
  if (name.empty()) return "descriptor " + std::to_string(fd);
  return '"' + name + '"';
}

namespace {

/// A number that nobody else knows; closed here at the latest.
class owned_fd {
 public:
  explicit owned_fd(int fd) noexcept : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~owned_fd() { close(); }

  void close() noexcept {
    if (fd_ >= 0) static_cast<void>(close_file(std::exchange(fd_, -1)));
  }

 private:
  int fd_;
};

/// What ends it before its turn came closes the number with the frame.
task<> close_on_pool(owned_fd which) {
  owned_fd* taken = &which;
  const auto close = [taken] { taken->close(); };
  static_cast<void>(co_await blocking(pool_lane::file, close).as_result());
}

}  // namespace

void close_later(int fd) noexcept {
  owned_fd owned(fd);
  if (cove::detail::current_task() == nullptr) return;
  try {
    spawn(close_on_pool, std::move(owned)).detach();
  } catch (const std::exception&) {
    owned.close();  // No memory for a task.
  }
}

}  // namespace cove::io::detail
