#include "verbs.hpp"

#include "begun.hpp"
#include "kinds.hpp"
#include "vectored.hpp"

// One read. What it moved is told with its failure as well: the library's io_error says how much
// (call::fail).

namespace cove::driver {
namespace {

/// A read of something that gave nothing has met the end.
void took(call& c, std::size_t n, std::size_t wanted) {
  c.moved(n);
  if (n == 0 && wanted != 0) c.fail("eof", "");
}

template <class S>
bool has_read_ahead(const S& from) {
  if constexpr (has_reader<S>) return from.reader.has_value();
  return false;
}

/// What reads past the buffer of `read_until` would skip what is in it.
template <class S>
void refuse_read_ahead(const S& from) {
  if (has_read_ahead(from))
    throw refusal::bad_request("\"h\" has been read by read_until, which reads ahead");
}

template <class Operation, class S>
task<> take_some(call& c, Operation operation, std::shared_ptr<S> from, std::size_t wanted) {
  begun reading(std::move(operation), std::move(from));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, wanted);
}

template <has_reader S>
task<> take_ahead(call& c, std::shared_ptr<S> from) {
  auto reading = from->reader->read_some(c.room());
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, c.room().size());
}

task<> prepare_read(call& c) {
  c.receives();
  return with_object(c, [&]<readable_stream S>(std::shared_ptr<S> from) {
    if constexpr (has_reader<S>)
      if (from->reader) return take_ahead(c, std::move(from));
    auto operation = from->read_some(c.room());
    return take_some(c, std::move(operation), std::move(from), c.room().size());
  });
}

task<> prepare_peek(call& c) {
  c.receives();
  return with_object(c, [&]<peekable S>(std::shared_ptr<S> from) {
    refuse_read_ahead(*from);
    auto operation = from->peek(c.room());
    return take_some(c, std::move(operation), std::move(from), c.room().size());
  });
}

template <vector_readable S>
task<> run_readv(call& c, std::shared_ptr<S> from, receive_vector into) {
  auto operation = from->read_some(into.parts());
  begun reading(std::move(operation), std::move(from));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, into.size());
  into.tell(c, n);
}

task<> prepare_readv(call& c) {
  receive_vector into(c);
  return with_object(c, [&]<vector_readable S>(std::shared_ptr<S> from) {
    refuse_read_ahead(*from);
    return run_readv(c, std::move(from), std::move(into));
  });
}

template <class Operation, class S>
task<> take_all(call& c, Operation operation, std::shared_ptr<S> from) {
  begun reading(std::move(operation), std::move(from));
  co_await reading;
  c.moved(c.room().size());
}

template <has_reader S>
task<> take_all_ahead(call& c, std::shared_ptr<S> from) {
  auto reading = from->reader->read_exact(c.room());
  co_await reading;
  c.moved(c.room().size());
}

task<> prepare_read_exact(call& c) {
  c.receives();
  return with_object(c, [&]<exactly_readable S>(std::shared_ptr<S> from) {
    if constexpr (has_reader<S>)
      if (from->reader) return take_all_ahead(c, std::move(from));
    auto operation = from->read_exact(c.room());
    return take_all(c, std::move(operation), std::move(from));
  });
}

template <try_readable S>
task<> run_try_read(call& c, std::shared_ptr<S> from) {
  const io_result got = from->try_read(c.room());
  c.end();
  if (got.error) throw io_error(got.error, "try_read", got.n);
  took(c, got.n, c.room().size());
  co_return;
}

task<> prepare_try_read(call& c) {
  c.receives();
  return with_object(c, [&]<try_readable S>(std::shared_ptr<S> from) {
    refuse_read_ahead(*from);
    return run_try_read(c, std::move(from));
  });
}

/// What is not taken, after a failure, is what the next read gives.
template <has_reader S>
task<> run_read_until(call& c, std::shared_ptr<S> from, bytes delimiter, std::size_t most) {
  if (!from->reader) from->reader.emplace(*from);
  const std::string_view text(reinterpret_cast<const char*>(delimiter.data()), delimiter.size());
  auto reading = from->reader->read_until(text, most);
  const std::string_view piece = co_await std::move(reading);
  c.end();
  receipt received(c.asked.flag("data"));
  received.add(io::bytes_of(piece));
  received.put_into(c.members);
}

task<> prepare_read_until(call& c) {
  receipt(c.asked.flag("data")).put_into(c.members);
  bytes delimiter = from_hex(c.asked.text("delim"), "delim");
  const auto most = static_cast<std::size_t>(c.asked.number("max"));
  return with_object(c, [&]<has_reader S>(std::shared_ptr<S> from) {
    return run_read_until(c, std::move(from), std::move(delimiter), most);
  });
}

const verb table[] = {
    {"read", {"h", "n", "guard_ms", "data"}, prepare_read},
    {"peek", {"h", "n", "guard_ms", "data"}, prepare_peek},
    {"readv", {"h", "lens", "data"}, prepare_readv},
    {"read_exact", {"h", "n", "guard_ms", "data"}, prepare_read_exact},
    {"try_read", {"h", "n", "guard_ms", "data"}, prepare_try_read},
    {"read_until", {"h", "delim", "max", "data"}, prepare_read_until},
};

}  // namespace

std::span<const verb> read_verbs() { return table; }

}  // namespace cove::driver
