#include "verbs.hpp"

#include "begun.hpp"
#include "kinds.hpp"
#include "system.hpp"

#include <limits>

// Listeners and streams: making them, what only they can do, and their options.

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

// ----- making -----

task<> run_listen(call& c, socket_address at, net::listen_options options,
                  handle_table::reservation name) {
  auto made = std::make_shared<listener>(tcp_listener::bind(at, options));
  tell_ends(c.members, *made);
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
  auto operation = from->accept();
  begun accepting(std::move(operation), std::move(from));
  auto made = std::make_shared<stream>(co_await accepting);
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
  auto made = std::make_shared<stream>(co_await tcp_stream::connect(to, options));
  tell_ends(c.members, *made);
  name.fill(std::move(made));
}

task<> prepare_dial(call& c) {
  const net::connect_options options = connect_options_of(c.asked);
  return run_dial(c, address_of(c.asked), options, c.new_handle());
}

// ----- ending a direction, or all at once -----

task<> run_now(stream_ptr on, void (*what)(tcp_stream& stream)) {
  what(*on);
  co_return;
}

task<> prepare_abort(call& c) {
  return run_now(c.handles.find<stream>(c.asked.text("h")), [](tcp_stream& s) { s.abort(); });
}
task<> prepare_shutr(call& c) {
  return run_now(c.handles.find<stream>(c.asked.text("h")),
                 [](tcp_stream& s) { s.shutdown_read(); });
}
task<> prepare_shutw(call& c) {
  return run_now(c.handles.find<stream>(c.asked.text("h")),
                 [](tcp_stream& s) { s.shutdown_write(); });
}

// ----- options -----

/// Sets the option if there is a value, then gets it.
task<> run_option(call& c, stream_ptr of, std::string name, std::optional<std::int64_t> set) {
  tcp_stream& on = *of;
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
  return run_option(c, c.handles.find<stream>(c.asked.text("h")), name, set);
}

const verb table[] = {
    {"listen", {"net", "addr", "as", "backlog", "reuseport", "v6only"}, prepare_listen},
    {"accept", {"h", "as"}, prepare_accept},
    {"dial", {"net", "addr", "as", "options"}, prepare_dial},
    {"abort", {"h"}, prepare_abort},
    {"shutr", {"h"}, prepare_shutr},
    {"shutw", {"h"}, prepare_shutw},
    {"option", {"h", "name", "value"}, prepare_option},
};

}  // namespace

std::span<const verb> stream_verbs() { return table; }

}  // namespace cove::driver
