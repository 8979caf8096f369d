// A service that ends in stages, and says what it left undone. Each line of a client orders a job,
// a name and how many milliseconds it takes; answers tell when it begins and ends. On SIGINT or
// SIGTERM
//
//     1. nobody new is accepted, and who orders nothing is sent away
//     2. jobs that run may end, but not for ever
//     3. those that have not are named, then cancelled; their clients are told
//     4. the program ends with code 0, or 1 if jobs were cut off
//
// A second signal ends it at once. The other servers here do the like with support/ending.hpp. Try
//
//     build/release/examples/graceful_shutdown --address 127.0.0.1:9002 --grace 5s
//     echo "backup 20000" | socat -t 30 - TCP:127.0.0.1:9002

#include "support/line_reader.hpp"
#include "support/options.hpp"

#include <cove/io/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <mutex>
#include <set>

using cove::examples::line_reader;
using cove::io::bytes_of;
using cove::net::tcp_stream;
using namespace std::chrono_literals;

/// What all sessions know: which jobs run, and whether the end has begun.
struct service {
  std::multiset<std::string> running() {
    const std::lock_guard guard(lock);
    return names;
  }

  cove::event ending;
  cove::event ended;  // All sessions have.
  std::mutex lock;
  std::multiset<std::string> names;  // Under lock.
};

/// A job counts as running while this lives.
class running_job {
 public:
  running_job(service& all, std::string name) : all_(all), name_(std::move(name)) {
    const std::lock_guard guard(all_.lock);
    all_.names.insert(name_);
  }
  running_job(const running_job&) = delete;
  running_job& operator=(const running_job&) = delete;
  ~running_job() {
    const std::lock_guard guard(all_.lock);
    all_.names.erase(all_.names.find(name_));
  }

 private:
  service& all_;
  const std::string name_;
};

/// Does one job and answers. When it is cut off it says so, behind a shield: that is the last thing
/// that this task may do, and it has a second for it.
cove::task<> do_job(service& all, tcp_stream& peer, std::string order) {
  const std::size_t space = order.find(' ');
  const std::string name = order.substr(0, space);
  const long long ms = space == std::string::npos ? 0 : std::atoll(order.c_str() + space);
  std::string answer = name + " is done\n";
  {
    const running_job counted(all, name);
    const std::string begun = name + " has begun\n";
    try {
      co_await peer.write_all(bytes_of(begun));
      co_await cove::this_task::sleep_for(std::chrono::milliseconds(ms));
    } catch (const cove::canceled&) {
      answer = name + " was cut off\n";
    }
  }
  co_await cove::shield(cove::with_timeout(peer.write_all(bytes_of(answer)), 1s));
}

cove::task<> session(service& all, tcp_stream peer) {
  line_reader lines(peer);
  while (!cove::this_task::stop_requested()) {
    auto first = co_await cove::race(lines.next(), all.ending.wait());
    if (first.index == 1) break;  // It has ordered nothing.
    const std::optional<std::string> order = std::get<0>(std::move(first.results)).value();
    if (!order) co_return;
    co_await do_job(all, peer, *order);
  }
  co_await peer.write_all(bytes_of("the service ends\n"));
}

cove::task<> serve(cove::net::tcp_listener& listener, service& all) {
  co_await cove::net::serve(listener, std::bind_front(session, std::ref(all)));
  all.ended.set();
}

/// The exit code.
cove::task<int> run_stages(cove::net::tcp_listener& listener, service& all,
                           std::chrono::nanoseconds grace, cove::scope& parts) {
  {
    cove::io::signal_set signals(SIGINT, SIGTERM);
    parts.spawn(serve, std::ref(listener), std::ref(all)).detach();
    std::printf("listening on %s\n", listener.local_address().to_string().c_str());
    std::fflush(stdout);
    co_await signals.wait();
  }  // The set is gone, and a second signal ends the program.

  co_await listener.close();  // 1.
  all.ending.set();
  std::printf("ending: %zu jobs run\n", all.running().size());
  std::fflush(stdout);

  const auto in_time = co_await cove::with_timeout(all.ended.wait().as_result(), grace);  // 2.
  if (in_time) co_return 0;

  for (const std::string& name : all.running()) std::printf("cut off: %s\n", name.c_str());  // 3.
  parts.cancel();
  co_return 1;
}

cove::task<int> run_service(std::string address, std::chrono::nanoseconds grace) {
  service all;
  auto listener = cove::net::tcp_listener::bind(address);
  const int code = co_await cove::with_scope(
      std::bind_front(run_stages, std::ref(listener), std::ref(all), grace));
  std::printf("ended\n");
  co_return code;  // 4.
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9002";
  std::chrono::nanoseconds grace = 5s;
  cove::examples::options options("Does jobs for clients, and ends in stages.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:9002 or [::1]:9002; port 0: any");
  options.duration("--grace", grace, "what jobs have to end after SIGINT or SIGTERM; default: 5s");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run_service, address, grace);
}
