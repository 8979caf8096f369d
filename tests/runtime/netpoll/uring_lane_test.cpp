#include "netpoll/uring_lane.hpp"
#include "netpoll/poll_desc.hpp"
#include "netpoll/uring_accepts.hpp"
#include "netpoll/uring_label.hpp"

#include <cove/runtime/error.hpp>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

// What a lane does when the kernel was quicker than it: windows of a few instructions, which no
// load of ours ever hit. Here the other side of each is played: an answer is put into the lane's
// ring by a ring of the test's own, and a request is taken back behind the lane's back.

namespace {

using cove::detail::io_kind;
using cove::detail::io_op;
using cove::detail::task_ctl;
using cove::detail::task_list;
using cove::netpoll::direction;
using cove::netpoll::label;
using cove::netpoll::poll_desc;
using cove::netpoll::tag;
using cove::netpoll::uring_accepts;
using cove::netpoll::uring_lane;
using cove::netpoll::uring_lane_settings;
using cove::netpoll::uring_record;
using cove::netpoll::uring_table;
using cove::netpoll::waker;

/// A lane with one operation of one task, on one descriptor.
struct rig {
  waker bell;
  uring_table table;
  std::optional<uring_lane> lane;
  poll_desc desc;
  task_ctl task;
  std::unique_ptr<io_op> op;

  rig() {
    try {
      lane.emplace(table,
                   uring_lane_settings{bell, 0, [](poll_desc&) noexcept -> task_ctl* { return {}; },
                                       [](task_list&) noexcept {}});
    } catch (const cove::error& refused) {
      MESSAGE("no io_uring here: " << refused.what());
    }
    REQUIRE(table.prepare(0));
  }
  rig(const rig&) = delete;
  rig& operator=(const rig&) = delete;
  ~rig() {
    if (desc.fd >= 0) ::close(desc.fd);
  }

  bool usable() const { return lane.has_value(); }
  uring_record& record() { return table.at(0, direction::read); }
  void prepare(io_kind kind, void* buffer = nullptr, std::size_t size = 0) {
    op = std::make_unique<io_op>(nullptr, kind);
    op->desc = &desc;
    op->task_ = &task;
    op->buffer = buffer;
    op->size = size;
  }
  /// Hands in what is listed, collects what is there, and does not wait.
  void turn() {
    task_list ready;
    lane->submit();
    lane->collect(ready);
  }
  /// Turns until the operation has ended; a lane that has forgotten it never gets there.
  bool ends() {
    for (int round = 0; round < 1000; ++round) {
      turn();
      if (record().op == nullptr) return true;
      pollfd completions{lane->fd(), POLLIN, 0};
      ::poll(&completions, 1, 10);
    }
    return false;
  }
};

/// Puts a completion into another ring. False if the kernel (before 5.18) cannot.
bool say(int to, std::uint64_t about, int result) {
  io_uring own{};
  if (::io_uring_queue_init(4, &own, 0) != 0) return false;
  io_uring_sqe* entry = ::io_uring_get_sqe(&own);
  ::io_uring_prep_msg_ring(entry, to, static_cast<unsigned>(result), about, 0);
  io_uring_cqe* said = nullptr;
  const bool done = ::io_uring_submit_and_wait(&own, 1) == 1 &&
                    ::io_uring_peek_cqe(&own, &said) == 0 && said->res >= 0;
  ::io_uring_queue_exit(&own);
  return done;
}

/// Takes a request out of another ring. False if the kernel (before 6.0) cannot.
bool take_back(int from, std::uint64_t about) {
  io_uring_sync_cancel_reg which{};
  which.addr = about;
  which.fd = -1;
  which.timeout = {-1, -1};
  return ::syscall(__NR_io_uring_register, from, IORING_REGISTER_SYNC_CANCEL, &which, 1) == 0;
}

TEST_CASE("a cancel that did not find its operation is sent again") {
  rig r;
  if (!r.usable()) return;
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  r.desc.fd = pair[0];
  char byte = 0;
  r.prepare(io_kind::read, &byte, 1);
  r.lane->arm(r.record(), *r.op);
  r.turn();
  REQUIRE(r.record().handed);
  r.record().asked = true;  // As if its cancel had been sent, just when it was between two waits.
  const std::uint64_t about = label(tag::cancel, r.record().number, r.record().sequence.load());
  if (say(r.lane->fd(), about, -ENOENT)) {
    CHECK(r.ends());
    CHECK(r.op->result == -ECANCELED);
  } else {
    MESSAGE("this kernel passes no messages between rings");
    r.record().asked = false;
    r.lane->withdraw(r.record(), *r.op, true);
    CHECK(r.ends());
  }
  ::close(pair[1]);
}

TEST_CASE("the bell of one who waits goes on ringing when another has collected it") {
  rig r;
  if (!r.usable()) return;
  task_list ready;
  r.lane->wait(0, ready);  // Arms the bell.
  REQUIRE(r.bell.block());
  r.bell.wake();
  pollfd completions{r.lane->fd(), POLLIN, 0};
  REQUIRE(::poll(&completions, 1, 10'000) == 1);
  r.lane->collect(ready);
  // The one who waits in the kernel is still to be told: the same again.
  CHECK(::poll(&completions, 1, 10'000) == 1);
  r.bell.unblock(true);
  r.lane->collect(ready);
}

/// A listener with an accept that waits.
struct listening : rig {
  sockaddr_in where{};

  listening() {
    if (!usable() || !lane->takes_many()) return;
    desc.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(desc.fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    REQUIRE(::listen(desc.fd, 16) == 0);
    socklen_t length = sizeof where;
    REQUIRE(::getsockname(desc.fd, reinterpret_cast<sockaddr*>(&where), &length) == 0);
    record().accepts = std::make_unique<uring_accepts>();
    record().lane = &*lane;
    prepare(io_kind::accept);
    lane->arm_accept(record(), *op, true);
    REQUIRE(record().accepts->armed);
  }
  void connect_once() {
    const int peer = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(peer, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    ::close(peer);
  }
};

TEST_CASE("a listener's request that was taken back as somebody began to wait is made again") {
  listening r;
  if (!r.usable() || !r.lane->takes_many()) return;
  const bool taken = take_back(r.lane->fd(), label(tag::accept, r.record().number, 0));
  if (!taken) MESSAGE("this kernel takes nothing back from outside");
  r.turn();
  r.connect_once();
  CHECK(r.ends());
  CHECK(r.op->result >= 0);
  ::close(r.op->result);
}

TEST_CASE("the cancel of a listener's request that did not find it is sent again") {
  listening r;
  if (!r.usable() || !r.lane->takes_many()) return;
  r.lane->withdraw(r.record(), *r.op, false);  // Nobody awaits it any more.
  REQUIRE(r.record().op == nullptr);
  r.record().accepts->stopping = true;  // As if it had been sent: as many are kept as may be.
  for (std::size_t i = 0; i < uring_accepts::bound; ++i) r.record().accepts->kept.push_back(-1);
  if (say(r.lane->fd(), label(tag::stop, r.record().number, 0), -ENOENT)) {
    for (int round = 0; round < 1000 && r.record().accepts->armed; ++round) {
      r.turn();
      pollfd completions{r.lane->fd(), POLLIN, 0};
      if (r.record().accepts->armed) ::poll(&completions, 1, 10);
    }
    CHECK_FALSE(r.record().accepts->armed);
  } else {
    MESSAGE("this kernel passes no messages between rings");
  }
  r.record().accepts->kept.clear();
}

}  // namespace
