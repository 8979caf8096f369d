#pragma once

#include <cove/net.hpp>
#include <cove/runtime.hpp>

#include <functional>
#include <vector>

#include "load.hpp"

namespace cove::examples {

/// Opens every `stride`th connection, one after the other. What fails is counted and leaves a
/// closed stream in its place.
inline task<> open_some(net::socket_address to, std::vector<net::tcp_stream>& streams,
                        std::size_t first, std::size_t stride, tally& results) {
  for (std::size_t i = first; i < streams.size(); i += stride) {
    try {
      streams[i] = co_await net::tcp_stream::connect(to);
    } catch (const canceled&) {
      throw;
    } catch (const error& why) {
      results.failed(why.what());
    }
  }
}

inline task<> start_opening(net::socket_address to, std::vector<net::tcp_stream>& streams,
                            unsigned at_once, tally& results, scope& opening) {
  for (unsigned i = 0; i < at_once; ++i)
    opening.spawn(open_some, to, std::ref(streams), i, at_once, std::ref(results)).detach();
  co_return;
}

/// Fills `streams` with connections, `at_once` of them being opened at a time: a listener's queue
/// is finite, and what does not fit into it is tried again by the system only after a second.
inline task<> open_streams(net::socket_address to, std::vector<net::tcp_stream>& streams,
                           unsigned at_once, tally& results) {
  co_await with_scope(
      std::bind_front(start_opening, to, std::ref(streams), at_once, std::ref(results)));
}

}  // namespace cove::examples
