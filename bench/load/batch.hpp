// What a connection sends at once, and what has to come back: `depth` messages or requests. Nothing
// is kept for a connection but a number, from which the bytes follow: a stamp begins each message
// of an echo, and no two batches of a run have the same.
#pragma once

#include "options.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace load {

class batch {
 public:
  // For HTTP it asks the server once, to learn the size of its responses.
  explicit batch(const options& wanted);

  // What to send as batch `serial`; valid until the next call.
  std::span<const char> request(std::uint64_t serial);

  // Whether these bytes, which came at `from` in the replies to batch `serial`, are right.
  bool is_right(std::uint64_t serial, std::size_t from, std::span<const char> got);

  std::size_t request_size() const { return bytes_.size(); }
  std::size_t reply_size() const { return depth_ * reply_size_; }

 private:
  bool is_http_;
  std::size_t depth_;
  std::size_t size_;        // Of a request.
  std::size_t reply_size_;  // Of a reply.
  std::string bytes_;
};

}  // namespace load
