// What it costs to be told that a descriptor is ready, by the number of descriptors watched.
//
//     cove_notify HOW WATCHED MILLISECONDS
//
//   HOW           cove (with the backend that COVE_BACKEND names); or a loop of one thread without
//                 any runtime: select, poll, epoll-lt, epoll, io_uring; or bare, which is told
//                 nothing because it knows
//   WATCHED       descriptors
//   MILLISECONDS  for each number of active descriptors; a few rounds are made in any case
//
// A round sends a byte to each of the active ones (one, a tenth, all), and ends when each of them
// was told and has read its byte; all on one thread. Prints one line of JSON: processor time of
// the median round, in ns for each that was active. Ends with status 77 and the reason where this
// cannot be had.

#include "crowd.hpp"
#include "floors.hpp"
#include "rounds.hpp"
#include "with_cove.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <thread>

namespace {

constexpr int status_skipped = 77;

[[noreturn]] void usage() {
  std::fputs(
      "usage: cove_notify cove|bare|select|poll|epoll-lt|epoll|io_uring WATCHED MILLISECONDS\n",
      stderr);
  std::exit(2);
}

unsigned number(const char* text) {
  unsigned value = 0;
  const char* end = text + std::strlen(text);
  if (const auto parsed = std::from_chars(text, end, value);
      parsed.ec != std::errc{} || parsed.ptr != end)
    usage();
  return value;
}

std::vector<notify::point> measure_floor(const char* how, notify::crowd& of,
                                         notify::effort chosen) {
  // In a process of one thread the kernel need not count who uses a descriptor, which makes poll
  // and select cheaper by up to a quarter. A runtime has several threads, so here is another one.
  std::thread([] {
    for (;;) ::pause();
  }).detach();
  const auto loop = notify::make_floor(how, of);
  std::vector<notify::point> found;
  for (const std::size_t active : notify::active_numbers(of.watched().size())) {
    notify::rounds timed(chosen, active);
    while (timed.next()) {
      of.rouse(active);
      loop->collect(active);
    }
    found.push_back(timed.result());
  }
  return found;
}

void print(const char* by, const std::string& how, std::size_t watched,
           const std::vector<notify::point>& found) {
  std::printf("{\"by\": \"%s\", \"how\": \"%s\", \"watched\": %zu, \"points\": [", by, how.c_str(),
              watched);
  const char* between = "";
  for (const notify::point& each : found) {
    std::printf("%s{\"active\": %zu, \"rounds\": %zu, \"ns\": %.1f}", between, each.active,
                each.rounds, each.ns);
    between = ", ";
  }
  std::puts("]}");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) usage();
  const std::string how = argv[1];
  const std::size_t watched = number(argv[2]);
  const notify::effort chosen{std::chrono::milliseconds(number(argv[3]))};
  if (watched == 0) usage();
  notify::crowd crowd(watched);
  if (how == "cove") {
    std::string backend;
    const auto found = notify::measure_cove(crowd, chosen, backend);
    print("cove", backend, watched, found);
  } else {
    print("raw", how, watched, measure_floor(argv[1], crowd, chosen));
  }
  return 0;
} catch (const notify::unavailable& reason) {
  std::printf("%s\n", reason.what());
  return status_skipped;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cove_notify: %s\n", failure.what());
  return 1;
}
