#include "support/stream_test.hpp"

#include <random>

// Sticky deadlines that other threads move while operations start, wait and end.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::clock;
using cove::task;
using cove::net::tcp_stream;

constexpr auto never = clock::time_point::max();

struct outcomes {
  std::atomic<int> cut_short{0};
  std::atomic<int> wrong{0};

  void add(std::error_code why) {
    if (why) ++(why == cove::errc::deadline_exceeded ? cut_short : wrong);
  }
};

/// Goes on after each failure behind what it moved.
task<> write_through(tcp_stream* to, std::string_view all, outcomes* seen) {
  while (!all.empty()) {
    const cove::io_result one = co_await to->write_all(bytes_of(all.substr(0, 50'000))).as_result();
    all.remove_prefix(one.n);
    seen->add(one.error);
  }
}
task<std::string> read_through(tcp_stream* from, std::size_t count, outcomes* seen) {
  std::string got;
  std::vector<std::byte> buffer(3000);
  while (got.size() < count) {
    const auto room = std::span(buffer).first(std::min(buffer.size(), count - got.size()));
    const cove::io_result one = co_await from->read_exact(room).as_result();
    got += text_of(room.first(one.n));
    seen->add(one.error);
  }
  co_return got;
}

}  // namespace

TEST_CASE("K11 K16 deadlines moved at random lose no byte, and show none twice") {
  cove::runtime_options options;
  options.workers = 4;
  run_test(
      []() -> task<> {
        auto [near, far] = co_await make_streams();
        near.set_send_buffer(16 * 1024);
        far.set_receive_buffer(16 * 1024);
        const std::string all = pattern(sanitized ? 1'000'000 : 4'000'000);
        std::atomic<bool> over{false};
        // tcp_stream is named in full: GCC 12 cannot capture what a binding names.
        tcp_stream* const writer = &near;
        tcp_stream* const reader = &far;
        std::thread mover([&over, writer, reader] {
          std::mt19937 random(11);
          while (!over) {
            const auto when = [&random] {
              if (random() % 4 == 0) return never;
              return clock::now() +
                     std::chrono::microseconds(static_cast<int>(random() % 120) - 20);
            };
            writer->set_write_deadline(when());
            reader->set_read_deadline(when());
          }
          writer->set_deadline(never);
          reader->set_deadline(never);
        });
        outcomes seen;
        auto writing = cove::spawn(write_through, writer, std::string_view(all), &seen);
        auto reading = cove::spawn(read_through, reader, all.size(), &seen);
        const std::string got = co_await reading;
        co_await writing;
        over = true;
        mover.join();
        CHECK((got == all));
        CHECK(seen.cut_short > 0);
        CHECK(seen.wrong == 0);
        co_await near.write_all(bytes_of("still here"));
        std::array<std::byte, 10> last;
        co_await far.read_exact(last);
        CHECK(text_of(last) == "still here");
        co_await near.close();
        co_await far.close();
        CHECK(cove::runtime::current()->stats().timers == 0);
      },
      options);
}

TEST_CASE("K10 K11 no read that waits misses its deadline, however that was moved") {
  cove::runtime_options options;
  options.workers = 2;
  options.sysmon = false;
  options.spin = false;
  run_test(
      []() -> task<> {
        auto [stream, peer] = co_await make_link();
        tcp_stream* const moved = &stream;
        std::mt19937 random(3);
        for (int i = 0; i < (sanitized ? 500 : 3000); ++i) {
          // It is moved to and fro while the read starts; the last word is a moment that comes.
          std::array<std::byte, 1> buffer{};
          auto reading = cove::spawn(read_into, moved, std::span<std::byte>(buffer));
          std::thread mover([moved, seed = random()] {
            std::mt19937 draw(static_cast<unsigned>(seed));
            const auto some = [&draw](unsigned most) { return static_cast<int>(draw() % most); };
            for (int turn = some(4); turn > 0; --turn)
              moved->set_read_deadline(some(3) == 0 ? never : clock::now() + 1h + some(3) * 50us);
            moved->set_read_deadline(clock::now() + some(4) * 30us);
          });
          const cove::io_result got = co_await reading;
          CHECK(got.error == cove::errc::deadline_exceeded);
          mover.join();
          moved->set_read_deadline(never);
        }
      },
      options);
}
