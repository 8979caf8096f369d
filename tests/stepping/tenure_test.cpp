#include "sched/tenure.hpp"

#include <doctest/doctest.h>

// The tenure of a processor: whoever holds it is alone with it, although the worker pays for that
// with a fence which is none; or, where the system has no such fence, with a slow way in.

namespace cove::sched {

class processor {
 public:
  stepping::plain<int> queue{0};
};

}  // namespace cove::sched

namespace {

using cove::sched::processor;
using stepping::execution;
using stepping::require;
using stepping::walk;

/// `There`: the system has it.
template <bool There>
struct stepped_fence {
  static bool available() noexcept { return There; }
  static void light() noexcept {
    if (There) stepping::light_fence();
  }
  [[nodiscard]] static bool heavy() noexcept {
    if (There) stepping::heavy_fence();
    return There;
  }
};

/// A worker with its processor, in user code.
template <bool There>
struct worker {
  cove::sched::basic_tenure<stepped_fence<There>> tenure;
  processor own;
  processor* p = &own;  ///< machine::p

  worker() { tenure.leave(0); }

  /// An entry into the runtime and back, with another one inside of it.
  void enter() {
    const std::uint8_t before = tenure.enter();
    use();
    const std::uint8_t inner = tenure.enter();
    use();
    tenure.leave(inner);
    use();
    tenure.leave(before);
  }
  void use() {
    if (p != nullptr) p->queue.set(p->queue.get() + 1);
  }
  bool take() {
    if (!tenure.take(p, own, [] {})) return false;
    own.queue.set(-1);  // Whoever has it from here on.
    return true;
  }
};

TEST_CASE_TEMPLATE("a processor that is taken is used by nobody else", worker_type, worker<true>,
                   worker<false>) {
  const auto found = walk({.departures = 4}, [](execution& e) {
    worker_type w;
    e.thread([&] {
      w.enter();
      w.enter();
    });
    e.thread([&] { w.take(); });
    e.run();
    require((w.p == nullptr) == (w.own.queue.get() == -1), "it was taken by halves");
  });
  CHECK(found.failure == "");
}

TEST_CASE("who sees a worker outside sees what it wrote before it left") {
  const auto found = walk({}, [](execution& e) {
    cove::sched::basic_tenure<stepped_fence<true>> tenure;
    stepping::plain<int> said{0};
    e.thread([&] {
      said.set(1);
      tenure.leave(0);
    });
    e.thread([&] {
      if (!tenure.inside()) require(said.get() == 1, "it has not said it yet");
    });
    e.run();
  });
  CHECK(found.failure == "");
}

TEST_CASE_TEMPLATE("a processor is taken once, and a worker that is inside keeps it", worker_type,
                   worker<true>, worker<false>) {
  const auto found = walk({.departures = 2}, [](execution& e) {
    worker_type w;
    int taken = 0;
    e.thread([&] {
      const std::uint8_t before = w.tenure.enter();
      processor* const mine = w.p;
      w.use();
      require(w.p == mine, "it was taken from inside");
      w.tenure.leave(before);
    });
    e.thread([&] { taken += w.take(); });
    e.thread([&] { taken += w.take(); });
    e.run();
    require(taken == (w.p == nullptr ? 1 : 0), "it was taken twice");
  });
  CHECK(found.failure == "");
}

}  // namespace
