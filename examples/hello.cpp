// The smallest useful program: tasks that await one another, run beside one another, end together.
//
//     build/release/examples/hello

#include <cove/runtime.hpp>

#include <cstdio>

using namespace std::chrono_literals;

cove::task<int> square(int n) {
  co_await cove::this_task::sleep_for(10ms * n);
  co_return (n * n);
}

cove::task<> greet(const char* whom, std::chrono::milliseconds after) {
  co_await cove::this_task::sleep_for(after);
  std::printf("hello, %s\n", whom);
}

cove::task<> hello() {
  std::printf("3 squared is %d\n", co_await square(3));  // Waits for it, as a call would.

  auto later = cove::spawn(square, 5);  // Runs beside this task, on whichever worker is free.
  co_await cove::with_scope([](cove::scope& greetings) -> cove::task<> {
    greetings.spawn(greet, "moon", 20ms).detach();
    greetings.spawn(greet, "world", 10ms).detach();
    co_return;
  });  // Here both have ended; had one failed, the other would have been cancelled.
  std::printf("5 squared is %d\n", co_await later);
}

int main() { return cove::run(hello); }
