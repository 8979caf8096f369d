#include "support/net_test.hpp"

#include <cove/io/pipe.hpp>

#include <sys/stat.h>

// Named pipes: whoever comes first, whoever goes, and who stays.

namespace {

using namespace cove::test;
using cove::task;
using cove::io::fifo_options;
using cove::io::pipe_reader;
using cove::io::pipe_writer;

constexpr fifo_options resilient{true};
constexpr std::array<const char*, 2> two_parts{"ab", "cd"};

/// A FIFO in a folder of its own.
class fifo {
 public:
  fifo() {
    char name[] = "/tmp/cove-fifo-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    path_ = folder_ + "/fifo";
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
  }
  fifo(const fifo&) = delete;
  ~fifo() {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string folder_;
  std::string path_;
};

task<std::string> read_to_end(pipe_reader* from) {
  std::string all;
  std::array<std::byte, 100> buffer;
  while (const std::size_t n = co_await from->read_some(buffer))
    all += text_of(std::span(buffer).first(n));
  co_return all;
}

}  // namespace

TEST_CASE("P01 a FIFO's reader waits for the first writer, and ends with the last one") {
  run_test([]() -> task<> {
    const fifo at;
    for (int i = 0; i < 5; ++i) {
      pipe_reader reader = pipe_reader::open(at.path());
      auto reading = cove::spawn(read_to_end, &reader);
      co_await until_waiting("read_some");
      pipe_writer first = pipe_writer::open(at.path());
      pipe_writer second = pipe_writer::open(at.path());
      co_await first.write_all(bytes_of("ab"));
      co_await first.close();
      co_await second.write_all(bytes_of("cd"));
      CHECK_FALSE(reading.done());
      co_await second.close();
      const std::string got = co_await reading;
      CHECK(got == "abcd");
    }
  });
}

TEST_CASE("P01 a writer that comes and goes without a word ends the stream") {
  run_test([]() -> task<> {
    const fifo at;
    for (const bool waits : no_and_yes) {
      pipe_reader reader = pipe_reader::open(at.path());
      cove::join_handle<std::string> reading;
      if (waits) {
        reading = cove::spawn(read_to_end, &reader);
        co_await until_waiting("read_some");
      }
      pipe_writer::open(at.path());
      if (!waits) reading = cove::spawn(read_to_end, &reader);
      const std::string got = co_await reading;
      CHECK(got.empty());
    }
  });
}

TEST_CASE("P01 a FIFO that nobody reads cannot be opened for writing, and says why") {
  const fifo at;
  CHECK_THROWS_WITH_AS(
      pipe_writer::open(at.path()),
      ("open \"" + at.path() +
       "\": no such device or address (ENXIO); nobody has it open for reading; try again later, or "
       "open it with resilient = true")
          .c_str(),
      cove::error);
}

TEST_CASE("P02 a resilient reader outlives its writers") {
  run_test([]() -> task<> {
    const fifo at;
    pipe_reader reader = pipe_reader::open(at.path(), resilient);
    std::array<std::byte, 4> buffer;
    for (int i = 0; i < 5; ++i) {
      const auto fill = [&]() -> task<> { co_await reader.read_exact(buffer); };
      auto reading = cove::spawn(fill);
      co_await until_waiting("read_exact");
      for (const char* part : two_parts) {
        pipe_writer writer = pipe_writer::open(at.path());
        co_await writer.write_all(bytes_of(part));
        co_await writer.close();
      }
      co_await reading;
      CHECK(text_of(buffer) == "abcd");
    }
    CHECK(reader.try_read(buffer).error == std::errc::operation_would_block);
  });
}

TEST_CASE("P02 a resilient writer comes before its readers, and outlives them") {
  run_test([]() -> task<> {
    const fifo at;
    pipe_writer writer = pipe_writer::open(at.path(), resilient);
    std::array<std::byte, 2> buffer;
    for (int i = 0; i < 3; ++i) {
      co_await writer.write_all(bytes_of("ab"));
      pipe_reader reader = pipe_reader::open(at.path());
      co_await reader.read_exact(buffer);
      CHECK(text_of(buffer) == "ab");
    }
  });
}
