#include "netpoll/poll_desc.hpp"
#include "netpoll/backend.hpp"
#include "netpoll/desc_table.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <ostream>
#include <set>
#include <thread>
#include <vector>

namespace {

using cove::detail::io_op;
using cove::detail::task_ctl;
using cove::detail::task_list;
using cove::netpoll::desc_table;
using cove::netpoll::direction;
using cove::netpoll::failed;
using cove::netpoll::gate;
using cove::netpoll::hung_up;
using cove::netpoll::peer_finished;
using cove::netpoll::poll_desc;
using cove::netpoll::urgent;

/// A table for a test, retired at its end as a runtime does. It ends itself.
class table_owner {
 public:
  table_owner() : table_(new desc_table("test")) {}
  table_owner(const table_owner&) = delete;
  table_owner& operator=(const table_owner&) = delete;
  ~table_owner() { table_->retire(); }
  desc_table* operator->() const noexcept { return table_; }

 private:
  desc_table* table_;
};

/// Only counts what the table asks of it.
class counting_backend final : public cove::netpoll::backend {
 public:
  const char* name() const noexcept override { return "counting"; }
  cove::netpoll::model model() const noexcept override { return cove::netpoll::model::edge; }
  std::error_code open(poll_desc&) noexcept override { return {}; }
  bool close(poll_desc& desc) noexcept override {
    closed.push_back(desc.index);
    return true;
  }
  void poll(unsigned, task_list&) noexcept override {}
  void wait(std::int64_t, task_list&) noexcept override {}
  void wake() noexcept override {}
  bool woken() const noexcept override { return false; }
  std::size_t watched() const noexcept override { return 0; }

  std::vector<std::uint32_t> closed;
};

// ----- latching -----

TEST_CASE("what is latched stays, and adds up") {
  poll_desc desc;
  CHECK(desc.latched() == 0);
  CHECK(desc.latch(desc.generation(), peer_finished));
  CHECK(desc.latch(desc.generation(), 0));
  CHECK(desc.latched() == peer_finished);
  CHECK(desc.latch(desc.generation(), urgent | failed));
  CHECK(desc.latch(desc.generation(), peer_finished));
  CHECK(desc.latched() == (peer_finished | urgent | failed));
}

TEST_CASE("a new generation begins with nothing latched") {
  poll_desc desc;
  const std::uint32_t old = desc.generation();
  CHECK(desc.latch(old, hung_up | failed));
  desc.next_generation();
  CHECK(desc.generation() == old + 1);
  CHECK(desc.latched() == 0);
}

TEST_CASE("an event of an earlier or a later generation latches nothing") {
  poll_desc desc;
  const std::uint32_t old = desc.generation();
  desc.next_generation();
  CHECK_FALSE(desc.latch(old, failed));
  CHECK_FALSE(desc.latch(old + 2, failed));
  CHECK_FALSE(desc.latch(old, 0));
  CHECK(desc.latched() == 0);
  CHECK(desc.latch(old + 1, failed));
}

TEST_CASE("generations wrap without touching the flags") {
  poll_desc desc;
  desc.status.store(std::uint64_t{0xffff'ffff} << 32 | urgent);
  CHECK(desc.generation() == 0xffff'ffff);
  CHECK(desc.latch(0xffff'ffff, failed));
  desc.next_generation();
  CHECK(desc.generation() == 0);
  CHECK(desc.latched() == 0);
  CHECK_FALSE(desc.latch(0xffff'ffff, failed));
}

TEST_CASE("a late latch never lands in the next generation") {
  poll_desc desc;
  std::atomic<bool> over{false};
  std::atomic<std::uint32_t> shown{desc.generation()};
  std::atomic<std::uint64_t> stale{0};
  std::thread poller([&] {
    while (!over.load()) {
      const std::uint32_t generation = shown.load();
      if (!desc.latch(generation, failed)) ++stale;
    }
  });
  unsigned strays = 0;
  for (int i = 0; i < 10'000'000 && stale.load() < 1000; ++i) {
    // The poller still knows the old generation only.
    desc.next_generation();
    if (desc.latched() != 0) ++strays;
    shown.store(desc.generation());
    if (i % 64 == 0) std::this_thread::yield();
  }
  over = true;
  poller.join();
  CHECK(strays == 0);
  CHECK(stale >= 1000);
}

// ----- the table -----

TEST_CASE("a poll descriptor from the table is as new and found by its index") {
  table_owner table;
  poll_desc* desc = table->take();
  REQUIRE(desc != nullptr);
  CHECK(&table->at(desc->index) == desc);
  CHECK(table->used() == 1);
  CHECK(desc->table != nullptr);

  const std::uint32_t generation = desc->generation();
  task_ctl task;
  CHECK(desc->latch(generation, failed));
  CHECK(desc->at(direction::read).arm(task));
  CHECK(desc->at(direction::write).event() == nullptr);
  desc->ends.broken = 104;
  desc->drained_at(direction::read) = true;
  desc->ends.wrote_last = true;
  desc->kind = cove::detail::descriptor_kind::tcp;
  CHECK(desc->access.close().shut);
  CHECK_FALSE(desc->access.shut_done());
  CHECK(desc->access.let_go());
  table->recycle(*desc);
  CHECK(table->used() == 0);

  poll_desc* again = table->take();
  REQUIRE(again == desc);
  CHECK(again->generation() == generation + 1);
  CHECK(again->latched() == 0);
  CHECK_FALSE(again->latch(generation, failed));
  CHECK(again->ends.broken == 0);
  CHECK_FALSE(again->drained_at(direction::read));
  CHECK_FALSE(again->ends.wrote_last);
  CHECK_FALSE(again->is_tcp());
  CHECK_FALSE(again->access.is_closed());
  CHECK(again->access.enter(direction::read) == gate::entry::entered);
  CHECK(again->at(direction::read).event() == nullptr);
  CHECK(again->at(direction::read).is_ready());
  CHECK_FALSE(again->at(direction::write).is_ready());
  table->recycle(*again);
}

TEST_CASE("the table grows, and hands out each poll descriptor once") {
  constexpr std::size_t many = 1000;
  table_owner table;
  std::set<poll_desc*> taken;
  std::set<std::uint32_t> indices;
  for (std::size_t i = 0; i < many; ++i) {
    poll_desc* desc = table->take();
    REQUIRE(desc != nullptr);
    taken.insert(desc);
    indices.insert(desc->index);
    CHECK(&table->at(desc->index) == desc);
  }
  CHECK(taken.size() == many);
  CHECK(indices.size() == many);
  CHECK(*indices.rbegin() == many - 1);
  CHECK(table->used() == many);
  for (poll_desc* desc : taken) table->recycle(*desc);
  // No further memory is needed for as many again.
  for (std::size_t i = 0; i < many; ++i) CHECK(taken.count(table->take()) == 1);
  for (poll_desc* desc : taken) table->recycle(*desc);
  CHECK(table->used() == 0);
}

TEST_CASE("the table lives until it is retired and the last poll descriptor has come back") {
  // Nothing to look at afterwards: AddressSanitizer tells a use after the end, LeakSanitizer an end
  // that does not come.
  auto* table = new desc_table("test");
  poll_desc* first = table->take();
  poll_desc* second = table->take();
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  SUBCASE("retired last") {
    table->recycle(*first);
    table->recycle(*second);
    CHECK(table->used() == 0);
    table->retire();
  }
  SUBCASE("retired first") {
    table->retire();
    table->recycle(*second);
    CHECK(table->used() == 1);
    CHECK(&table->at(first->index) == first);
    table->recycle(*first);
  }
}

TEST_CASE("a backend is asked to stop watching as long as there is one") {
  auto* table = new desc_table("test");
  counting_backend backend;
  table->serve(backend);
  poll_desc* desc = table->take();
  REQUIRE(desc != nullptr);
  CHECK(table->unwatch(*desc));
  REQUIRE(backend.closed.size() == 1);
  CHECK(backend.closed[0] == desc->index);
  table->stop_serving();
  CHECK(table->unwatch(*desc));
  CHECK(backend.closed.size() == 1);
  table->retire();
  CHECK(table->unwatch(*desc));
  CHECK(backend.closed.size() == 1);
  table->recycle(*desc);
}

TEST_CASE("threads take and recycle poll descriptors without sharing one") {
  constexpr int thread_count = 4;
  constexpr int rounds = 5000;
  table_owner table;
  std::atomic<int> shared{0};
  const auto use = [&](std::uint32_t mark) {
    for (int i = 0; i < rounds; ++i) {
      poll_desc* one = table->take();
      poll_desc* two = table->take();
      one->fd = two->fd = static_cast<int>(mark);
      const std::uint32_t generation = one->generation();
      if (one == two || one->fd != static_cast<int>(mark)) ++shared;
      if (one->generation() != generation) ++shared;
      table->recycle(*one);
      table->recycle(*two);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t mark = 0; mark < thread_count; ++mark) threads.emplace_back(use, mark);
  for (std::thread& each : threads) each.join();
  CHECK(shared == 0);
  CHECK(table->used() == 0);
}

}  // namespace
