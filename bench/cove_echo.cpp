// The server of the wire benchmarks, with the command line that all of them share:
//
//     cove_echo {port} {threads} {proto} {buf}
//
//   port     of 127.0.0.1; 0: any. The line `ready port=N` says which, once clients can connect
//   threads  workers
//   proto    echo: what comes in goes back.  http: each request without a body is answered
//   buf      bytes of a connection's own read buffer; 0: it borrows one of the runtime's while
//            there is something to read, so a connection that waits holds none
//
// COVE_BACKEND chooses the backend; where the system refuses that, status 77 and the reason.
// SIGTERM and SIGINT end it, with status 0.

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using cove::net::tcp_stream;

constexpr int status_skipped = 77;

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 13\r\n"
    "\r\n"
    "Hello, World!";

/// Finds the ends of requests without a body, wherever the reads have cut them.
class request_ends {
 public:
  /// How many requests end in `bytes`.
  std::size_t count(std::span<const std::byte> bytes) noexcept {
    std::size_t ends = 0;
    for (const std::byte each : bytes) {
      const bool wanted = static_cast<char>(each) == end[matched_];
      matched_ = wanted ? matched_ + 1 : static_cast<char>(each) == end[0] ? 1 : 0;
      if (matched_ == end.size()) {
        matched_ = 0;
        ++ends;
      }
    }
    return ends;
  }

 private:
  static constexpr std::string_view end = "\r\n\r\n";
  std::size_t matched_ = 0;
};

/// What goes back for what came in.
class http_replies {
 public:
  std::span<const std::byte> operator()(std::span<const std::byte> request) {
    const std::size_t ended = ends_.count(request);
    if (ended == 1) return cove::io::bytes_of(answer);
    many_.clear();
    for (std::size_t i = 0; i < ended; ++i) many_ += answer;
    return cove::io::bytes_of(many_);
  }

 private:
  request_ends ends_;
  std::string many_;
};

struct echo_replies {
  std::span<const std::byte> operator()(std::span<const std::byte> request) const noexcept {
    return request;
  }
};

template <class Replies>
cove::task<> converse(tcp_stream peer, std::size_t buffer_bytes) {
  Replies replies;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  const std::span room(buffer.get(), buffer_bytes);
  while (const std::size_t n = co_await peer.read_some(room))
    co_await peer.write_all(replies(room.first(n)));
}

template <class Replies>
cove::task<> converse_borrowing(tcp_stream peer) {
  Replies replies;
  for (;;) {
    const cove::io::lease request = co_await peer.receive();
    if (request.empty()) co_return;
    co_await peer.write_all(replies(request.bytes()));
  }
}

/// A session with a buffer of its own. What fails is the client's affair: it went.
template <class Replies>
class session {
 public:
  explicit session(std::size_t buffer_bytes) noexcept : buffer_bytes_(buffer_bytes) {}
  cove::task<> operator()(tcp_stream peer) const {
    return converse<Replies>(std::move(peer), buffer_bytes_);
  }

 private:
  std::size_t buffer_bytes_;
};

/// One that borrows, with nothing in it: each connection holds a copy of its session.
template <class Replies>
struct borrowing_session {
  cove::task<> operator()(tcp_stream peer) const {
    return converse_borrowing<Replies>(std::move(peer));
  }
};

template <class Replies>
cove::task<> serve(cove::net::tcp_listener listener, std::size_t buffer_bytes) {
  const session<Replies> own(buffer_bytes);
  const borrowing_session<Replies> borrowing;
  if (buffer_bytes == 0)
    co_await cove::net::serve(listener, borrowing);
  else
    co_await cove::net::serve(listener, own);
}

[[noreturn]] void usage() {
  std::fputs("usage: cove_echo {port} {threads} echo|http {read buffer, bytes; 0: borrowed}\n",
             stderr);
  std::exit(2);
}

template <class Number>
Number number(const char* text) {
  Number value{};
  const char* end = text + std::strlen(text);
  if (const auto parsed = std::from_chars(text, end, value);
      parsed.ec != std::errc{} || parsed.ptr != end)
    usage();
  return value;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) usage();
  const std::string proto = argv[3];
  const auto buffer_bytes = number<std::size_t>(argv[4]);
  if (proto != "echo" && proto != "http") usage();

  // Before any thread: all inherit the mask, so the signals wait for this one.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  cove::runtime_options options;
  options.workers = number<unsigned>(argv[2]);
  if (options.workers == 0) usage();
  cove::runtime runtime(options);
  if (const char* wanted = std::getenv("COVE_BACKEND");
      wanted != nullptr && *wanted != '\0' && runtime.backend() != wanted) {
    std::puts(runtime.stats().backend_reason.c_str());
    return status_skipped;
  }

  auto listener = cove::net::tcp_listener::bind(std::string("127.0.0.1:") + argv[1]);
  const unsigned taken = listener.local_address().port();
  const auto serve_proto = proto == "http" ? serve<http_replies> : serve<echo_replies>;
  auto serving = runtime.spawn(serve_proto, std::move(listener), buffer_bytes);
  std::printf("ready port=%u\n", taken);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&ends, &signal);
  return runtime.stop(std::chrono::seconds(10)) ? 0 : 1;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cove_echo: %s\n", failure.what());
  return 1;
}
