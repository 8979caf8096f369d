// A chat: what one says, all others hear. It shows a broadcast between connections: who speaks
// never waits for who listens. A slow reader is told how much it has missed, and one that takes
// nothing for too long is dropped. Each session is two tasks in a scope, one for each direction.
// Try it in several terminals:
//
//     build/release/examples/chat_server --address 127.0.0.1:9001
//     socat - TCP:127.0.0.1:9001

#include "support/ending.hpp"
#include "support/line_reader.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <set>

using cove::io::bytes_of;
using cove::net::tcp_stream;
using namespace std::chrono_literals;

struct message {
  message(std::string what, std::string who) : text(std::move(what)), from(std::move(who)) {}
  std::string text;
  std::string from;  ///< Nobody's, if it is the room's.
};

struct chat_options {
  unsigned backlog = 100;                   ///< Messages that are kept for slow readers.
  std::chrono::nanoseconds patience = 10s;  ///< How long a reader may take none of them.
};

/// Who is there, and what is said.
class chat_room {
 public:
  explicit chat_room(const chat_options& how) : options(how), said_(how.backlog) {}

  /// False if the name is taken.
  bool enter(const std::string& name) {
    const std::lock_guard guard(lock_);  // Never held over a co_await.
    return names_.insert(name).second;
  }
  void leave(const std::string& name) {
    const std::lock_guard guard(lock_);
    names_.erase(name);
  }

  cove::broadcast_receiver<message> listen() { return said_.subscribe(); }
  void say(std::string text, std::string from = "") {
    const std::lock_guard guard(lock_);
    if (!said_.closed()) said_.send(message(std::move(text), std::move(from)));
  }
  /// Who listens hears the end once all that was said has been heard.
  void close() {
    const std::lock_guard guard(lock_);
    said_.send(message("* the server ends\n", ""));
    said_.close();
  }

  const chat_options options;

 private:
  std::mutex lock_;
  std::set<std::string> names_;
  cove::broadcast<message> said_;
};

/// A name in the room, for as long as this lives.
class guest {
 public:
  guest(chat_room& room, std::string name) : room_(room), name_(std::move(name)) {
    room_.say("* " + name_ + " has come\n");
  }
  guest(const guest&) = delete;
  guest& operator=(const guest&) = delete;
  ~guest() {
    room_.leave(name_);
    room_.say("* " + name_ + " has gone\n");
  }
  const std::string& name() const { return name_; }

 private:
  chat_room& room_;
  const std::string name_;
};

/// Writes what the others say, until the room is closed or the peer takes nothing for too long.
cove::task<> listen(chat_room& room, cove::broadcast_receiver<message> said, tcp_stream& peer,
                    std::string me, cove::scope& session) {
  while (const auto heard = co_await said.receive()) {
    std::string text;
    if (heard->lost != 0) text = "* you have missed " + std::to_string(heard->lost) + "\n";
    if (heard->value.from != me) text += heard->value.text;
    auto writing = peer.write_all(bytes_of(text)).as_result();
    const auto written = co_await cove::with_timeout(std::move(writing), room.options.patience);
    if (written.error == cove::errc::deadline_exceeded) room.say("* " + me + " is too slow\n");
    if (!written) break;
  }
  session.cancel();
}

/// Says what the peer writes, until it ends.
cove::task<> speak(chat_room& room, cove::examples::line_reader& lines, std::string me,
                   cove::scope& session) {
  while (std::optional<std::string> line = co_await lines.next()) {
    // Nobody may play with the terminals of the others.
    const auto is_control = [](unsigned char c) { return c < ' ' || c == 127; };
    std::ranges::replace_if(*line, is_control, '?');
    room.say(me + ": " + *line + "\n", me);
  }
  session.cancel();
}

cove::task<> session(chat_room& room, tcp_stream peer) {
  cove::examples::line_reader lines(peer);
  co_await peer.write_all(bytes_of("* your name?\n"));
  const std::optional<std::string> name = co_await lines.next();
  if (!name) co_return;
  if (name->empty() || !room.enter(*name)) {
    co_await peer.write_all(bytes_of("* that name is not free\n"));
    co_return;
  }
  auto said = room.listen();
  const guest me(room, *name);
  auto both = [&](cove::scope& parts) {
    parts.spawn(listen, std::ref(room), said, std::ref(peer), me.name(), std::ref(parts)).detach();
    return speak(room, lines, me.name(), parts);
  };
  co_await cove::with_scope(both);
}

cove::task<> serve(cove::net::tcp_listener& listener, chat_room& room) {
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  co_await cove::net::serve(listener, std::bind_front(session, std::ref(room)));
}

cove::task<> run_server(std::string address, chat_options options, cove::examples::ending how) {
  chat_room room(options);
  auto listener = cove::net::tcp_listener::bind(address);
  const auto asked = [&room] { room.close(); };
  co_await cove::examples::serve_gracefully(listener, serve(listener, room), how, asked);
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9001";
  chat_options chat;
  cove::examples::ending how;
  cove::examples::options options("A chat. The first line of a client is its name.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:9001 or [::1]:9001; port 0: any");
  options.number("--backlog", chat.backlog, "messages that are kept for slow readers");
  options.duration("--patience", chat.patience, "drop who takes nothing for so long; default: 10s");
  how.add_to(options);
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run_server, address, chat, how);
}
