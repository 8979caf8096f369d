#include "verbs.hpp"

#include "error_class.hpp"

#include <cove/net/serve.hpp>

// The accept loop as the library's guide tells users to write it: net::serve with a session a
// connection. The sessions count how they ended.

namespace cove::driver {
namespace {

using net::tcp_stream;

enum class manner { echo, sink, hold, source };

/// What the sessions share; the last of them may end after the loop.
struct service {
  manner how = manner::echo;
  bytes data;  ///< For a source.
  listener_ptr from;

  std::mutex lock;
  // Under lock.
  std::uint64_t accepted = 0;
  std::uint64_t served = 0;
  std::map<std::string, std::uint64_t> errors;
};

task<> echo_all(tcp_stream& peer) {
  std::array<std::byte, 16384> room;
  while (const std::size_t n = co_await peer.read_some(room))
    co_await peer.write_all(std::span(room).first(n));
  peer.shutdown_write();
}

task<> sink_all(tcp_stream& peer) {
  std::array<std::byte, 16384> room;
  while (co_await peer.read_some(room) != 0) {
  }
}

/// Neither reads nor writes until the listener is closed. Nothing in the library waits for that but
/// accepting, so it looks from time to time.
task<> hold_open(const service& of) {
  while (!of.from->is_closed()) co_await this_task::sleep_for(std::chrono::milliseconds(20));
}

task<> serve_one(service& of, tcp_stream& peer) {
  switch (of.how) {
    case manner::echo: co_await echo_all(peer); break;
    case manner::sink: co_await sink_all(peer); break;
    case manner::hold: co_await hold_open(of); break;
    case manner::source: co_await peer.write_all(of.data); break;
  }
  static_cast<void>(co_await peer.close());
}

task<> session_of(std::shared_ptr<service> of, tcp_stream peer) {
  {
    const std::lock_guard guard(of->lock);
    ++of->accepted;
  }
  std::string ended;
  try {
    co_await serve_one(*of, peer);
  } catch (...) {
    ended = tell(std::current_exception()).error_class;
  }
  const std::lock_guard guard(of->lock);
  if (ended.empty() || ended == "reset")
    ++of->served;
  else
    ++of->errors[ended];
}

/// Counts an accept loop in its listener while it runs.
class loop_count {
 public:
  explicit loop_count(listener& of) noexcept : of_(of) { ++of_.serving; }
  loop_count(const loop_count&) = delete;
  loop_count& operator=(const loop_count&) = delete;
  ~loop_count() { --of_.serving; }

 private:
  listener& of_;
};

task<> run_serve(call& c, std::shared_ptr<service> of) {
  const loop_count counted(*of->from);
  const auto handler = [of](tcp_stream peer) { return session_of(of, std::move(peer)); };
  std::exception_ptr failure;
  auto serving = net::serve(*of->from, handler);
  try {
    co_await std::move(serving);
  } catch (...) {
    failure = std::current_exception();
  }
  {
    const std::lock_guard guard(of->lock);
    c.members["accepted"] = of->accepted;
    c.members["served"] = of->served;
    c.members["errors"] = of->errors;
  }
  if (failure) std::rethrow_exception(failure);
}

task<> prepare_serve(call& c) {
  const std::string how = c.asked.choice("mode", {"echo", "sink", "hold", "source"});
  auto made = std::make_shared<service>();
  made->how = how == "echo"   ? manner::echo
              : how == "sink" ? manner::sink
              : how == "hold" ? manner::hold
                              : manner::source;
  for (const char* of_source : {"count", "seed", "off", "hex", "text"})
    if (how != "source" && c.asked.has(of_source))
      throw refusal::bad_request("\"" + std::string(of_source) + "\" belongs to mode \"source\"");
  if (how == "source") made->data = payload_of(c.asked);
  made->from = c.handles.find<listener>(c.asked.text("h"));
  return run_serve(c, std::move(made));
}

const verb table[] = {
    {"serve", {"h", "mode", "count", "seed", "off", "hex", "text"}, prepare_serve},
};

}  // namespace

std::span<const verb> serve_verbs() { return table; }

}  // namespace cove::driver
