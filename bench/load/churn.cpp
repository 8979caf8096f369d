// The mode `churn`: connect, one echo, close, over and over, with N connections under way.
//
// Who closes first keeps the pair of addresses in TIME_WAIT for a minute. Here that is the client,
// as clients do, so a server gets an ordinary end of stream. The other ways measure something else:
// a reset (SO_LINGER of 0) leaves no TIME_WAIT, but sends every connection through the server's
// path for errors; a server that closes first would have to know that one echo is all. Ports do not
// run out, for the connections come from 64 source addresses: at 20 000 connections a second a pair
// comes up again after a minute and a half, and if it should be sooner, Linux reuses pairs in
// TIME_WAIT on loopback after a second.

#include "batch.hpp"
#include "client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace load {

namespace {

struct visit {
  int fd = -1;
  std::uint64_t serial = 0;
  bool sent = false;
  std::size_t received = 0;
  std::int64_t begun = 0;
};

class churn {
 public:
  churn(const options& wanted, measurement& counts)
      : batch_(wanted),
        depth_(wanted.depth),
        port_(wanted.port),
        events_(wanted.spin),
        counts_(counts),
        buffer_(wanted.size * wanted.depth),
        visits_(wanted.connections) {}

  void run() {
    std::uint64_t number = 0;
    for (visit& v : visits_) {
      v.serial = ++number << 40;
      begin(v);
    }
    // A server that refuses everything is not asked forever.
    std::int64_t now = now_ns();
    for (; !counts_.over(now) && counts_.errors() < 1000; now = now_ns()) turn();
    // Those under way may end, for a second, so that no server sees a reset at the end of a run.
    ending_ = true;
    const std::int64_t limit = now + 1'000'000'000;
    while (open_ != 0 && now_ns() < limit) turn();
    for (const visit& v : visits_) {
      if (v.fd >= 0) close(v.fd);
    }
  }

 private:
  void turn() {
    for (const epoll_event& event : events_.wait()) go_on(*static_cast<visit*>(event.data.ptr));
  }

  // On loopback the handshake is done when connect() returns, and the message can go out at once.
  void begin(visit& v) {
    ++v.serial;
    v.sent = false;
    v.received = 0;
    v.begun = now_ns();
    v.fd = start_connect(port_);
    ++open_;
    send_message(v);
    events_.add(v.fd, &v);
  }

  void send_message(visit& v) {
    const auto message = batch_.request(v.serial);
    const ssize_t sent = send(v.fd, message.data(), message.size(), MSG_NOSIGNAL);
    v.sent = sent >= 0;
    failed_ = sent < 0 ? errno != EAGAIN : static_cast<std::size_t>(sent) != message.size();
  }

  void go_on(visit& v) {
    failed_ = false;
    if (!v.sent) send_message(v);
    const ssize_t got = failed_ ? -1 : recv(v.fd, buffer_.data(), buffer_.size(), 0);
    if (!failed_ && got < 0 && errno == EAGAIN) return;
    const auto part = std::span(buffer_).first(got < 0 ? 0 : static_cast<std::size_t>(got));
    if (got <= 0 || !batch_.is_right(v.serial, v.received, part)) {
      counts_.count_error();
    } else {
      v.received += part.size();
      if (v.received != batch_.reply_size()) return;
      counts_.count(v.begun, now_ns(), depth_);
    }
    close(v.fd);
    v.fd = -1;
    --open_;
    if (!ending_) begin(v);
  }

  batch batch_;
  std::uint64_t depth_;
  int port_;
  epoll_set events_;
  measurement& counts_;
  std::vector<char> buffer_;
  std::vector<visit> visits_;
  std::size_t open_ = 0;
  bool ending_ = false;
  bool failed_ = false;
};

}  // namespace

int run_churn(const options& wanted) {
  need_descriptors(wanted.connections);
  measurement counts(wanted, now_ns());
  churn(wanted, counts).run();
  counts.print(wanted);
  return counts.errors() == 0 ? 0 : 1;
}

}  // namespace load
