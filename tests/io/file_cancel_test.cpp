#include <cove/io/file.hpp>
#include <cove/io/whole_file.hpp>

#include "support/blocked_calls.hpp"
#include "support/cancel_sweep.hpp"
#include "support/net_test.hpp"
#include "support/stress.hpp"
#include "support/temporary_folder.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <random>

// Operations on files that are asked to end at each of their moments. Descriptors are counted: what
// was opened is closed, whoever had it.

namespace {

using namespace cove::test;
using cove::runtime_options;
using cove::task;
using cove::io::file;
using cove::io::open_options;

task<int> hold_one(blocked_calls* calls) {
  co_return co_await cove::blocking(cove::pool_lane::file, &blocked_calls::pass, calls, 1);
}

/// The only thread for files, kept from all others for a while.
class held_thread {
 public:
  task<> hold() {
    holder_ = cove::spawn(hold_one, &calls_);
    co_await calls_.have_begun(1);
  }
  task<> let_go() {
    calls_.release(1);
    co_await holder_;
  }

 private:
  blocked_calls calls_;
  cove::join_handle<int> holder_;
};

/// One worker, and one thread for files.
runtime_options one_file_thread() {
  runtime_options options = plain_options(1);
  options.backend = "epoll";  // With a ring no thread is needed.
  options.pool.file.threads = 1;
  options.pool.file.threads_max = 1;
  return options;
}

void run_with_one_thread(task<> (*body)(const temporary_file*)) {
  const same_descriptors around;
  const temporary_file made;
  run_in(one_file_thread(), [&made, body]() -> task<> { return body(&made); });
}

task<> are_queued(std::uint64_t count) {
  const auto enough = [count] {
    return cove::runtime::current()->stats().pool.file.queued == count;
  };
  co_await eventually(enough);
}

// ----- the table -----

struct outside {
  temporary_file made;
  std::size_t before = entries_of("/proc/self/fd");

  /// What was dropped is closed on the pool.
  task<> finish() {
    const std::size_t expected = before;
    const auto closed = [expected] { return entries_of("/proc/self/fd") == expected; };
    co_await eventually(closed);
  }
};

/// The kernel gives what these wait for, at once or later.
struct on_disk : outside, counted {
  static constexpr bool external = true;
  static bool give() { return false; }
};

struct opening : on_disk {
  task<> wait() {
    const file f = co_await file::open(made.path());
    ++got;
  }
};

struct opening_reported : on_disk {
  task<> wait() {
    const cove::result<file> opened = co_await file::open(made.path()).as_result();
    if (!opened) cove::detail::throw_error(opened.error(), "open");
    ++got;
  }
};

struct opening_and_reading : on_disk {
  task<> wait() {
    file f = co_await file::open("/proc/self/status");  // Never "without waiting".
    std::array<std::byte, 64> room;
    co_await f.read_exact(room);
    ++got;
  }
};

/// With a file that is open already, which the fixture closes.
struct with_open : on_disk {
  explicit with_open(file opened) : f(std::move(opened)) { --before; }
  file f;

  task<> finish() {
    static_cast<void>(co_await f.close());
    co_await on_disk::finish();
  }
};

template <class Fixture>
task<std::unique_ptr<Fixture>> with_file(std::string path, open_options options) {
  file opened = co_await file::open(path, options);
  auto made = std::make_unique<Fixture>(std::move(opened));
  made->path = std::move(path);
  co_return made;
}

struct writing : with_open {
  using with_open::with_open;
  static task<std::unique_ptr<writing>> make() {
    char name[] = "/tmp/cove-XXXXXX";
    const int fd = ::mkstemp(name);
    ::close(fd);
    return with_file<writing>(name, open_options{}.read().write());
  }
  ~writing() { std::filesystem::remove(path); }

  std::string path;
  std::string text = pattern(10'000);

  task<> wait() {
    const cove::io_result moved = co_await f.write_all_at(bytes_of(text), 7).as_result();
    if (moved.error) {
      CHECK(moved.n == 0);  // So little goes in one piece.
      cove::detail::throw_error(moved.error, "write");
    }
    ++got;
  }
  bool settled() const { return got == 1 && std::filesystem::file_size(path) == text.size() + 7; }
};

struct syncing : writing {
  using writing::writing;
  static task<std::unique_ptr<syncing>> make() {
    char name[] = "/tmp/cove-XXXXXX";
    const int fd = ::mkstemp(name);
    ::close(fd);
    return with_file<syncing>(name, open_options{}.read().write());
  }
  task<> wait() {
    co_await f.sync_data();
    ++got;
  }
  bool settled() const { return got == 1; }
};

/// At the cursor of a file that cannot be read without waiting.
struct reading_exactly : with_open {
  using with_open::with_open;
  static task<std::unique_ptr<reading_exactly>> make() {
    return with_file<reading_exactly>("/proc/self/status", open_options{}.read());
  }

  std::string path;
  std::string text;
  std::array<std::byte, 5> room;

  task<> wait() {
    const std::span<std::byte> rest = std::span(room).first(5 - text.size());
    const cove::io_result moved = co_await f.read_exact(rest).as_result();
    text += text_of(rest.first(moved.n));
    if (moved.error) cove::detail::throw_error(moved.error, "read");
    ++got;
  }
  bool settled() const { return got == 1 && text == "Name:"; }
};

struct reading_whole : on_disk {
  task<> wait() {
    const std::string text = co_await cove::io::read_whole("/proc/self/status");
    if (text.starts_with("Name:")) ++got;
  }
};

constexpr sweep_line waits[] = {
    line_of<opening>("open"),
    line_of<opening_reported>("open, as_result"),
    line_of<opening_and_reading>("open and read_exact"),
    line_of<writing>("write_all_at"),
    line_of<syncing>("sync_data"),
    line_of<reading_exactly>("read_exact"),
    line_of<reading_whole>("read_whole"),
};

// ----- storms -----

task<> open_until(const std::string* path, std::uint64_t seed, int rounds, std::size_t* opened) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < rounds; ++i) {
    const std::chrono::nanoseconds limit(random() % 60'000);
    auto opening = file::open(*path);
    const cove::result<file> f = co_await cove::with_timeout(std::move(opening).as_result(), limit);
    if (f) ++*opened;
  }
}

task<> open_and_cancel(const std::string* path, std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  const auto open_one = [](const std::string* name) -> task<> {
    const file f = co_await file::open(*name);
    static_cast<void>(f);
  };
  for (int i = 0; i < rounds; ++i) {
    auto opening = cove::spawn(open_one, path);
    for (std::uint64_t turns = random() % 8; turns != 0; --turns) co_await cove::this_task::yield();
    opening.cancel();
    static_cast<void>(co_await opening.as_result());
  }
}

}  // namespace

TEST_CASE("F12 C09 every operation on a file, asked to end at each of its moments") {
  const same_descriptors around;
  sweep(waits, plain_options());
}

TEST_CASE("F12 C09 every operation on a file, asked to end by others and by timers") {
  const same_descriptors around;
  constexpr int rounds = sanitized ? 30 : 100;
  race_against(waits, plain_options(), stress_seed(), rounds);
}

TEST_CASE("F12 opens cancelled at random moments leave no descriptor") {
  const same_descriptors around;
  const temporary_file made;
  const std::uint64_t seed = stress_seed();
  runtime_options options = net_options();
  options.workers = 4;
  run_in(options, [&made, seed]() -> task<> {
    return [](const std::string* path, std::uint64_t random) -> task<> {
      const int rounds = static_cast<int>(stress_rounds(sanitized ? 100 : 1000));
      std::array<std::size_t, 8> opened{};
      std::vector<cove::join_handle<>> storm;
      for (std::size_t i = 0; i < opened.size(); ++i) {
        storm.push_back(cove::spawn(open_until, path, random + i, rounds, &opened[i]));
        storm.push_back(cove::spawn(open_and_cancel, path, random + 100 + i, rounds));
      }
      for (auto& each : storm) co_await each;
    }(&made.path(), seed);
  });
}

TEST_CASE("F11 F12 what waits for a thread is taken back and never done") {
  run_with_one_thread([](const temporary_file* in) -> task<> {
    file f = co_await file::open(in->path(), open_options{}.write());
    held_thread only;
    co_await only.hold();
    const auto write = [](file* to) -> task<> { co_await to->write_all_at(bytes_of("never"), 0); };
    const auto make = [](std::string path) -> task<> {
      const file g = co_await file::open(path, open_options{}.write().create().exclusive());
      static_cast<void>(g);
    };
    const std::string other = in->path() + ".other";
    auto writing = cove::spawn(write, &f);
    auto making = cove::spawn(make, other);
    co_await are_queued(2);
    writing.cancel();
    making.cancel();
    const auto written = co_await writing.as_result();
    const auto opened = co_await making.as_result();
    CHECK(written.error() == std::errc::operation_canceled);
    CHECK(opened.error() == std::errc::operation_canceled);
    co_await only.let_go();
    CHECK(contents_of(in->path()).empty());
    CHECK(!std::filesystem::exists(other));
  });
}

TEST_CASE("F12 a limit ends what waits for a thread, and a request before the start all the rest") {
  run_with_one_thread([](const temporary_file* in) -> task<> {
    file f = co_await file::open(in->path(), open_options{}.write());
    held_thread only;
    co_await only.hold();
    auto late = f.write_all_at(bytes_of("never"), 0);
    const auto ended =
        co_await cove::with_timeout(std::move(late).as_result(), std::chrono::milliseconds(1));
    CHECK(ended.error == cove::errc::deadline_exceeded);
    CHECK(ended.n == 0);
    co_await only.let_go();
    auto passed = f.write_all_at(bytes_of("never"), 0);
    const auto before =
        co_await cove::with_timeout(std::move(passed).as_result(), std::chrono::milliseconds(-1));
    CHECK(before.error == cove::errc::deadline_exceeded);
    const std::error_code closed = co_await f.close();
    CHECK(!closed);
    auto shut = f.write_all_at(bytes_of("never"), 0);
    const auto first =
        co_await cove::with_timeout(std::move(shut).as_result(), std::chrono::milliseconds(-1));
    CHECK(first.error == cove::errc::closed);  // Before the deadline.
    CHECK(contents_of(in->path()).empty());
  });
}

TEST_CASE("F12 a close waits for a thread although its task was asked to end") {
  run_with_one_thread([](const temporary_file* in) -> task<> {
    file f = co_await file::open(in->path());
    held_thread only;
    co_await only.hold();
    const auto close = [](file* which) -> task<bool> {
      const std::error_code said = co_await which->close();
      co_return !said && cove::this_task::stop_requested();
    };
    auto closing = cove::spawn(close, &f);
    co_await are_queued(1);
    closing.cancel();
    co_await settle();
    CHECK(!closing.done());
    co_await only.let_go();
    const bool closed = co_await closing;
    CHECK(closed);
  });
}

constexpr std::array some_turns{0, 1, 3, 10, 100};

TEST_CASE("F12 a long write stops after a part and says how much it was") {
  const same_descriptors around;
  const temporary_file made;
  run_in(net_options(), [&made]() -> task<> {
    return [](const temporary_file* in) -> task<> {
      const std::string text = pattern(std::size_t{48} << 20);
      const auto write = [](file* to, const std::string* what) -> task<cove::io_result> {
        co_return co_await to->write_all_at(bytes_of(*what), 0).as_result();
      };
      for (int turns : some_turns) {
        file f = co_await file::open(in->path(), open_options{}.write().truncate());
        auto writing = cove::spawn(write, &f, &text);
        for (; turns != 0; --turns) co_await cove::this_task::yield();
        writing.cancel();
        const cove::result<cove::io_result> ended = co_await writing.as_result();
        // Asked to end before it began, it did not.
        const cove::io_result moved = ended.value_or(cove::io_result{0, ended.error()});
        CHECK((moved.n == text.size() || moved.error == std::errc::operation_canceled));
        CHECK(std::filesystem::file_size(in->path()) == moved.n);
      }
    }(&made);
  });
}
