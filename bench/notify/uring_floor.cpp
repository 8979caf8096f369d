#include "floors.hpp"

#include <liburing.h>

#include <cstring>
#include <string>

// A read for each descriptor, which the kernel carries out when it can, and then the next one. One
// call hands in what the last batch asked for, and waits for the next batch.

namespace notify {
namespace {

constexpr unsigned entries = 1024;

class uring_floor final : public floor_loop {
 public:
  explicit uring_floor(const crowd& of) : watched_(of.watched()), bytes_(watched_.size()) {
    create();
    for (std::size_t i = 0; i < watched_.size(); ++i) start_read(i);
    io_uring_submit(&ring_);
  }
  ~uring_floor() override { io_uring_queue_exit(&ring_); }

  void collect(std::size_t count) override {
    while (count > 0) {
      io_uring_submit_and_wait(&ring_, 1);
      unsigned head;
      unsigned came = 0;
      io_uring_cqe* completion;
      io_uring_for_each_cqe(&ring_, head, completion) {
        checked(completion->res, "recv");
        start_read(io_uring_cqe_get_data64(completion));
        ++came;
      }
      io_uring_cq_advance(&ring_, came);
      count -= came;
    }
    io_uring_submit(&ring_);  // Who was read last waits for the next round as all others do.
  }

 private:
  /// Completions are run where this thread asks for them; older kernels know the weaker flag only.
  void create() {
    io_uring_params wanted{};
    wanted.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    wanted.cq_entries = 2 * entries;
    while (wanted.cq_entries < watched_.size()) wanted.cq_entries *= 2;
    io_uring_params tried = wanted;
    int error = io_uring_queue_init_params(entries, &ring_, &tried);
    if (error == -EINVAL) {
      tried = wanted;
      tried.flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN;
      error = io_uring_queue_init_params(entries, &ring_, &tried);
    }
    if (error < 0) throw unavailable("io_uring_setup: " + std::string(std::strerror(-error)));
  }

  void start_read(std::size_t which) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {  // The queue is full.
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    io_uring_prep_recv(entry, watched_[which], &bytes_[which], 1, 0);
    io_uring_sqe_set_data64(entry, which);
  }

  std::span<const int> watched_;
  std::vector<char> bytes_;
  io_uring ring_{};
};

}  // namespace

std::unique_ptr<floor_loop> make_uring_floor(const crowd& of) {
  return std::make_unique<uring_floor>(of);
}

}  // namespace notify
