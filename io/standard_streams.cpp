#include <cove/io/standard_streams.hpp>

#include "standard_streams.hpp"

#include <cove/runtime/blocking.hpp>

namespace cove::io {
namespace {

/// One call on the pool.
template <class Call, class Data>
task<io_result> on_pool(const detail::standard_stream* on, Call call, Data data, std::size_t size) {
  if (on->own.is_closed()) co_return io_result{0, make_error_code(errc::closed)};
  auto work = blocking(pool_lane::file, call, on->number, data, size);
  const result<io_result> said = co_await std::move(work).as_result();
  if (!said) co_return io_result{0, said.error()};
  co_return *said;
}

}  // namespace

transfer<std::size_t> input_stream::read_some(std::span<std::byte> buffer) {
  return {"read_some", read(buffer)};
}

task<transfer_outcome> input_stream::read(std::span<std::byte> buffer) {
  if (buffer.empty())
    co_return transfer_outcome(0, std::make_error_code(std::errc::invalid_argument),
                               "give a buffer of at least one byte");
  if (from_.waits) {
    auto op = detail::make_read<detail::count_operation>(from_.own, detail::io_kind::read, buffer,
                                                         false, "read_some");
    co_return co_await std::move(op).as_result();
  }
  const io_result got =
      co_await on_pool(&from_, detail::read_waiting, buffer.data(), buffer.size());
  co_return got;
}

transfer<std::size_t> output_stream::write_some(std::span<const std::byte> buffer) {
  return {"write_some", write(buffer, false)};
}
transfer<void> output_stream::write_all(std::span<const std::byte> buffer) {
  return {"write_all", write(buffer, true)};
}

task<transfer_outcome> output_stream::write(std::span<const std::byte> buffer, bool all) {
  if (to_.waits) {
    auto op = detail::make_write<detail::count_operation>(to_.own, buffer, all,
                                                          all ? "write_all" : "write_some");
    co_return co_await std::move(op).as_result();
  }
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::span<const std::byte> rest = buffer.subspan(done);
    const io_result put = co_await on_pool(&to_, detail::write_waiting, rest.data(), rest.size());
    done += put.n;
    if (put.error) co_return transfer_outcome(done, put.error);
    if (!all) break;
  }
  co_return transfer_outcome(done, std::error_code());
}

input_stream standard_input() {
  return input_stream(detail::open_standard(0, true, "standard_input"));
}
output_stream standard_output() {
  return output_stream(detail::open_standard(1, false, "standard_output"));
}
output_stream standard_error() {
  return output_stream(detail::open_standard(2, false, "standard_error"));
}

}  // namespace cove::io
