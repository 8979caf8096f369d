#include "sched/global_queue.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace {

using cove::detail::task_ctl;
using cove::sched::global_queue;
using cove::sched::task_batch;

/// A queue, and tasks with numbers in it.
class fixture {
 public:
  ~fixture() { free_emptied(); }

  void push_one(int number) { queue.push(make(number)); }
  void push_batch(int from, int count) {
    std::unique_ptr<task_batch> batch = task_batch::make();
    for (int i = 0; i < count; ++i) batch->tasks[batch->end++] = &make(from + i);
    queue.push(std::move(batch));
  }
  /// The numbers of what was taken, in order.
  std::vector<int> take(std::size_t most) {
    std::vector<int> rest;
    const auto keep = [&rest](task_ctl& task) { rest.push_back(static_cast<int>(task.id)); };
    const task_ctl* first = queue.take(most, emptied, keep);
    if (first != nullptr) rest.insert(rest.begin(), static_cast<int>(first->id));
    return rest;
  }
  /// How many batches were emptied since the last call.
  int free_emptied() {
    int count = 0;
    for (; emptied != nullptr; ++count) delete std::exchange(emptied, emptied->next);
    return count;
  }

  global_queue queue;
  task_batch* emptied = nullptr;

 private:
  task_ctl& make(int number) {
    task_ctl& task = tasks_.emplace_back();
    task.id = static_cast<std::uint64_t>(number);
    return task;
  }
  std::deque<task_ctl> tasks_;
};

using numbers = std::vector<int>;

TEST_CASE("an empty queue gives nothing") {
  fixture f;
  CHECK(f.queue.empty());
  CHECK(f.take(10).empty());
  CHECK(f.queue.empty());
}

TEST_CASE("what came alone is taken in its order, as much as was asked for") {
  fixture f;
  for (int i = 1; i <= 5; ++i) f.push_one(i);
  CHECK(f.queue.size() == 5);
  CHECK(f.take(2) == numbers{1, 2});
  CHECK(f.queue.size() == 3);
  CHECK(f.take(10) == numbers{3, 4, 5});
  CHECK(f.queue.empty());
}

TEST_CASE("batches are taken in their order, also in parts") {
  fixture f;
  f.push_batch(1, 3);
  f.push_batch(4, 3);
  CHECK(f.queue.size() == 6);
  CHECK(f.take(2) == numbers{1, 2});
  CHECK(f.free_emptied() == 0);
  CHECK(f.take(2) == numbers{3, 4});
  CHECK(f.free_emptied() == 1);
  CHECK(f.take(2) == numbers{5, 6});
  CHECK(f.free_emptied() == 1);
  CHECK(f.queue.empty());
  f.push_batch(7, 1);
  CHECK(f.take(1) == numbers{7});
}

TEST_CASE("neither kind starves the other") {
  fixture f;
  f.push_batch(100, 50);
  for (int i = 0; i < 50; ++i) f.push_one(i);
  bool saw_batch = false;
  bool saw_single = false;
  for (int i = 0; i < 2; ++i) {
    const numbers taken = f.take(4);
    CHECK(taken.size() == 4);
    for (const int each : taken) (each >= 100 ? saw_batch : saw_single) = true;
  }
  CHECK(saw_batch);
  CHECK(saw_single);
  CHECK(f.queue.size() == 92);
  CHECK(f.take(1000).size() == 92);
  CHECK(f.free_emptied() == 1);
}

TEST_CASE("a whole ring's half fits into a batch") {
  fixture f;
  f.push_batch(0, task_batch::capacity);
  CHECK(f.take(1000).size() == task_batch::capacity);
}

}  // namespace
