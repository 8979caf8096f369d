#include <cove/io/duplex.hpp>

namespace cove::io {

using detail::memory_hold;
using detail::memory_pipe;

namespace {

memory_hold make_writer(std::size_t capacity) {
  if (capacity == 0)
    throw error(std::make_error_code(std::errc::invalid_argument), "duplex 0",
                "give room for at least one byte");
  return {memory_pipe::make(capacity), memory_pipe::end::writer};
}

}  // namespace

duplex_ends::duplex_ends(std::size_t capacity) {
  memory_hold there = make_writer(capacity);
  memory_hold back = make_writer(capacity);
  memory_hold there_out = there.opposite();
  near = duplex_stream(back.opposite(), std::move(there));
  far = duplex_stream(std::move(there_out), std::move(back));
}

duplex_ends duplex(std::size_t capacity) { return duplex_ends(capacity); }

}  // namespace cove::io
