// The modes `echo` and `http`: connections that stay, each with one batch under way at a time. As
// soon as all of its replies are in, the next one is sent.

#include "batch.hpp"
#include "client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace load {

namespace {

struct connection {
  int fd = -1;
  std::uint64_t serial = 0;  // Of its batch.
  std::size_t sent = 0;      // Bytes of the batch.
  std::size_t received = 0;  // Bytes of its replies.
  std::int64_t begun = 0;
  bool busy = false;
};

class exchange {
 public:
  explicit exchange(const options& wanted)
      : batch_(wanted),
        depth_(wanted.depth),
        port_(wanted.port),
        events_(wanted.spin),
        buffer_(std::size_t{1} << 17),
        connections_(wanted.connections),
        open_(wanted.connections) {}

  void connect() {
    std::uint64_t number = 0;
    for (connection& c : connections_) {
      c.fd = start_connect(port_);
      c.serial = ++number << 40;
      events_.add(c.fd, &c);
    }
  }

  // Sends batches until the time is over, and gives the replies still under way a second.
  void run(measurement& counts) {
    counts_ = &counts;
    for (connection& c : connections_) begin(c);
    std::int64_t now = now_ns();
    for (; !counts.over(now) && open_ != 0; now = now_ns()) turn();
    ending_ = true;
    const std::int64_t limit = now + 1'000'000'000;
    while (busy_ != 0 && now_ns() < limit) turn();
    for (connection& c : connections_) {
      if (c.busy) counts.count_error();
      if (c.fd >= 0) close(c.fd);
    }
  }

 private:
  void turn() {
    for (const epoll_event& event : events_.wait()) {
      auto& c = *static_cast<connection*>(event.data.ptr);
      const bool hung_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      if ((event.events & EPOLLOUT) != 0) go_on_sending(c);
      if ((event.events & EPOLLIN) != 0 || hung_up) receive(c, hung_up);
    }
  }

  void begin(connection& c) {
    ++c.serial;
    c.sent = c.received = 0;
    c.begun = now_ns();
    c.busy = true;
    ++busy_;
    go_on_sending(c);
  }

  void go_on_sending(connection& c) {
    while (c.busy && c.sent < batch_.request_size()) {
      const auto left = batch_.request(c.serial).subspan(c.sent);
      const ssize_t sent = send(c.fd, left.data(), left.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) return drop(c);
      c.sent += static_cast<std::size_t>(sent);
    }
  }

  // A read that does not fill the buffer has emptied the socket, unless the end is still to come.
  void receive(connection& c, bool hung_up) {
    ssize_t got = 0;
    do {
      if (c.fd < 0) return;
      got = recv(c.fd, buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      const auto part = std::span(buffer_).first(got < 0 ? 0 : static_cast<std::size_t>(got));
      if (got <= 0 || !c.busy || !batch_.is_right(c.serial, c.received, part)) return drop(c);
      c.received += part.size();
      if (c.received == batch_.reply_size()) complete(c);
    } while (hung_up || static_cast<std::size_t>(got) == buffer_.size());
  }

  void complete(connection& c) {
    counts_->count(c.begun, now_ns(), depth_);
    c.busy = false;
    --busy_;
    if (!ending_) begin(c);
  }

  // The server ended the connection, or sent what is wrong.
  void drop(connection& c) {
    counts_->count_error();
    close(c.fd);
    c.fd = -1;
    --open_;
    if (c.busy) --busy_;
    c.busy = false;
  }

  batch batch_;
  std::uint64_t depth_;
  int port_;
  epoll_set events_;
  std::vector<char> buffer_;
  std::vector<connection> connections_;
  std::size_t open_;
  std::size_t busy_ = 0;
  bool ending_ = false;
  measurement* counts_ = nullptr;
};

}  // namespace

int run_exchange(const options& wanted) {
  need_descriptors(wanted.connections);
  exchange work(wanted);
  work.connect();
  measurement counts(wanted, now_ns());
  work.run(counts);
  counts.print(wanted);
  return counts.errors() == 0 ? 0 : 1;
}

}  // namespace load
