#pragma once

// What the network tests stand on: a runtime that must be left as clean as it was made, and peers
// that are plain sockets, so that what cove does is seen from outside.
//
//     TEST_CASE("S12 the end of the stream stays the end") {
//       run_test([]() -> task<> {
//         auto [stream, peer] = co_await make_link();
//         peer.finish();
//         ...
//       });
//     }
//
// A raw socket never blocks a worker: what has to wait is a coroutine that looks again each
// millisecond, because the kernel tells nobody about the states that tests want to see.
//
// doctest's macros are lambdas, so nothing is awaited inside of them: await first, then check.

#include "support/runtime_test.hpp"

#include "address_posix.hpp"

#include <cove/net.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace cove::test {

// ----- a runtime for one test -----

/// COVE_BACKEND and COVE_WORKERS decide, else the default and two workers.
inline runtime_options net_options() {
  runtime_options options;
  if (std::getenv("COVE_WORKERS") == nullptr) options.workers = 2;
  return options;
}

/// Descriptors this process has open.
inline std::size_t open_descriptors() { return entries_of("/proc/self/fd"); }

/// Checks at its end that the process has as many descriptors open as at its beginning.
class same_descriptors {
 public:
  same_descriptors() = default;
  same_descriptors(const same_descriptors&) = delete;
  same_descriptors& operator=(const same_descriptors&) = delete;
  ~same_descriptors() { CHECK(open_descriptors() == before_); }

 private:
  const std::size_t before_ = open_descriptors();
};

/// Asks the tasks of a test that takes too long to end, so that it fails and the others go on; ends
/// the process if that does not help. From outside, because a limit inside would change what is
/// tested: a task with a deadline reads the clock at each await.
class time_limit {
 public:
  explicit time_limit(runtime& over) : thread_([this, &over] { watch(over); }) {}
  time_limit(const time_limit&) = delete;
  time_limit& operator=(const time_limit&) = delete;
  ~time_limit() {
    {
      const std::lock_guard guard(lock_);
      done_ = true;
    }
    told_.notify_one();
    thread_.join();
  }

 private:
  void watch(runtime& over) {
    {
      std::unique_lock guard(lock_);
      if (told_.wait_for(guard, patience, [this] { return done_; })) return;
    }
    std::fprintf(stderr, "the test takes too long; its tasks:\n%s\n", over.report().c_str());
    if (!over.stop(patience)) std::abort();
  }

  std::mutex lock_;
  std::condition_variable told_;
  bool done_ = false;
  std::thread thread_;
};

/// Runs `body()`, a task<>, on a runtime of its own; checks that it leaves no task, timer,
/// descriptor of the poller or descriptor of the process behind.
template <class Body>
void run_test(Body body, runtime_options options = net_options()) {
  const same_descriptors outside;
  runtime in(std::move(options));
  const time_limit limit(in);
  const clean_end inside(in);
  in.block_on(std::move(body));
}

// ----- waiting for what tells nobody -----

/// Waits until `holds()`; fails the test if it takes absurdly long.
template <class Predicate>
task<> until(Predicate holds) {
  constexpr int looks_max = 10'000;
  for (int i = 0; i < looks_max; ++i) {
    if (holds()) co_return;
    co_await this_task::sleep_for(std::chrono::milliseconds(1));  // tidy: allow
  }
  FAIL("waited in vain for a state");
}

/// Waits until `count` tasks of this runtime stand in the operation `name`, as "read_some".
inline task<> until_waiting(std::string name, std::size_t count = 1) {
  const std::string mark = "waits for " + name + " at";
  const auto holds = [&mark, count] {
    const std::string report = runtime::current()->report();
    std::size_t found = 0;
    for (std::size_t at = report.find(mark); at != std::string::npos;
         at = report.find(mark, at + 1))
      ++found;
    return found >= count;
  };
  co_await until(holds);
}

// ----- raw sockets -----

/// What a raw socket received before it had enough, or before the connection ended.
struct received {
  std::string bytes;
  bool ended = false;  ///< The end of the stream.
  int error = 0;       ///< errno, if that ended it.
};

/// The far end of a connection: a plain, non-blocking socket.
class raw_peer {
 public:
  raw_peer() noexcept = default;
  explicit raw_peer(int fd) noexcept : fd_(fd) {}
  raw_peer(raw_peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  raw_peer& operator=(raw_peer&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~raw_peer() { close(); }

  /// A socket that is not connected yet. `receive_buffer` in bytes; 0: the system's choice.
  static raw_peer make(bool v6 = false, int receive_buffer = 0) {
    raw_peer peer(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(peer.fd_ >= 0);
    if (receive_buffer != 0) peer.set(SOL_SOCKET, SO_RCVBUF, receive_buffer);
    return peer;
  }
  /// Connects to a socket that listens here. The kernel does that without anybody accepting.
  static raw_peer connect(const net::socket_address& to, int receive_buffer = 0) {
    raw_peer peer = make(to.ip().is_v6(), receive_buffer);
    REQUIRE(peer.try_connect(to) == 0);
    return peer;
  }
  /// errno, or 0. Non-blocking from then on.
  int try_connect(const net::socket_address& to) {
    net::detail::raw_address native(to);
    const int error = ::connect(fd_, native.get(), native.length) == 0 ? 0 : errno;
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    return error;
  }

  int fd() const noexcept { return fd_; }
  void set(int level, int name, int value) {
    REQUIRE(::setsockopt(fd_, level, name, &value, sizeof value) == 0);
  }
  net::socket_address local_address() const {
    net::detail::raw_address native;
    REQUIRE(::getsockname(fd_, native.get(), &native.length) == 0);
    return *net::detail::from_native(native.storage, native.length);
  }

  /// All of `text`, which has to fit into the buffers between here and there.
  void send(std::string_view text, int flags = 0) {
    const ssize_t sent = ::send(fd_, text.data(), text.size(), flags | MSG_NOSIGNAL | MSG_DONTWAIT);
    REQUIRE(sent == static_cast<ssize_t>(text.size()));
  }
  /// All of `text`, however long that takes; false if the connection broke.
  task<bool> send_all(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        text.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        co_await this_task::sleep_for(std::chrono::milliseconds(1));  // tidy: allow
      } else {
        co_return false;
      }
    }
    co_return true;
  }
  /// `count` bytes, or what comes before the connection ends.
  task<received> receive(std::size_t count) {
    received got;
    std::vector<char> part(64 * 1024);
    while (got.bytes.size() < count) {
      const std::size_t room = std::min(part.size(), count - got.bytes.size());
      const ssize_t n = ::recv(fd_, part.data(), room, MSG_DONTWAIT);
      if (n > 0) {
        got.bytes.append(part.data(), static_cast<std::size_t>(n));
      } else if (n == 0) {
        got.ended = true;
        break;
      } else if (errno == EAGAIN) {
        co_await this_task::sleep_for(std::chrono::milliseconds(1));  // tidy: allow
      } else {
        got.error = errno;
        break;
      }
    }
    co_return got;
  }
  /// Everything up to the end of the connection.
  task<received> receive_all() { return receive(std::string::npos); }

  /// No more from here: the other end sees the end of the stream.
  void finish() { REQUIRE(::shutdown(fd_, SHUT_WR) == 0); }
  /// Resets the connection.
  void reset() {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close();
  }
  void close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

/// A plain socket that listens on a free port of 127.0.0.1.
class raw_listener {
 public:
  explicit raw_listener(int backlog = 64) : socket_(raw_peer::make()) {
    net::detail::raw_address native(net::socket_address("127.0.0.1:0"));
    REQUIRE(::bind(socket_.fd(), native.get(), native.length) == 0);
    REQUIRE(::listen(socket_.fd(), backlog) == 0);
    REQUIRE(::fcntl(socket_.fd(), F_SETFL, O_NONBLOCK) == 0);
  }
  int fd() const noexcept { return socket_.fd(); }
  net::socket_address address() const { return socket_.local_address(); }
  void close() noexcept { socket_.close(); }

  task<raw_peer> accept() {
    int fd = -1;
    const auto came = [this, &fd] {
      fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return fd >= 0;
    };
    co_await until(came);
    co_return raw_peer(fd);
  }

 private:
  raw_peer socket_;
};

/// A listener that answers nobody any more: its queue is full, so the kernel drops every further
/// request to connect.
class deaf_listener {
 public:
  deaf_listener() : listener_(0), filling_(raw_peer::connect(listener_.address())) {}
  net::socket_address address() const { return listener_.address(); }
  /// Answers again: whoever tries next, gets through.
  raw_listener& listener() noexcept { return listener_; }

 private:
  raw_listener listener_;
  raw_peer filling_;
};

/// An address of 127.0.0.1 where nobody listens, held so that nobody else can either.
class closed_port {
 public:
  closed_port() : socket_(raw_peer::make()) {
    net::detail::raw_address native(net::socket_address("127.0.0.1:0"));
    REQUIRE(::bind(socket_.fd(), native.get(), native.length) == 0);
  }
  net::socket_address address() const { return socket_.local_address(); }

 private:
  raw_peer socket_;
};

// ----- connections -----

/// A cove stream and the plain socket at its other end.
struct linked {
  linked(net::tcp_stream near, raw_peer far) : stream(std::move(near)), peer(std::move(far)) {}
  net::tcp_stream stream;
  raw_peer peer;
};

/// `receive_buffer`: of the peer, in bytes; small ones make a writer wait soon.
inline task<linked> make_link(int receive_buffer = 0) {
  auto listener = net::tcp_listener::bind("127.0.0.1:0");
  raw_peer peer = raw_peer::connect(listener.local_address(), receive_buffer);
  net::tcp_stream stream = co_await listener.accept();
  co_return linked(std::move(stream), std::move(peer));
}

/// Waits until all that the peer sent has arrived and was taken by a read.
inline task<> until_taken(const net::tcp_stream& stream, const raw_peer& peer) {
  const auto taken = [&stream, &peer] {
    int unacknowledged = -1;
    int unread = -1;
    REQUIRE(::ioctl(peer.fd(), TIOCOUTQ, &unacknowledged) == 0);
    REQUIRE(::ioctl(stream.native_handle(), FIONREAD, &unread) == 0);
    return unacknowledged == 0 && unread == 0;
  };
  co_await until(taken);
}

/// Two cove streams, connected.
struct stream_pair {
  stream_pair(net::tcp_stream a, net::tcp_stream b) : near(std::move(a)), far(std::move(b)) {}
  net::tcp_stream near;
  net::tcp_stream far;
};

inline task<stream_pair> make_streams(net::socket_address at = "127.0.0.1:0") {
  auto listener = net::tcp_listener::bind(at);
  net::tcp_stream near = co_await net::tcp_stream::connect(listener.local_address());
  net::tcp_stream far = co_await listener.accept();
  co_return stream_pair(std::move(near), std::move(far));
}

// ----- what loops go through -----

// Arrays with names: GCC 12 is wrong about braced lists beside a co_await.
inline constexpr std::array no_and_yes{false, true};

// ----- errors -----

inline bool mentions(std::string_view text, std::string_view what) noexcept {
  return text.find(what) != text.npos;
}

/// What the error says that `act()` throws.
template <class Act>
std::string refusal(Act act) {
  try {
    static_cast<void>(act());
  } catch (const error& e) {
    return e.what();
  }
  return "not refused";
}

// ----- bytes -----

inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return io::bytes_of(text);
}
inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `size` bytes, each of which tells where it belongs.
inline std::string pattern(std::size_t size, std::size_t from = 0) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = from + i;
    text[i] = static_cast<char>(at ^ (at >> 8) ^ (at >> 16));
  }
  return text;
}

/// Both directions of the link still work.
inline task<> check_link(net::tcp_stream& stream, raw_peer& peer) {
  peer.send("ping");
  std::array<std::byte, 4> buffer{};
  co_await stream.read_exact(buffer);
  CHECK(text_of(buffer) == "ping");
  co_await stream.write_all(bytes_of("pong"));
  const received answer = co_await peer.receive(4);
  CHECK(answer.bytes == "pong");
}

}  // namespace cove::test
