#pragma once

#include "begun.hpp"
#include "kinds.hpp"

namespace cove::driver {

/// The object of an operation that is made of several; a drop between two of them ends it.
template <class S>
std::shared_ptr<S> still_there(const std::weak_ptr<S>& object) {
  if (auto found = object.lock()) return found;
  throw error(errc::closed, "stream", "it was dropped");
}

/// One write of all of `data`, counted when it is done.
template <writable_stream S>
task<> write_once(call& c, std::weak_ptr<S> to, std::span<const std::byte> data) {
  auto object = still_there(to);
  auto operation = object->write_all(data);
  begun writing(std::move(operation), std::move(object));
  co_await writing;
  c.moved(data.size());
}

}  // namespace cove::driver
