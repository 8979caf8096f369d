#pragma once

#include "crowd.hpp"

#include <memory>
#include <stdexcept>
#include <string_view>

namespace notify {

/// This way cannot be measured here; the text says why.
class unavailable : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The least that one thread needs to be told, without any runtime.
class floor_loop {
 public:
  virtual ~floor_loop() = default;

  /// Until `count` descriptors have become readable and their bytes were read.
  virtual void collect(std::size_t count) = 0;
};

/// `how` is bare, select, poll, epoll-lt, epoll or io_uring; bare is told nothing, as it knows.
/// Errors: unavailable; invalid_argument for another name.
std::unique_ptr<floor_loop> make_floor(std::string_view how, const crowd& of);

/// One of them, in a file of its own as it needs liburing. Errors: unavailable.
std::unique_ptr<floor_loop> make_uring_floor(const crowd& of);

}  // namespace notify
