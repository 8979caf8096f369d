#include <cove/io/any_stream.hpp>

#include "support/stream_test.hpp"

#include <new>

// The rules of a stream: one reader and one writer at a time, what an exact read reports, what a
// task may do to its own stream, and that using one costs no memory.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;
using cove::io::any_stream;
using cove::io::const_buffer;
using cove::io::mutable_buffer;
using cove::net::tcp_stream;

std::atomic<std::size_t> allocations{0};

}  // namespace

// For S26. Weak, so that another test of the same binary may count too; the test then says that it
// cannot.
[[gnu::weak]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::weak]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::weak]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// Writes `count` blocks of one letter, each in one write; asks again while others write.
task<> write_blocks(tcp_stream* stream, char letter, std::size_t size, int count) {
  const std::string block(size, letter);
  while (count > 0) {
    const auto written = co_await stream->write_all(bytes_of(block)).as_result();
    if (!written.error)
      --count;
    else if (written.error != cove::errc::operation_in_progress || written.n != 0)
      FAIL("refused otherwise than as a second writer");
    else
      co_await cove::this_task::yield();
  }
}

/// Sends messages to and fro, in every way there is to receive one. Gives what the second half of
/// the rounds allocated.
task<std::size_t> exchange(tcp_stream& near, tcp_stream& far, int rounds) {
  std::size_t at_half = 0;
  const std::array<const_buffer, 2> parts{const_buffer("ab"), const_buffer("cd")};
  std::array<std::byte, 4> buffer;
  const std::array<mutable_buffer, 1> places{mutable_buffer(std::span<std::byte>(buffer))};
  for (int i = 0; i < rounds; ++i) {
    if (i == rounds / 2) at_half = allocations;
    co_await near.write_all(parts);
    co_await far.read_exact(buffer);
    co_await far.write_some(buffer);
    const std::size_t n = co_await near.read_some(buffer);
    REQUIRE(n == 4);
    co_await far.write_all(buffer);
    const std::size_t m = co_await near.read_some(places);
    REQUIRE(m == 4);
    co_await near.write_all(buffer);
    const cove::io::lease lent = co_await far.receive();
    REQUIRE(text_of(lent.bytes()) == "abcd");
  }
  co_return allocations - at_half;
}

/// The same for streams whose type is not known.
task<std::size_t> exchange_any(any_stream& near, any_stream& far, int rounds) {
  std::size_t at_half = 0;
  std::array<std::byte, 4> buffer{};
  for (int i = 0; i < rounds; ++i) {
    if (i == rounds / 2) at_half = allocations;
    co_await near.write_all(buffer);
    const std::size_t n = co_await far.read_some(buffer);
    REQUIRE(n == 4);
    co_await far.write_some(buffer);
    const std::size_t m = co_await near.read_some(buffer);
    REQUIRE(m == 4);
  }
  co_return allocations - at_half;
}

/// False, and says so, where another operator new is in this binary.
bool allocations_are_counted() {
  const std::size_t before = allocations;
  ::operator delete(::operator new(1));
  if (allocations != before) return true;
  MESSAGE("not counted: this binary has another operator new");
  return false;
}

}  // namespace

TEST_CASE("S15 a session closes its own stream right after a read, and goes on") {
  run_test([]() -> task<> {
    std::atomic<int> after{0};
    const auto session = [&after](tcp_stream stream) -> task<> {
      std::array<std::byte, 8> buffer;
      const std::size_t n = co_await stream.read_some(buffer);
      CHECK(n == 3);
      const std::error_code ended = co_await stream.close();
      CHECK_FALSE(ended);
      const auto more = co_await stream.read_some(buffer).as_result();
      CHECK(more.error == cove::errc::closed);
      ++after;
    };
    for (int i = 0; i < 20; ++i) {
      auto [stream, peer] = co_await make_link();
      auto running = cove::spawn(session, std::move(stream));
      peer.send("abc");
      const received got = co_await peer.receive_all();
      CHECK(got.ended);
      co_await running;
    }
    CHECK(after == 20);
  });
}

TEST_CASE("S15 a reader that closes or drops the stream ends the writer beside it") {
  run_test([]() -> task<> {
    for (const bool drops : no_and_yes) {
      auto [stream, peer] = co_await make_narrow_link();
      auto shared = std::make_unique<tcp_stream>(std::move(stream));
      const std::string all = pattern(4'000'000);
      auto writing = cove::spawn(write_whole, shared.get(), all);
      co_await until_waiting("write_all");
      peer.send("stop");
      std::array<std::byte, 4> buffer;
      co_await shared->read_exact(buffer);
      if (drops)
        shared.reset();
      else
        co_await shared->close();
      const cove::io_result written = co_await writing;
      CHECK(written.error == cove::errc::closed);
      CHECK(written.n < all.size());
    }
  });
}

TEST_CASE("S17 urgent data leaves the ordinary bytes as they are") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    for (int i = 0; i < 20; ++i) {
      std::array<std::byte, 8> buffer;
      // Before the read, and while it waits.
      if (i % 2 == 0) peer.send("ab");
      auto reading = cove::spawn(fill, &stream, std::span<std::byte>(buffer));
      co_await until_waiting("read_exact");
      if (i % 2 != 0) peer.send("ab");
      peer.send("!", MSG_OOB);
      peer.send("cdefgh");
      const cove::io_result got = co_await reading;
      CHECK_FALSE(got.error);
      CHECK(text_of(buffer) == "abcdefgh");
    }
  });
}

TEST_CASE("S17 a reader that is woken by urgent data alone goes on waiting, without spinning") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> buffer;
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(buffer));
    co_await until_waiting("read_some");
    peer.send("!", MSG_OOB);
    const std::uint64_t runs = cove::runtime::current()->stats().task_runs;
    for (int i = 0; i < 10; ++i) co_await cove::this_task::sleep_for(1ms);  // tidy: allow
    CHECK(cove::runtime::current()->stats().task_runs - runs < 100);
    CHECK_FALSE(reading.done());
    peer.send("in band");
    const cove::io_result got = co_await reading;
    CHECK(text_of(std::span(buffer).first(got.n)) == "in band");
  });
}

TEST_CASE("S19 a second reader is refused at once and does not disturb the first") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    std::array<std::byte, 8> first{};
    std::array<std::byte, 8> second{};
    auto reading = cove::spawn(read_into, &stream, std::span<std::byte>(first));
    co_await until_waiting("read_some");
    const auto refused = co_await stream.read_some(second).as_result();
    CHECK(refused.error == cove::errc::operation_in_progress);
    CHECK(refused.error == std::errc::operation_in_progress);
    const auto peeking = co_await stream.peek(second).as_result();
    CHECK(peeking.error == cove::errc::operation_in_progress);
    const auto borrowing = co_await stream.receive().as_result();
    CHECK(borrowing.error() == cove::errc::operation_in_progress);
    CHECK(stream.try_read(second).error == cove::errc::operation_in_progress);
    // Writing is another direction.
    co_await stream.write_all(bytes_of("out"));
    const received out = co_await peer.receive(3);
    CHECK(out.bytes == "out");
    CHECK_FALSE(reading.done());
    peer.send("in");
    const cove::io_result got = co_await reading;
    CHECK(text_of(std::span(first).first(got.n)) == "in");
    CHECK(second == std::array<std::byte, 8>{});
  });
}

TEST_CASE("S19 a second writer is refused at once and does not disturb the first") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    const std::string all = pattern(2'000'000);
    auto writing = cove::spawn(write_whole, &stream, all);
    co_await until_waiting("write_all");
    const auto refused = co_await stream.write_some(bytes_of("no")).as_result();
    CHECK(refused.error == cove::errc::operation_in_progress);
    CHECK(refused.n == 0);
    CHECK(stream.try_write(bytes_of("no")).error == cove::errc::operation_in_progress);
    // Reading is another direction.
    peer.send("in");
    std::array<std::byte, 2> buffer;
    co_await stream.read_exact(buffer);
    const received got = co_await peer.receive(all.size());
    CHECK((got.bytes == all));
    const cove::io_result written = co_await writing;
    CHECK_FALSE(written.error);
  });
}

TEST_CASE("S20 of several writers each one's bytes arrive in one piece") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_narrow_link();
    constexpr std::size_t size = 50'000;
    constexpr int count = 5;
    std::vector<cove::join_handle<>> writers;
    for (const char letter : std::string_view("abc"))
      writers.push_back(cove::spawn(write_blocks, &stream, letter, size, count));
    const received got = co_await peer.receive(3 * count * size);
    for (auto& each : writers) co_await each;
    REQUIRE(got.bytes.size() == 3 * count * size);
    for (std::size_t at = 0; at < got.bytes.size(); at += size) {
      const std::string_view block = std::string_view(got.bytes).substr(at, size);
      CHECK(block.find_first_not_of(block.front()) == std::string_view::npos);
    }
  });
}

TEST_CASE("S23 an exact read puts the pieces together") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    const std::string all = pattern(100);
    std::vector<std::byte> buffer(all.size());
    auto reading = cove::spawn(fill, &stream, std::span(buffer));
    for (std::size_t at = 0; at < all.size(); at += 25) {
      co_await until_waiting("read_exact");
      CHECK_FALSE(reading.done());
      peer.send(std::string_view(all).substr(at, 25));
    }
    const cove::io_result got = co_await reading;
    CHECK(got.n == all.size());
    CHECK_FALSE(got.error);
    CHECK((text_of(buffer) == all));
    // What comes behind it is left for the next read.
    peer.send("12345");
    co_await stream.read_exact(std::span(buffer).first(2));
    co_await stream.read_exact(std::span(buffer).subspan(2, 3));
    CHECK(text_of(std::span(buffer).first(5)) == "12345");
  });
}

TEST_CASE("S23 an end inside an exact read, or before it, is unexpected") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    peer.send("abc");
    peer.finish();
    std::array<std::byte, 5> buffer;
    const auto part = co_await stream.read_exact(buffer).as_result();
    CHECK(part.error == cove::errc::unexpected_end);
    CHECK(part.n == 3);
    CHECK(text_of(std::span(buffer).first(3)) == "abc");
    const auto nothing = co_await stream.read_exact(buffer).as_result();
    CHECK(nothing.error == cove::errc::unexpected_end);
    CHECK(nothing.n == 0);
    std::size_t moved = 99;
    try {
      co_await stream.read_exact(buffer);
    } catch (const cove::io_error& failure) {
      moved = failure.transferred();
      CHECK(failure.code() == cove::errc::unexpected_end);
    }
    CHECK(moved == 0);
  });
}

TEST_CASE("S25 buffer sizes that were set can be read back, and nonsense is refused") {
  run_test([]() -> task<> {
    auto [stream, peer] = co_await make_link();
    // Linux keeps twice what it was asked for, for its own bookkeeping.
    stream.set_receive_buffer(20'000);
    CHECK(stream.receive_buffer() == 40'000);
    stream.set_send_buffer(30'000);
    CHECK(stream.send_buffer() == 60'000);
    constexpr std::array refused{0U, 0x4000'0000U, 0xffff'ffffU};
    for (const unsigned bytes : refused) {
      std::string said;
      try {
        stream.set_send_buffer(bytes);
      } catch (const cove::error& failure) {
        CHECK(failure.code() == std::errc::invalid_argument);
        said = failure.what();
      }
      CHECK(said.find(std::to_string(bytes)) != std::string::npos);
    }
    CHECK(stream.send_buffer() == 60'000);
    co_await check_link(stream, peer);
  });
}

TEST_CASE("S26 reading and writing allocates nothing once it is under way") {
  if (!allocations_are_counted()) return;
  run_test([]() -> task<> {
    auto [near, far] = co_await make_streams();
    // Of 1600 operations; a worker thread that starts only now may take a few for itself.
    const std::size_t made = co_await exchange(near, far, 400);
    CHECK(made < 20);
    any_stream any_near(std::move(near));
    any_stream any_far(std::move(far));
    const std::size_t made_erased = co_await exchange_any(any_near, any_far, 400);
    CHECK(made_erased < 20);
  });
}

/// A read and a write of a user's own, on the system's descriptor.
task<> read_by_hand(tcp_stream* stream, std::string* got, std::size_t size) {
  std::array<char, 4096> part;
  while (got->size() < size) {
    const auto take = [&](int fd) { return ::recv(fd, part.data(), part.size(), MSG_DONTWAIT); };
    const ssize_t n = stream->with_native_handle(take);
    if (n > 0)
      got->append(part.data(), static_cast<std::size_t>(n));
    else
      co_await stream->wait_readable();
  }
}

task<> write_by_hand(tcp_stream* stream, const std::string* all) {
  for (std::size_t sent = 0; sent < all->size();) {
    const auto give = [&](int fd) {
      return ::send(fd, all->data() + sent, all->size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    };
    const ssize_t n = stream->with_native_handle(give);
    if (n > 0)
      sent += static_cast<std::size_t>(n);
    else
      co_await stream->wait_writable();
  }
}

TEST_CASE("K22 reads and writes of one's own wait as the library's do") {
  run_test([]() -> task<> {
    auto [near, far] = co_await make_streams();
    near.set_send_buffer(8192);
    const std::string all = pattern(2'000'000);
    std::string got;
    auto writing = cove::spawn(write_by_hand, &near, &all);
    co_await until_waiting("wait_writable");
    co_await read_by_hand(&far, &got, all.size());
    co_await writing;
    CHECK((got == all));
  });
}

task<std::error_code> close_it(tcp_stream* stream) { co_return co_await stream->close(); }

TEST_CASE("K22 the system's descriptor stays open while it is used, and is refused once closed") {
  run_test([]() -> task<> {
    for (int round = 0; round < 2; ++round) {
      const bool awaited = round != 0;
      auto [stream, peer] = co_await make_link();
      if (awaited) co_await check_link(stream, peer);
      std::atomic<bool> entered{false};
      std::atomic<bool> leaves{false};
      bool stayed_open = false;
      std::thread user([&] {
        stayed_open = stream.with_native_handle([&](int fd) {
          entered = true;
          thread_waits_for([&] { return leaves.load(); });
          return ::fcntl(fd, F_GETFD) != -1;
        });
      });
      co_await eventually([&] { return entered.load(); });
      auto closing = cove::spawn(close_it, &stream);
      if (awaited) co_await until_waiting("close");
      leaves = true;
      const std::error_code said = co_await closing;
      user.join();
      CHECK_FALSE(said);
      CHECK(stayed_open);
      CHECK_THROWS_WITH(stream.with_native_handle([](int fd) { return fd; }),
                        "with_native_handle: closed on this side");
    }
  });
}

TEST_CASE("receive lends what came, and the lease outlives its stream") {
  run_test([]() -> task<> {
    cove::io::lease kept;
    {
      auto [stream, peer] = co_await make_link();
      const auto borrow = [](tcp_stream* from) -> task<cove::io::lease> {
        co_return co_await from->receive();
      };
      auto borrowing = cove::spawn(borrow, &stream);
      co_await until_waiting("receive");
      peer.send("first");
      const cove::io::lease first = co_await borrowing;
      CHECK(text_of(first.bytes()) == "first");
      peer.send("second");
      kept = co_await stream.receive();
      CHECK(text_of(first.bytes()) == "first");
      peer.finish();
      const cove::io::lease end = co_await stream.receive();
      CHECK(end.empty());
    }
    CHECK(text_of(kept.bytes()) == "second");
  });
}
