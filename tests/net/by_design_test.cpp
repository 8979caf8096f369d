// Rows of the conformance checklist whose fault the interface cannot express. What makes them
// impossible is checked by the compiler where it can be.

#include "support/conformance_report.hpp"

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <type_traits>

using cove::task;
using cove::net::socket_address;
using cove::net::tcp_listener;
using cove::net::tcp_stream;
using cove::test::impossible_by_design;

namespace {

// There is no stream before its connection: connecting makes it.
static_assert(std::is_same_v<decltype(tcp_stream::connect(std::declval<socket_address>())),
                             task<tcp_stream>>);
template <class Stream>
concept connects_later =
    requires(Stream stream, task<> done, socket_address to) { done = stream.connect(to); };
static_assert(!connects_later<tcp_stream>);

// A listener is made bound and listening, and stays what it is.
static_assert(
    std::is_same_v<decltype(tcp_listener::bind(std::declval<socket_address>())), tcp_listener>);
template <class Listener>
concept listens_later = requires(Listener listener) { listener.listen(1); };
static_assert(!listens_later<tcp_listener>);

// What ends later is awaited; nothing takes a function to be called then.
struct callback {
  void operator()(std::error_code) const {}
};
template <class Stream>
concept closes_with_callback = requires(Stream stream) { stream.close(callback{}); };
static_assert(!closes_with_callback<tcp_stream> && !closes_with_callback<tcp_listener>);
template <class Time>
concept sleeps_with_callback =
    requires(Time time) { cove::this_task::sleep_for(time, callback{}); };
static_assert(!sleeps_with_callback<cove::clock::duration>);

}  // namespace

TEST_CASE("C03 C16 C17 there is no stream before it is connected") {
  impossible_by_design("tcp_stream::connect gives a stream only once it is connected");
}

TEST_CASE("L03 L04 there is no listener that could be bound again") {
  impossible_by_design("tcp_listener::bind gives a new listener that listens already");
}

TEST_CASE("K07 closing takes no callback that could close another") {
  impossible_by_design("ends are awaited; no callbacks whose order could surprise");
}

TEST_CASE("T04 T08 a sleep takes no callback") {
  impossible_by_design("timers resume a task; no callback to stop or repeat it in");
}
