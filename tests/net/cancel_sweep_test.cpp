#include "support/cancel_sweep.hpp"

#include "support/stream_test.hpp"
#include "support/stress.hpp"

#include <cove/io/signal_set.hpp>

#include <algorithm>
#include <csignal>

// The table of all waits on sockets, and on signals. To add one, write a fixture and a line; what a
// fixture is stands at the head of support/cancel_sweep.hpp.

namespace {

using namespace cove::test;
using cove::task;
using cove::net::tcp_stream;

/// Throws what `op` reports, when what it had moved has been counted.
void pass_on(std::error_code error) {
  if (error) cove::detail::throw_error(error, "transfer");
}

// ----- reading -----

/// A peer that sends eight bytes in two parts.
struct reading {
  static constexpr bool external = true;
  static constexpr std::string_view all = "firstend";

  explicit reading(linked made) : link(std::move(made)) {}

  linked link;
  std::string got;
  std::size_t sent = 0;

  std::span<std::byte> room() { return std::span(buffer).first(all.size() - got.size()); }
  void keep(std::size_t count) { got += text_of(std::span(buffer).first(count)); }
  bool give() {
    constexpr std::size_t part = all.size() / 2;
    link.peer.send(all.substr(sent, part));
    sent += part;
    return sent < all.size();
  }
  bool settled() {
    const cove::io_result more = link.stream.try_read(buffer);
    return got == all && more.n == 0 && more.error == std::errc::operation_would_block;
  }

  std::array<std::byte, 16> buffer{};
};

template <class Fixture>
task<std::unique_ptr<Fixture>> on_link() {
  linked made = co_await make_link();
  co_return std::make_unique<Fixture>(std::move(made));
}

struct read_some : reading {
  using reading::reading;
  static auto make() { return on_link<read_some>(); }
  task<> wait() {
    while (got.size() < all.size()) {
      const std::size_t count = co_await link.stream.read_some(room());
      keep(count);
    }
  }
};

struct read_exact : reading {
  using reading::reading;
  static auto make() { return on_link<read_exact>(); }
  task<> wait() {
    const cove::io_result moved = co_await link.stream.read_exact(room()).as_result();
    keep(moved.n);
    pass_on(moved.error);
  }
};

struct read_vectored : reading {
  using reading::reading;
  static auto make() { return on_link<read_vectored>(); }
  task<> wait() {
    while (got.size() < all.size()) {
      const std::array<cove::io::mutable_buffer, 2> parts = halves(room());
      const std::size_t count = co_await link.stream.read_some(parts);
      keep(count);
    }
  }
  static std::array<cove::io::mutable_buffer, 2> halves(std::span<std::byte> whole) {
    const std::size_t half = whole.size() / 2;
    return {whole.first(half), whole.subspan(half)};
  }
};

struct receive : reading {
  using reading::reading;
  static auto make() { return on_link<receive>(); }
  task<> wait() {
    while (got.size() < all.size()) {
      const cove::io::lease lent = co_await link.stream.receive();
      got += text_of(lent.bytes());
    }
  }
};

struct peek : reading {
  using reading::reading;
  static auto make() { return on_link<peek>(); }
  task<> wait() {
    while (got.size() < all.size()) {
      const std::size_t seen = co_await link.stream.peek(room());
      const cove::io_result taken = link.stream.try_read(std::span(buffer).first(seen));
      keep(taken.n);
    }
  }
};

struct readable : reading {
  using reading::reading;
  static auto make() { return on_link<readable>(); }
  task<> wait() {
    while (got.size() < all.size()) {
      co_await link.stream.wait_readable();
      const cove::io_result taken = link.stream.try_read(room());
      keep(taken.n);
    }
  }
};

/// A peer that sends an urgent byte.
struct urgent {
  static constexpr bool external = true;

  explicit urgent(linked made) : link(std::move(made)) {}
  static auto make() { return on_link<urgent>(); }

  linked link;
  char got = 0;

  task<> wait() {
    const cove::io::readiness found = co_await link.stream.wait_urgent();
    CHECK(found.urgent);
    link.stream.with_native_handle([this](int fd) {
      CHECK(::recv(fd, &got, 1, MSG_OOB | MSG_DONTWAIT) == 1);
      return 0;
    });
  }
  bool give() {
    link.peer.send("!", MSG_OOB);
    return false;
  }
  bool settled() const { return got == '!'; }
};

// ----- writing -----

/// A peer with small buffers that takes what has arrived, whenever everybody waits.
struct writing {
  static constexpr bool external = true;
  static constexpr std::size_t total = std::size_t{192} << 10;

  explicit writing(linked made) : link(std::move(made)) {}

  linked link;
  std::string text = pattern(total);
  std::size_t moved = 0;
  std::string arrived;

  std::span<const std::byte> rest() const { return bytes_of(text).subspan(moved); }
  bool give() {
    std::array<char, 16384> part;
    const ssize_t count = ::recv(link.peer.fd(), part.data(), part.size(), MSG_DONTWAIT);
    if (count > 0) arrived.append(part.data(), static_cast<std::size_t>(count));
    return arrived.size() < total;
  }
  bool settled() {
    pollfd there{link.peer.fd(), POLLIN, 0};
    while (arrived.size() < total && ::poll(&there, 1, 10'000) == 1) static_cast<void>(give());
    return moved == total && arrived == text;
  }
};

template <class Fixture>
task<std::unique_ptr<Fixture>> on_narrow_link() {
  linked made = co_await make_narrow_link();
  co_return std::make_unique<Fixture>(std::move(made));
}

struct write_some : writing {
  using writing::writing;
  static auto make() { return on_narrow_link<write_some>(); }
  task<> wait() {
    while (moved < total) moved += co_await link.stream.write_some(rest());
  }
};

struct writable : writing {
  using writing::writing;
  static auto make() { return on_narrow_link<writable>(); }
  task<> wait() {
    while (moved < total) {
      co_await link.stream.wait_writable();
      moved += link.stream.try_write(rest()).n;
    }
  }
};

struct write_all : writing {
  using writing::writing;
  static auto make() { return on_narrow_link<write_all>(); }
  task<> wait() {
    const cove::io_result done = co_await link.stream.write_all(rest()).as_result();
    moved += done.n;
    pass_on(done.error);
  }
};

struct write_vectored : writing {
  using writing::writing;
  static auto make() { return on_narrow_link<write_vectored>(); }
  task<> wait() {
    const std::array<cove::io::const_buffer, 2> parts = thirds(rest());
    const cove::io_result done = co_await link.stream.write_all(parts).as_result();
    moved += done.n;
    pass_on(done.error);
  }
  static std::array<cove::io::const_buffer, 2> thirds(std::span<const std::byte> whole) {
    const std::size_t third = whole.size() / 3;
    return {whole.first(third), whole.subspan(third)};
  }
};

// ----- connecting -----

struct connect : counted {
  static constexpr bool external = true;
  raw_listener listener;
  task<> wait() {
    const tcp_stream made = co_await tcp_stream::connect(listener.address());
    ++got;
  }
  static bool give() { return false; }
};

/// Nobody answers, until the first attempt was given up.
struct connect_unanswered : counted {
  static constexpr bool external = true;
  static constexpr bool endless = true;
  std::unique_ptr<deaf_listener> deaf = std::make_unique<deaf_listener>();
  raw_listener answers;
  std::atomic<bool> tried{false};
  task<> wait() {
    const bool second = tried.exchange(true);
    const auto to = second ? answers.address() : deaf->address();
    const tcp_stream made = co_await tcp_stream::connect(to);
    ++got;
  }
  bool give() {
    tried = true;
    return false;
  }
};

struct accept : counted {
  static constexpr bool external = true;
  cove::net::tcp_listener listener = cove::net::tcp_listener::bind("127.0.0.1:0");
  std::vector<raw_peer> peers;
  task<> wait() {
    const tcp_stream made = co_await listener.accept();
    ++got;
  }
  bool give() {
    peers.push_back(raw_peer::connect(listener.local_address()));
    return false;
  }
};

/// Somebody else is in front.
struct accept_behind : accept {
  cove::join_handle<> other = cove::spawn([this] { return accept_first(); });
  static task<std::unique_ptr<accept_behind>> make() {
    auto made = std::make_unique<accept_behind>();
    co_await until_waiting("accept");
    co_return made;
  }
  task<> accept_first() { const tcp_stream made = co_await listener.accept(); }
  task<> finish() { co_await other; }
  bool give() {
    accept::give();
    return peers.size() < 2;
  }
};

// ----- closing -----

/// The close waits for an operation to leave, and cannot be cancelled.
struct close_under_read : reading {
  static constexpr bool shielded = true;
  using reading::reading;
  static task<std::unique_ptr<close_under_read>> make() {
    auto made = co_await on_link<close_under_read>();
    made->reads = cove::spawn([self = made.get()] { return self->read(); });
    co_await until_waiting("read_some");
    co_return made;
  }
  std::error_code read_ended;
  int closed = 0;
  cove::join_handle<> reads;
  task<> read() {
    const cove::io_result ended = co_await link.stream.read_some(buffer).as_result();
    read_ended = ended.error;
  }
  task<> wait() {
    const std::error_code again = co_await link.stream.close();
    if (!again) ++closed;
  }
  task<> finish() { co_await reads; }
  static bool give() { return false; }
  bool settled() const { return closed == 1 && link.stream.is_closed(); }
};

// ----- signals -----

struct signal_wait : counted {
  static constexpr bool external = true;
  cove::io::signal_set signals{SIGUSR1};
  task<> wait() {
    const int number = co_await signals.wait();
    got += number == SIGUSR1;
  }
  static bool give() {
    ::raise(SIGUSR1);
    return false;
  }
};

constexpr sweep_line waits[] = {
    line_of<read_some>("read_some"),
    line_of<read_exact>("read_exact"),
    line_of<read_vectored>("read_some, vectored"),
    line_of<receive>("receive"),
    line_of<peek>("peek"),
    line_of<readable>("wait_readable"),
    line_of<urgent>("wait_urgent"),
    line_of<write_some>("write_some"),
    line_of<writable>("wait_writable"),
    line_of<write_all>("write_all"),
    line_of<write_vectored>("write_all, vectored"),
    line_of<connect>("connect"),
    line_of<connect_unanswered>("connect, unanswered"),
    line_of<accept>("accept"),
    line_of<accept_behind>("accept, behind another"),
    line_of<close_under_read>("close"),
    line_of<signal_wait>("signal_set"),
};

TEST_CASE("C09 K16 K17 K20 K21 every wait on a socket, asked to end at each of its moments") {
  const same_descriptors outside;
  sweep(waits, plain_options());
}

TEST_CASE("C09 K16 K17 K21 every wait on a socket, asked to end by others and by timers") {
  const same_descriptors outside;
  constexpr int rounds = sanitized ? 40 : 150;
  race_against(waits, plain_options(), stress_seed(), rounds);
}

}  // namespace
