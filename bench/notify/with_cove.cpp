#include "with_cove.hpp"

#include "floors.hpp"

#include <cove/net/tcp.hpp>
#include <cove/runtime.hpp>

#include <array>
#include <cstdlib>
#include <string>

// A task for each descriptor, which waits to read from it, and one that rouses some and waits until
// all of these have read. There is one worker, so the tally needs no atomics, and the last one to
// be told waits again before the round ends: the next round finds all of them parked.

namespace notify {
namespace {

using cove::task;

/// Who is still to be told in this round.
struct tally {
  std::size_t left = 0;
  cove::event all_told;

  void told() noexcept {
    if (--left == 0) all_told.set();
  }
};

task<> read_for_ever(int fd, tally* shared) {
  // A local stream reads as a TCP stream does.
  cove::net::tcp_stream from(cove::detail::descriptor(fd, cove::detail::descriptor_kind::tcp));
  // As with most reads there is room for more than comes, so that nobody has to ask again.
  std::array<std::byte, 16> buffer;
  for (;;) {
    co_await from.read_some(buffer);
    shared->told();
  }
}

task<> run_round(crowd* of, std::size_t active, tally* shared) {
  shared->all_told.reset();
  shared->left = active;
  of->rouse(active);
  co_await shared->all_told.wait();
}

task<> run_rounds(crowd* of, effort chosen, tally* shared, std::vector<point>* found) {
  const std::size_t all = of->watched().size();
  co_await run_round(of, all, shared);  // All have begun when this has ended.
  for (const std::size_t active : active_numbers(all)) {
    rounds timed(chosen, active);
    while (timed.next()) co_await run_round(of, active, shared);
    found->push_back(timed.result());
  }
}

/// What the scope of all tasks does; the first failure of a reader ends it.
struct measuring {
  crowd* of;
  effort chosen;
  tally* shared;
  std::vector<point>* found;

  task<> operator()(cove::scope& readers) const { return run(*this, &readers); }

  static task<> run(measuring self, cove::scope* readers) {
    for (const int fd : self.of->give_away()) readers->spawn(read_for_ever, fd, self.shared);
    co_await run_rounds(self.of, self.chosen, self.shared, self.found);
    readers->cancel();
  }
};

task<> measure(crowd* of, effort chosen, std::vector<point>* found) {
  tally shared;
  const measuring body{of, chosen, &shared, found};
  co_await cove::with_scope(body);
}

}  // namespace

std::vector<point> measure_cove(crowd& of, effort chosen, std::string& backend) {
  cove::runtime_options options;
  options.workers = 1;
  options.sysmon =
      false;  // It would poll for a worker that is busy for long: here that is rousing.
  cove::runtime runtime(options);
  backend = runtime.backend();
  if (const char* wanted = std::getenv("COVE_BACKEND");
      wanted != nullptr && *wanted != '\0' && backend != wanted)
    throw unavailable(runtime.stats().backend_reason);
  std::vector<point> found;
  try {
    runtime.block_on(measure, &of, chosen, &found);
  } catch (const cove::error& refused) {
    if (refused.code() != cove::errc::descriptor_too_high) throw;
    throw unavailable(refused.what());
  }
  return found;
}

}  // namespace notify
