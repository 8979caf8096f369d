#include "verbs.hpp"

#include "begun.hpp"

#include <algorithm>
#include <random>

// Reading and writing. What an operation moved is told with its failure as well: the library's
// io_error says how much (call::fail), and what came before it was counted when it moved.

namespace cove::driver {
namespace {

using net::tcp_stream;

stream_ptr stream_of(const call& c) { return c.handles.find<tcp_stream>(c.asked.text("h")); }

/// The stream of an operation that is made of several; a drop between two of them ends it.
stream_ptr still_there(const std::weak_ptr<tcp_stream>& stream) {
  if (auto found = stream.lock()) return found;
  throw error(errc::closed, "stream", "it was dropped");
}

/// A read of something that gave nothing has met the end.
void took(call& c, std::size_t n, std::size_t wanted) {
  c.moved(n);
  if (n == 0 && wanted != 0) c.fail("eof", "");
}

template <class Operation>
task<> take_some(call& c, Operation operation, stream_ptr stream, std::size_t wanted) {
  begun reading(std::move(operation), std::move(stream));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, wanted);
}

task<> prepare_read(call& c) {
  c.receives();
  stream_ptr stream = stream_of(c);
  auto operation = stream->read_some(c.room());
  return take_some(c, std::move(operation), std::move(stream), c.room().size());
}

task<> prepare_peek(call& c) {
  c.receives();
  stream_ptr stream = stream_of(c);
  auto operation = stream->peek(c.room());
  return take_some(c, std::move(operation), std::move(stream), c.room().size());
}

task<> run_readv(call& c, stream_ptr stream, std::vector<std::size_t> lengths, bytes room) {
  std::vector<io::mutable_buffer> parts;
  std::size_t at = 0;
  for (const std::size_t length : lengths) {
    parts.emplace_back(std::span(room).subspan(at, length));
    at += length;
  }
  auto operation = stream->read_some(std::span<const io::mutable_buffer>(parts));
  begun reading(std::move(operation), std::move(stream));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, room.size());
  receipt received(c.asked.flag("data"));
  received.add(std::span(room).first(n));
  received.put_into(c.members);
}

std::size_t total_of(const std::vector<std::size_t>& lengths) {
  std::size_t total = 0;
  for (const std::size_t length : lengths)
    if (__builtin_add_overflow(total, length, &total)) throw std::bad_alloc();
  return total;
}

task<> prepare_readv(call& c) {
  std::vector<std::size_t> lengths = c.asked.sizes("lens");
  receipt(c.asked.flag("data")).put_into(c.members);
  bytes room(total_of(lengths));
  return run_readv(c, stream_of(c), std::move(lengths), std::move(room));
}

task<> run_read_exact(call& c, stream_ptr stream) {
  auto operation = stream->read_exact(c.room());
  begun reading(std::move(operation), std::move(stream));
  co_await reading;
  c.moved(c.room().size());
}

task<> prepare_read_exact(call& c) {
  c.receives();
  return run_read_exact(c, stream_of(c));
}

task<> run_try_read(call& c, stream_ptr stream) {
  const io_result got = stream->try_read(c.room());
  c.end();
  if (got.error) throw io_error(got.error, "try_read", got.n);
  took(c, got.n, c.room().size());
  co_return;
}

task<> prepare_try_read(call& c) {
  c.receives();
  return run_try_read(c, stream_of(c));
}

// ----- writing -----

task<> run_write(call& c, std::weak_ptr<tcp_stream> to, bytes data, std::size_t chunk) {
  std::span<const std::byte> rest(data);
  do {
    const auto part = rest.first(std::min(rest.size(), chunk));
    stream_ptr stream = still_there(to);
    auto operation = stream->write_all(part);
    begun writing(std::move(operation), std::move(stream));
    co_await writing;
    c.moved(part.size());
    rest = rest.subspan(part.size());
  } while (!rest.empty());
}

task<> prepare_write(call& c) {
  const auto chunk = static_cast<std::size_t>(c.asked.number_or("chunk", INT64_MAX, 1));
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return run_write(c, stream_of(c), std::move(data), chunk);
}

task<> run_write_some(call& c, stream_ptr stream, bytes data) {
  auto operation = stream->write_some(data);
  begun writing(std::move(operation), std::move(stream));
  const std::size_t n = co_await writing;
  c.moved(n);
}

task<> prepare_write_some(call& c) {
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return run_write_some(c, stream_of(c), std::move(data));
}

task<> run_try_write(call& c, stream_ptr stream, bytes data) {
  const io_result put = stream->try_write(data);
  if (put.error) throw io_error(put.error, "try_write", put.n);
  c.moved(put.n);
  co_return;
}

task<> prepare_try_write(call& c) {
  c.moves_bytes();
  bytes data = payload_of(c.asked);
  return run_try_write(c, stream_of(c), std::move(data));
}

task<> run_writev(call& c, stream_ptr stream, std::vector<std::size_t> lengths, bytes data) {
  std::vector<io::const_buffer> parts;
  std::size_t at = 0;
  for (const std::size_t length : lengths) {
    parts.emplace_back(std::span<const std::byte>(data).subspan(at, length));
    at += length;
  }
  auto operation = stream->write_all(std::span<const io::const_buffer>(parts));
  begun writing(std::move(operation), std::move(stream));
  co_await writing;
  c.moved(data.size());
}

task<> prepare_writev(call& c) {
  std::vector<std::size_t> lengths = c.asked.sizes("lens");
  c.moves_bytes();
  bytes data = pattern(static_cast<std::uint64_t>(c.asked.number_or("seed", 1, INT64_MIN)),
                       static_cast<std::uint64_t>(c.asked.number_or("off", 0)), total_of(lengths));
  return run_writev(c, stream_of(c), std::move(lengths), std::move(data));
}

// ----- reading to the end -----

struct span_of_numbers {
  std::int64_t low;
  std::int64_t high;
};

/// How read_all cuts up what it reads, and how it is interrupted.
struct reading_plan {
  std::int64_t most;
  span_of_numbers size;
  std::optional<span_of_numbers> interrupt_us;
  bool cancels = false;
  bool limits = false;
  std::uint64_t seed;
};

span_of_numbers range_of(const request& asked, std::string_view name, std::int64_t least) {
  const json& list = asked.member(name);
  if (!list.is_array() || list.size() != 2)
    throw refusal::bad_request("\"" + std::string(name) + "\" has to be [lo,hi]");
  const span_of_numbers range{whole_number(list[0], name, least),
                              whole_number(list[1], name, least)};
  if (range.low > range.high)
    throw refusal::bad_request("\"" + std::string(name) + "\" has to be [lo,hi] with lo <= hi");
  return range;
}

reading_plan reading_plan_of(const request& asked) {
  reading_plan plan{};
  plan.most = asked.number_or("max", INT64_MAX, 0);
  plan.size = asked.has("size") ? range_of(asked, "size", 1) : span_of_numbers{65536, 65536};
  plan.seed = static_cast<std::uint64_t>(asked.number_or("seed", 1, INT64_MIN));
  if (asked.has("interrupt") && !asked.has("interrupt_us"))
    throw refusal::bad_request("\"interrupt\" belongs to \"interrupt_us\"");
  if (!asked.has("interrupt_us")) return plan;
  plan.interrupt_us = range_of(asked, "interrupt_us", 0);
  const std::string how =
      asked.has("interrupt") ? asked.choice("interrupt", {"cancel", "timeout", "mix"}) : "mix";
  plan.cancels = how != "timeout";
  plan.limits = how != "cancel";
  return plan;
}

/// One read, noted where a canceller cannot lose it.
task<> read_once(std::weak_ptr<tcp_stream> from, std::span<std::byte> room, io_result* got) {
  stream_ptr stream = still_there(from);
  auto operation = stream->read_some(room).as_result();
  begun reading(std::move(operation), std::move(stream));
  *got = co_await reading;
}

/// One read that a sibling cancels after a while, whatever it has come to by then.
task<> read_and_cancel(std::weak_ptr<tcp_stream> from, std::span<std::byte> room, io_result* got,
                       std::chrono::microseconds after) {
  const auto body = [&](scope& parts) -> task<> {
    parts
        .spawn(
            [](scope* whole, std::chrono::microseconds delay) -> task<> {
              co_await this_task::sleep_for(delay);
              whole->cancel();
            },
            &parts, after)
        .detach();
    co_await read_once(from, room, got);
    parts.cancel();
  };
  static_cast<void>(co_await with_scope(body).as_result());
}

class whole_reading {
 public:
  whole_reading(call& c, std::weak_ptr<tcp_stream> from, const reading_plan& plan)
      : call_(c),
        from_(std::move(from)),
        plan_(plan),
        random_(plan.seed),
        received_(c.asked.flag("data")) {}

  task<> run();

 private:
  std::int64_t draw(span_of_numbers range) {
    return std::uniform_int_distribution<std::int64_t>(range.low, range.high)(random_);
  }
  task<> read_next(std::span<std::byte> room);
  void tell(const char* end);

  call& call_;
  const std::weak_ptr<tcp_stream> from_;
  const reading_plan plan_;
  std::mt19937_64 random_;
  receipt received_;
  io_result got_;
  std::uint64_t reads_ = 0;
  std::uint64_t cancels_ = 0;
  std::uint64_t timeouts_ = 0;
};

task<> whole_reading::read_next(std::span<std::byte> room) {
  got_ = {0, std::make_error_code(std::errc::operation_canceled)};
  if (!plan_.interrupt_us) {
    co_await read_once(from_, room, &got_);
    co_return;
  }
  const std::chrono::microseconds after(draw(*plan_.interrupt_us));
  const bool cancels = plan_.cancels && (!plan_.limits || draw({0, 1}) == 0);
  if (cancels)
    co_await read_and_cancel(from_, room, &got_, after);
  else
    static_cast<void>(co_await with_timeout(read_once(from_, room, &got_), after).as_result());
}

void whole_reading::tell(const char* end) {
  received_.put_into(call_.members);
  call_.members["reads"] = reads_;
  call_.members["cancels"] = cancels_;
  call_.members["timeouts"] = timeouts_;
  if (end != nullptr) call_.members["end"] = end;
}

task<> whole_reading::run() {
  bytes room(static_cast<std::size_t>(plan_.size.high));
  for (;;) {
    const auto left = static_cast<std::size_t>(plan_.most) - received_.count();
    if (left == 0) co_return tell("max");
    const auto size = std::min(static_cast<std::size_t>(draw(plan_.size)), left);
    co_await read_next(std::span(room).first(size));
    ++reads_;
    received_.add(std::span(room).first(got_.n));
    if (!got_.error && got_.n == 0) co_return tell("eof");
    if (!got_.error) continue;
    const bool cancelled = got_.error == std::errc::operation_canceled;
    const bool timed_out = got_.error == errc::deadline_exceeded;
    tell(nullptr);
    if (!plan_.interrupt_us || (!cancelled && !timed_out)) throw error(got_.error, "read_all");
    ++(cancelled ? cancels_ : timeouts_);
    co_await this_task::yield();  // Whether all of this was cancelled.
  }
}

task<> run_read_all(std::unique_ptr<whole_reading> reading) { co_await reading->run(); }

task<> prepare_read_all(call& c) {
  receipt(c.asked.flag("data")).put_into(c.members);
  auto reading = std::make_unique<whole_reading>(c, stream_of(c), reading_plan_of(c.asked));
  return run_read_all(std::move(reading));
}

// ----- echoing -----

task<> run_echo(call& c, std::weak_ptr<tcp_stream> with) {
  bytes room(65536);
  for (;;) {
    io_result got;
    co_await read_once(with, room, &got);
    if (got.error) throw error(got.error, "echo");
    if (got.n == 0) break;
    stream_ptr stream = still_there(with);
    auto operation = stream->write_all(std::span(room).first(got.n));
    begun writing(std::move(operation), std::move(stream));
    co_await writing;
    c.moved(got.n);
  }
  still_there(with)->shutdown_write();
}

task<> prepare_echo(call& c) {
  c.moves_bytes();
  return run_echo(c, stream_of(c));
}

const verb table[] = {
    {"read", {"h", "n", "guard_ms", "data"}, prepare_read},
    {"peek", {"h", "n", "guard_ms", "data"}, prepare_peek},
    {"readv", {"h", "lens", "data"}, prepare_readv},
    {"read_exact", {"h", "n", "guard_ms", "data"}, prepare_read_exact},
    {"try_read", {"h", "n", "guard_ms", "data"}, prepare_try_read},
    {"read_all",
     {"h", "max", "size", "interrupt_us", "interrupt", "seed", "data"},
     prepare_read_all},
    {"write", {"h", "count", "seed", "off", "hex", "text", "chunk"}, prepare_write},
    {"write_some", {"h", "count", "seed", "off", "hex", "text"}, prepare_write_some},
    {"try_write", {"h", "count", "seed", "off", "hex", "text"}, prepare_try_write},
    {"writev", {"h", "lens", "seed", "off"}, prepare_writev},
    {"echo", {"h"}, prepare_echo},
};

}  // namespace

std::span<const verb> transfer_verbs() { return table; }

}  // namespace cove::driver
