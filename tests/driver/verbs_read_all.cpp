#include "verbs.hpp"

#include "still_there.hpp"

#include <functional>
#include <random>

// Reading to the end: in pieces, interrupted at random, or echoed.

namespace cove::driver {
namespace {

// ----- in pieces -----

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
template <readable_stream S>
task<> read_once(std::weak_ptr<S> from, std::span<std::byte> room, io_result* got) {
  auto object = still_there(from);
  if constexpr (has_reader<S>)
    if (object->reader) {
      auto ahead = object->reader->read_some(room).as_result();
      *got = co_await ahead;
      co_return;
    }
  auto operation = object->read_some(room).as_result();
  begun reading(std::move(operation), std::move(object));
  *got = co_await reading;
}
using one_read = std::function<task<>(std::span<std::byte> room, io_result* got)>;

/// One read that a sibling cancels after a while, whatever it has come to by then.
task<> read_and_cancel(task<> reading, std::chrono::microseconds after) {
  const auto body = [&](scope& parts) -> task<> {
    parts
        .spawn(
            [](scope* whole, std::chrono::microseconds delay) -> task<> {
              co_await this_task::sleep_for(delay);
              whole->cancel();
            },
            &parts, after)
        .detach();
    co_await std::move(reading);
    parts.cancel();
  };
  static_cast<void>(co_await with_scope(body).as_result());
}

class whole_reading {
 public:
  whole_reading(call& c, one_read from, const reading_plan& plan)
      : call_(c),
        read_(std::move(from)),
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
  const one_read read_;
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
  auto reading = read_(room, &got_);
  if (!plan_.interrupt_us) {
    co_await std::move(reading);
    co_return;
  }
  const std::chrono::microseconds after(draw(*plan_.interrupt_us));
  const bool cancels = plan_.cancels && (!plan_.limits || draw({0, 1}) == 0);
  if (cancels)
    co_await read_and_cancel(std::move(reading), after);
  else
    static_cast<void>(co_await with_timeout(std::move(reading), after).as_result());
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
  const reading_plan plan = reading_plan_of(c.asked);
  return with_object(c, [&]<readable_stream S>(std::shared_ptr<S> from) {
    auto read = [from = std::weak_ptr(from)](std::span<std::byte> room, io_result* got) {
      return read_once(from, room, got);
    };
    return run_read_all(std::make_unique<whole_reading>(c, std::move(read), plan));
  });
}

// ----- echoing -----

template <io::byte_stream S>
task<> run_echo(call& c, std::weak_ptr<S> with) {
  bytes room(65536);
  for (;;) {
    io_result got;
    auto reading = read_once(with, room, &got);
    co_await std::move(reading);
    if (got.error) throw error(got.error, "echo");
    if (got.n == 0) break;
    auto writing = write_once(c, with, std::span(room).first(got.n));
    co_await std::move(writing);
  }
  still_there(with)->shutdown_write();
}

task<> prepare_echo(call& c) {
  c.moves_bytes();
  return with_object(
      c, [&]<io::byte_stream S>(std::shared_ptr<S> with) { return run_echo<S>(c, with); });
}

const verb table[] = {
    {"read_all",
     {"h", "max", "size", "interrupt_us", "interrupt", "seed", "data"},
     prepare_read_all},
    {"echo", {"h"}, prepare_echo},
};

}  // namespace

std::span<const verb> read_all_verbs() { return table; }

}  // namespace cove::driver
