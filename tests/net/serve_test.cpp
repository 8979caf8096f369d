#include "support/net_test.hpp"

#include <regex>

// What serving says in the log.

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_listener;
using cove::net::tcp_stream;

/// What is written to standard error meanwhile.
class captured_errors {
 public:
  captured_errors() : file_(std::tmpfile()), before_(::dup(2)) {
    REQUIRE(file_ != nullptr);
    REQUIRE(::dup2(::fileno(file_), 2) == 2);
  }
  captured_errors(const captured_errors&) = delete;
  captured_errors& operator=(const captured_errors&) = delete;
  ~captured_errors() { end(); }

  /// Standard error is what it was again.
  std::string end() {
    if (before_ < 0) return {};
    ::dup2(before_, 2);
    ::close(std::exchange(before_, -1));
    std::string text(4096, '\0');
    REQUIRE(std::fseek(file_, 0, SEEK_SET) == 0);
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    std::fclose(file_);
    return text;
  }

 private:
  std::FILE* file_;
  int before_;
};

/// Of how many sessions the lines speak.
int sessions_in(const std::string& lines) {
  int count = 0;
  for (std::smatch found; const std::string& pattern :
                          {std::string("session [0-9]+ .*failed"), std::string("so did ([0-9]+)"),
                           std::string("([0-9]+) more sessions? failed")}) {
    const std::regex wanted(pattern);
    for (std::string rest = lines; std::regex_search(rest, found, wanted); rest = found.suffix())
      count += found.size() > 1 ? std::stoi(found[1]) : 1;
  }
  return count;
}

}  // namespace

TEST_CASE("serve has told of every session whose peer broke the connection when it ends") {
  constexpr int broken = 20;
  captured_errors errors;
  run_test([]() -> task<> {
    std::atomic<int> ended{0};
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const auto session = [&ended](tcp_stream peer) -> task<> {
      struct counted {
        std::atomic<int>& count;
        ~counted() { ++count; }
      } const count{ended};
      std::array<std::byte, 8> buffer;
      while (co_await peer.read_some(buffer) != 0) {
      }
    };
    auto serving = cove::spawn([&] { return cove::net::serve(listener, session); });
    for (int i = 0; i < broken; ++i) {
      raw_peer peer = raw_peer::connect(listener.local_address());
      peer.send("x");
      peer.reset();
    }
    co_await until([&ended] { return ended == broken; });
    const std::error_code closed = co_await listener.close();
    CHECK_FALSE(closed);
    co_await serving;
  });
  const std::string lines = errors.end();
  CAPTURE(lines);
  CHECK(sessions_in(lines) == broken);
  CHECK(lines.find(" more sessions failed") != std::string::npos);
}

TEST_CASE("serve says nothing at its end where nothing is left to be said") {
  captured_errors errors;
  run_test([]() -> task<> {
    auto listener = tcp_listener::bind("127.0.0.1:0");
    const auto session = [](tcp_stream) -> task<> { co_return; };
    auto serving = cove::spawn([&] { return cove::net::serve(listener, session); });
    const std::error_code closed = co_await listener.close();
    CHECK_FALSE(closed);
    co_await serving;
  });
  CHECK(errors.end().empty());
}
