#include <cove/io/duplex.hpp>

namespace cove::io {

using detail::memory_hold;
using detail::memory_pipe;

duplex_ends duplex(std::size_t capacity) {
  if (capacity == 0)
    throw error(std::make_error_code(std::errc::invalid_argument), "duplex 0",
                "give room for at least one byte");
  memory_hold there_in(memory_pipe::make(capacity), memory_pipe::end::writer);
  memory_hold there_out = there_in.opposite();
  memory_hold back_in(memory_pipe::make(capacity), memory_pipe::end::writer);
  memory_hold back_out = back_in.opposite();
  return {duplex_stream(std::move(back_out), std::move(there_in)),
          duplex_stream(std::move(there_out), std::move(back_in))};
}

}  // namespace cove::io
