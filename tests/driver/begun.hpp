#pragma once

#include <memory>
#include <utility>

namespace cove::driver {

/// An operation of the library that lets go of its object as soon as it has started: "the object
/// must outlive the start of an operation". From then on `drop` may destroy it.
///
///     auto operation = stream->read_some(room);
///     begun reading(std::move(operation), std::move(stream));
///     const std::size_t n = co_await reading;
template <class Operation, class Object>
class begun : public Operation {
 public:
  begun(Operation&& from, std::shared_ptr<Object> object) noexcept
      : Operation(std::move(from)), object_(std::move(object)) {}
  begun(begun&&) = delete;

  bool await_ready() {
    const bool ready = Operation::await_ready();
    object_.reset();
    return ready;
  }

 private:
  std::shared_ptr<Object> object_;
};

}  // namespace cove::driver
