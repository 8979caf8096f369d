#include <cove/io/fs_batch.hpp>

#include "support/net_test.hpp"
#include "support/temporary_folder.hpp"

#include <sys/stat.h>

// Many calls in one hop: each has its own outcome, and what is broken off can be gone on with.

namespace {

namespace fs = cove::io::fs;
using namespace cove::test;
using namespace std::chrono_literals;
using cove::task;
using cove::io::file_status;

/// run_in() that sees descriptors, too.
template <class Body>
void run_on_files(Body body) {
  const same_descriptors outside;
  run_in(plain_options(2), body);
}

TEST_CASE("F01 a batch makes calls of all kinds, and one that fails does not stop the others") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file", "12345");
    fs::batch jobs;
    const auto size = jobs.add(fs::stat(file));
    const auto none = jobs.add(fs::remove(in / "none"));
    const auto made = jobs.add(fs::create_directories(in / "a/b"));
    const auto real = jobs.add(fs::realpath(file));
    CHECK(jobs.size() == 4);
    CHECK(jobs.made() == 0);
    CHECK(jobs[size].error() == std::errc::operation_canceled);  // Not yet.
    const std::size_t failed = co_await jobs.run();
    CHECK(failed == 1);
    CHECK(jobs.made() == 4);
    CHECK(jobs[size]->size == 5);
    CHECK(jobs[none].error() == std::errc::no_such_file_or_directory);
    CHECK(jobs[made].value());
    CHECK(jobs[real].value() == std::filesystem::canonical(file).string());
    CHECK(jobs.take(real) == std::filesystem::canonical(file).string());
    CHECK(jobs.take(size).size == 5);
    std::string told;
    try {
      jobs.take(none);
    } catch (const cove::error& failure) {
      told = failure.what();
    }
    CHECK(told.starts_with("remove \"" + in.path() + "/none\": no such file or directory"));
  });
}

TEST_CASE("a batch may be empty, grow, run again and begin anew") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fs::batch jobs;
    const std::size_t nothing = co_await jobs.run();
    CHECK(nothing == 0);
    const auto first = jobs.add(fs::mkdir(in / "a"));
    static_cast<void>(co_await jobs.run());
    const auto second = jobs.add(fs::mkdir(in / "a/b"));
    const std::size_t failed = co_await jobs.run();  // The first one is not made again.
    CHECK(failed == 0);
    CHECK(jobs[first].has_value());
    CHECK(jobs[second].has_value());
    const std::size_t again = co_await jobs.run();
    CHECK(again == 0);
    jobs.clear();
    CHECK(jobs.empty());
    CHECK(jobs.made() == 0);
  });
}

TEST_CASE("a large batch is shared by several threads, and each call is made once") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    constexpr int count = 600;
    constexpr std::array most{0U, 1U, 3U, 100U};
    for (const unsigned threads : most) {
      const std::string folder = in.folder(std::to_string(threads));
      fs::batch jobs;
      jobs.reserve(count);
      std::vector<fs::batch::ticket<void>> links;
      for (int i = 0; i < count; ++i) {
        // Each tenth is one that exists by then, or is made by then.
        const int number = i % 10 == 9 ? i - 1 : i;
        links.push_back(jobs.add(fs::symlink("x", folder + "/" + std::to_string(number))));
      }
      const std::size_t failed = co_await jobs.run(threads);
      CHECK(failed == count / 10);
      CHECK(jobs.made() == count);
      int good = 0;
      for (const auto& each : links)
        if (jobs[each]) ++good;
      CHECK(good == count - count / 10);
      CHECK(entries_of(folder.c_str()) == count - count / 10);
    }
  });
}

task<std::string> run_batch(fs::batch* jobs) {
  try {
    static_cast<void>(co_await jobs->run());
  } catch (const cove::canceled& asked) {
    CHECK(asked.transferred() == jobs->made());
    co_return asked.what();
  }
  co_return "done";
}

TEST_CASE("F11 a batch that is cancelled tells what was made, and a second run makes the rest") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    constexpr std::size_t count = 600;
    int broken_off = 0;
    for (int round = 0; round < 10; ++round) {
      const std::string folder = in.folder(std::to_string(round));
      fs::batch jobs;
      for (std::size_t i = 0; i < count; ++i)
        jobs.add(fs::symlink("x", folder + "/" + std::to_string(i)));
      auto running = cove::spawn(run_batch, &jobs);
      const auto begun = [&] { return entries_of(folder.c_str()) > 0 || running.done(); };
      if (round % 2 == 0) co_await eventually(begun);
      running.cancel();
      const auto ended = co_await running.as_result();
      CHECK(entries_of(folder.c_str()) == jobs.made());
      if (jobs.made() != count) ++broken_off;
      if (ended && jobs.made() != count)
        CHECK(ended.value() == "fs::batch of 600: operation canceled (ECANCELED)");
      const std::size_t failed = co_await jobs.run();
      CHECK(failed == 0);
      CHECK(jobs.made() == count);
      CHECK(entries_of(folder.c_str()) == count);
    }
    CHECK(broken_off > 0);
  });
}

TEST_CASE("a batch under a deadline says so, and as_result() reports it") {
  run_on_files([]() -> task<> {
    const temporary_folder in;
    fs::batch jobs;
    const auto made = jobs.add(fs::mkdir(in / "late"));
    const auto late = co_await cove::with_timeout(jobs.run(), 0ns).as_result();
    CHECK(late.error() == cove::errc::deadline_exceeded);
    CHECK(jobs.made() == 0);
    CHECK(jobs[made].error() == std::errc::operation_canceled);
    CHECK(entries_of(in.path().c_str()) == 0);
  });
}

}  // namespace
