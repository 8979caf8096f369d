#include <cove/io/process.hpp>

#include "process_launch.hpp"

#include <cove/io/buffer.hpp>
#include <cove/runtime/shield.hpp>
#include <cove/runtime/when_all.hpp>

#include <algorithm>

// Runs a program to its end. Its pipes are served at once, each by a task: a program that fills one
// of them while it is expected at another would wait for ever. Whatever goes wrong, it is killed
// and its end is waited for before the failure goes on.

namespace cove::io {
namespace {

using detail::launch_access;

/// A program that has read enough may close its input, or end.
task<> feed(pipe_writer* to, const std::string* input) {
  if (to->is_closed()) co_return;
  const io_result fed = co_await to->write_all(bytes_of(*input)).as_result();
  if (fed.error && fed.error != std::errc::broken_pipe)
    cove::detail::throw_error(fed.error, "input of a process");
  static_cast<void>(co_await to->close());
}

/// Reads to the end. Reads one byte more than allowed, to know of it.
task<> collect(pipe_reader* from, std::string* into, std::size_t most, const std::string* whose) {
  constexpr std::size_t piece = 16 * 1024;
  if (from->is_closed()) co_return;
  for (;;) {
    const std::size_t had = into->size();
    const std::size_t room = std::min(piece - 1, most - had) + 1;
    into->resize(had + room);
    const auto free = std::as_writable_bytes(std::span(*into).subspan(had));
    const std::size_t got = co_await from->read_some(free);
    into->resize(had + got);
    if (got == 0) co_return;
    if (into->size() > most)
      throw error(std::make_error_code(std::errc::value_too_large), "output of \"" + *whose + "\"",
                  "it wrote more than " + std::to_string(most) +
                      " bytes, which is the limit that was given");
  }
}

task<exit_status> serve_to_the_end(process* child, process_output* into, const std::string* input,
                                   std::size_t most, const std::string* whose) {
  auto pipes = when_all(feed(&child->in(), input), collect(&child->out(), &into->out, most, whose),
                        collect(&child->err(), &into->err, most, whose));
  co_await std::move(pipes);
  co_return co_await child->wait();
}

}  // namespace

task<process_output> process::output(command what, std::size_t most, std::string input) {
  const std::string whose = what.program;
  what.output = stdio::pipe();
  if (launch_access::kind_of(what.errors) != launch_access::kind::same_as_output)
    what.errors = stdio::pipe();
  if (!input.empty()) what.input = stdio::pipe();
  process child = co_await spawn(std::move(what));
  process_output all;
  std::exception_ptr failure;
  try {
    all.status = co_await serve_to_the_end(&child, &all, &input, most, &whose);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    child.kill();
    auto its_end = shield(child.wait().as_result());
    static_cast<void>(co_await std::move(its_end));
    detail::rethrow_named(failure, "output of \"" + whose + '"', "it was killed");
  }
  co_return all;
}

}  // namespace cove::io
