#include "verbs.hpp"

#include "still_there.hpp"
#include "vectored.hpp"

#include <algorithm>

// Writing. What an operation moved is told with its failure as well: the library's io_error says
// how much (call::fail), and what came before it was counted when it moved.

namespace cove::driver {
namespace {

template <writable_stream S>
task<> run_write(call& c, std::weak_ptr<S> to, bytes data, std::size_t chunk) {
  std::span<const std::byte> rest(data);
  do {
    const auto part = rest.first(std::min(rest.size(), chunk));
    auto writing = write_once(c, to, part);
    co_await std::move(writing);
    rest = rest.subspan(part.size());
  } while (!rest.empty());
}

task<> prepare_write(call& c) {
  const auto chunk = static_cast<std::size_t>(c.asked.number_or("chunk", INT64_MAX, 1));
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return with_object(c, [&]<writable_stream S>(std::shared_ptr<S> to) {
    return run_write<S>(c, std::move(to), std::move(data), chunk);
  });
}

template <writable_stream S>
task<> run_write_some(call& c, std::shared_ptr<S> to, bytes data) {
  auto operation = to->write_some(data);
  begun writing(std::move(operation), std::move(to));
  const std::size_t n = co_await writing;
  c.moved(n);
}

task<> prepare_write_some(call& c) {
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return with_object(c, [&]<writable_stream S>(std::shared_ptr<S> to) {
    return run_write_some(c, std::move(to), std::move(data));
  });
}

template <try_writable S>
task<> run_try_write(call& c, std::shared_ptr<S> to, bytes data) {
  const io_result put = to->try_write(data);
  if (put.error) throw io_error(put.error, "try_write", put.n);
  c.moved(put.n);
  co_return;
}

task<> prepare_try_write(call& c) {
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return with_object(c, [&]<try_writable S>(std::shared_ptr<S> to) {
    return run_try_write(c, std::move(to), std::move(data));
  });
}

template <vector_writable S>
task<> run_writev(call& c, std::shared_ptr<S> to, send_vector from) {
  auto operation = to->write_all(from.parts());
  begun writing(std::move(operation), std::move(to));
  co_await writing;
  c.moved(from.size());
}

task<> prepare_writev(call& c) {
  c.moves_bytes();
  send_vector from(c.asked, "off");
  return with_object(c, [&]<vector_writable S>(std::shared_ptr<S> to) {
    return run_writev(c, std::move(to), std::move(from));
  });
}

const verb table[] = {
    {"write", {"h", "count", "seed", "off", "hex", "text", "chunk"}, prepare_write},
    {"write_some", {"h", "count", "seed", "off", "hex", "text"}, prepare_write_some},
    {"try_write", {"h", "count", "seed", "off", "hex", "text"}, prepare_try_write},
    {"writev", {"h", "lens", "seed", "off"}, prepare_writev},
};

}  // namespace

std::span<const verb> write_verbs() { return table; }

}  // namespace cove::driver
