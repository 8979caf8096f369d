#include "verbs.hpp"

#include "begun.hpp"
#include "system.hpp"

#include <algorithm>
#include <limits>

// Making, asking and ending listeners and streams.

namespace cove::driver {
namespace {

using net::socket_address;
using net::tcp_listener;
using net::tcp_stream;

/// The address of a request; the library parses it, and the net says of which family it has to be.
socket_address address_of(const request& asked) {
  const std::string net = asked.choice("net", {"tcp", "tcp4", "tcp6"});
  const socket_address address(asked.text("addr"));
  if ((net == "tcp4" && !address.ip().is_v4()) || (net == "tcp6" && !address.ip().is_v6()))
    throw error(std::make_error_code(std::errc::address_family_not_supported),
                "\"" + address.to_string() + "\" on " + net);
  return address;
}

/// Puts in what `ask` gives. An address is asked of an open socket; where the peer has reset, there
/// is none, and the reply does without.
template <class Ask>
void tell_address(json& members, const char* name, Ask ask) {
  try {
    members[name] = ask().to_string();
  } catch (const std::system_error&) {
  }
}

void tell_ends(json& members, const tcp_stream& stream) {
  tell_address(members, "local", [&] { return stream.local_address(); });
  tell_address(members, "peer", [&] { return stream.peer_address(); });
  members["fd"] = stream.native_handle();
}

// ----- making -----

task<> run_listen(call& c, socket_address at, net::listen_options options,
                  handle_table::reservation name) {
  auto made = std::make_shared<listener>(tcp_listener::bind(at, options));
  c.members["local"] = made->socket.local_address().to_string();
  c.members["fd"] = made->socket.native_handle();
  name.fill(std::move(made));
  co_return;
}

task<> prepare_listen(call& c) {
  net::listen_options options;
  options.backlog = static_cast<unsigned>(
      c.asked.number_or("backlog", options.backlog, 0, std::numeric_limits<unsigned>::max()));
  options.reuse_port = c.asked.flag("reuseport");
  options.v6_only = c.asked.flag("v6only");
  static_cast<void>(c.asked.member("as"));
  const socket_address at = address_of(c.asked);
  return run_listen(c, at, options, c.new_handle());
}

task<> run_accept(call& c, listener_ptr from, handle_table::reservation name) {
  auto operation = from->socket.accept();
  begun accepting(std::move(operation), std::move(from));
  auto made = std::make_shared<tcp_stream>(co_await accepting);
  tell_ends(c.members, *made);
  name.fill(std::move(made));
}

task<> prepare_accept(call& c) {
  return run_accept(c, c.handles.find<listener>(c.asked.text("h")), c.new_handle());
}

net::connect_options connect_options_of(const request& asked) {
  net::connect_options chosen;
  if (!asked.has("options")) return chosen;
  const json& options = asked.member("options");
  if (!options.is_object()) throw refusal::bad_request("\"options\" has to be an object");
  const request list(options);
  for (const auto& [name, value] : options.items()) {
    constexpr std::int64_t most = std::numeric_limits<unsigned>::max();
    if (name == "nodelay")
      chosen.nodelay = list.flag(name);
    else if (name == "rcvbuf")
      chosen.receive_buffer = static_cast<unsigned>(list.number(name, 0, most));
    else if (name == "sndbuf")
      chosen.send_buffer = static_cast<unsigned>(list.number(name, 0, most));
    else
      throw refusal::unsupported(name);
  }
  return chosen;
}

task<> run_dial(call& c, socket_address to, net::connect_options options,
                handle_table::reservation name) {
  auto made = std::make_shared<tcp_stream>(co_await tcp_stream::connect(to, options));
  tell_ends(c.members, *made);
  name.fill(std::move(made));
}

task<> prepare_dial(call& c) {
  const net::connect_options options = connect_options_of(c.asked);
  return run_dial(c, address_of(c.asked), options, c.new_handle());
}

// ----- ending -----

task<> run_close(stream_ptr stream, listener_ptr other) {
  std::error_code said;
  if (stream)
    said = co_await stream->close();
  else
    said = co_await other->socket.close();
  if (said) throw error(said, "close");
}

task<> prepare_close(call& c) {
  const auto found = c.handles.find_any(c.asked.text("h"));
  if (const auto* stream = std::get_if<stream_ptr>(&found)) return run_close(*stream, nullptr);
  return run_close(nullptr, c.handles.find<listener>(c.asked.text("h")));
}

/// The name is freed before anything else; the objects go when the operations that are just
/// starting on them have started.
task<> run_drop(std::vector<handle_table::object> dropped) {
  for (handle_table::object& each : dropped) {
    // Serving refers to its listener until it is closed, so nobody could destroy it before.
    const auto* served = std::get_if<listener_ptr>(&each);
    if (served != nullptr && (*served)->serving > 0)
      static_cast<void>(co_await (*served)->socket.close());
    each = stream_ptr();
  }
}

task<> prepare_drop(call& c) {
  const json& names = c.asked.member("h");
  std::vector<handle_table::object> dropped;
  if (!names.is_array()) {
    dropped.push_back(c.handles.take(c.asked.text("h")));
    return run_drop(std::move(dropped));
  }
  for (const json& name : names)
    if (!name.is_string()) throw refusal::bad_request("\"h\" has to be a name or a list of names");
  for (const json& name : names)
    static_cast<void>(c.handles.find_any(name.get_ref<const std::string&>()));
  for (const json& name : names)
    dropped.push_back(c.handles.take(name.get_ref<const std::string&>()));
  return run_drop(std::move(dropped));
}

task<> run_now(stream_ptr stream, void (*what)(tcp_stream& stream)) {
  what(*stream);
  co_return;
}

task<> prepare_abort(call& c) {
  return run_now(c.handles.find<tcp_stream>(c.asked.text("h")), [](tcp_stream& s) { s.abort(); });
}
task<> prepare_shutr(call& c) {
  return run_now(c.handles.find<tcp_stream>(c.asked.text("h")),
                 [](tcp_stream& s) { s.shutdown_read(); });
}
task<> prepare_shutw(call& c) {
  return run_now(c.handles.find<tcp_stream>(c.asked.text("h")),
                 [](tcp_stream& s) { s.shutdown_write(); });
}

// ----- asking -----

task<> run_ready(call& c, stream_ptr stream) {
  auto operation = stream->wait_readable();
  begun waiting(std::move(operation), std::move(stream));
  co_await waiting;
  c.members["r"] = true;
}

task<> prepare_ready(call& c) {
  static_cast<void>(c.asked.choice("dir", {"r"}));
  return run_ready(c, c.handles.find<tcp_stream>(c.asked.text("h")));
}

task<> run_info(call& c, handle_table::object of) {
  int fd = -1;
  if (const auto* stream = std::get_if<stream_ptr>(&of)) {
    tell_ends(c.members, **stream);
    fd = (*stream)->native_handle();
  } else if (const auto* listens = std::get_if<listener_ptr>(&of)) {
    const tcp_listener& socket = (*listens)->socket;
    tell_address(c.members, "local", [&] { return socket.local_address(); });
    c.members["fd"] = fd = socket.native_handle();
  } else {
    throw refusal::unsupported("h");
  }
  c.members["state"] = fd < 0 ? "closed" : "open";
  if (fd >= 0) {
    c.members["cloexec"] = closes_on_exec(fd);
    c.members["nonblock"] = never_blocks(fd);
  }
  co_return;
}

task<> prepare_info(call& c) {
  handle_table::object of = c.handles.find_any(c.asked.text("h"));
  if (std::holds_alternative<timer_ptr>(of)) throw refusal::bad_request("\"h\" is a timer");
  return run_info(c, std::move(of));
}

/// Sets the option if there is a value, then gets it.
task<> run_option(call& c, stream_ptr stream, std::string name, std::optional<std::int64_t> set) {
  tcp_stream& on = *stream;
  const auto bytes = static_cast<unsigned>(set.value_or(0));
  json& value = c.members["value"];
  if (name == "nodelay") {
    if (set) on.set_nodelay(*set != 0);
    value = on.nodelay();
  } else if (name == "keepalive") {
    net::keepalive_options keepalive;
    keepalive.enabled = set.value_or(0) != 0;
    if (set) on.set_keepalive(keepalive);
    value = on.keepalive();
  } else if (name == "rcvbuf") {
    if (set) on.set_receive_buffer(bytes);
    value = on.receive_buffer();
  } else if (name == "sndbuf") {
    if (set) on.set_send_buffer(bytes);
    value = on.send_buffer();
  } else {
    if (set) on.set_linger(static_cast<int>(*set));
    value = linger_seconds(on.native_handle());
  }
  co_return;
}

task<> prepare_option(call& c) {
  const std::string name =
      c.asked.choice("name", {"nodelay", "keepalive", "linger", "rcvbuf", "sndbuf"});
  std::optional<std::int64_t> set;
  if (c.asked.has("value")) {
    if (name == "nodelay" || name == "keepalive")
      set = c.asked.flag("value") ? 1 : 0;
    else
      set = c.asked.number("value", name == "linger" ? -1 : 0, std::numeric_limits<int>::max());
  }
  return run_option(c, c.handles.find<tcp_stream>(c.asked.text("h")), name, set);
}

// ----- deadlines -----

/// `ms` from now; null is none.
clock::time_point moment_of(const request& asked) {
  if (asked.member("ms").is_null()) return clock::time_point::max();
  constexpr std::int64_t most_ms = 9'000'000'000'000;  // 285 years; then it is as good as never.
  const std::int64_t ms = asked.number("ms", INT64_MIN);
  return clock::now() + std::chrono::milliseconds(std::clamp(ms, -most_ms, most_ms));
}

task<> run_deadline(handle_table::object of, std::string direction, clock::time_point when) {
  if (const auto* stream = std::get_if<stream_ptr>(&of)) {
    if (direction == "r")
      (*stream)->set_read_deadline(when);
    else if (direction == "w")
      (*stream)->set_write_deadline(when);
    else
      (*stream)->set_deadline(when);
  } else {
    std::get<listener_ptr>(of)->socket.set_deadline(when);
  }
  co_return;
}

task<> prepare_deadline(call& c) {
  const auto of = c.handles.find_any(c.asked.text("h"));
  const bool listens = std::holds_alternative<listener_ptr>(of);
  std::string direction =
      listens ? c.asked.choice("dir", {"r"}) : c.asked.choice("dir", {"r", "w", "rw"});
  return run_deadline(of, std::move(direction), moment_of(c.asked));
}

const verb table[] = {
    {"listen", {"net", "addr", "as", "backlog", "reuseport", "v6only"}, prepare_listen},
    {"accept", {"h", "as"}, prepare_accept},
    {"dial", {"net", "addr", "as", "options"}, prepare_dial},
    {"close", {"h"}, prepare_close},
    {"drop", {"h"}, prepare_drop},
    {"abort", {"h"}, prepare_abort},
    {"shutr", {"h"}, prepare_shutr},
    {"shutw", {"h"}, prepare_shutw},
    {"deadline", {"h", "dir", "ms"}, prepare_deadline},
    {"ready", {"h", "dir"}, prepare_ready},
    {"info", {"h"}, prepare_info},
    {"option", {"h", "name", "value"}, prepare_option},
};

}  // namespace

std::span<const verb> stream_verbs() { return table; }

}  // namespace cove::driver
