#include "verbs.hpp"

#include "kinds.hpp"
#include "system.hpp"

// Pipes, and descriptors that were made elsewhere.

namespace cove::driver {
namespace {

int descriptor_of(const request& asked) {
  return static_cast<int>(asked.number("fd", 0, INT32_MAX));
}

// ----- pipes -----

task<> run_pipe(call& c, handle_table::reservation reads, handle_table::reservation writes) {
  auto [reader, writer] = io::make_pipe();
  c.members["fd"] = {reader.native_handle(), writer.native_handle()};
  reads.fill(std::make_shared<pipe_source>(std::move(reader)));
  writes.fill(std::make_shared<pipe_sink>(std::move(writer)));
  co_return;
}

task<> prepare_pipe(call& c) {
  const json& names = c.asked.member("as");
  if (!names.is_array() || names.size() != 2 || !names[0].is_string() || !names[1].is_string())
    throw refusal::bad_request("\"as\" has to be two names");
  auto reads = c.handles.reserve(names[0].get<std::string>(), c.runtime);
  return run_pipe(c, std::move(reads), c.handles.reserve(names[1].get<std::string>(), c.runtime));
}

template <class Kind>
task<> run_make(call& c, Kind (*make)(const request& asked), handle_table::reservation name) {
  auto made = std::make_shared<Kind>(make(c.asked));
  tell_ends(c.members, *made);
  name.fill(std::move(made));
  co_return;
}

/// `rw`: a reader that outlives its writers, which is opened for both.
task<> prepare_open_pipe(call& c) {
  static_cast<void>(c.asked.text("path"));
  static_cast<void>(c.asked.member("as"));
  const std::string mode = c.asked.choice("mode", {"r", "w", "rw"});
  if (mode == "w")
    return run_make<pipe_sink>(
        c, [](const request& asked) { return io::pipe_writer::open(asked.text("path")); },
        c.new_handle());
  const auto open = [](const request& asked) {
    io::fifo_options options;
    options.resilient = asked.text("mode") == "rw";
    return pipe_source(io::pipe_reader::open(asked.text("path"), options));
  };
  return run_make<pipe_source>(c, open, c.new_handle());
}

// ----- descriptors that were made elsewhere -----

template <class Kind>
task<> run_adopt(call& c, int fd, handle_table::reservation name) {
  auto made = std::make_shared<Kind>(Kind::adopt(fd));
  tell_ends(c.members, *made);
  name.fill(std::move(made));
  co_return;
}

/// Both refer to a descriptor, and leave it to whoever has it.
template <class Kind>
task<> run_watch(int fd, handle_table::reservation name) {
  name.fill(std::make_shared<Kind>(fd));
  co_return;
}

task<> prepare_adopt(call& c) {
  const int fd = descriptor_of(c.asked);
  static_cast<void>(c.asked.member("as"));
  const std::string kind = c.asked.choice("kind", {"listener", "stream", "pipe", "file", "tty"});
  if (kind == "listener") return run_adopt<listener>(c, fd, c.new_handle());
  if (kind == "stream") return run_adopt<stream>(c, fd, c.new_handle());
  if (kind == "file") return run_adopt<open_file>(c, fd, c.new_handle());
  if (kind == "tty") return run_watch<terminal>(fd, c.new_handle());
  if (is_write_only(fd)) return run_adopt<pipe_sink>(c, fd, c.new_handle());
  return run_adopt<pipe_source>(c, fd, c.new_handle());
}

task<> prepare_watch_fd(call& c) {
  static_cast<void>(c.asked.member("as"));
  return run_watch<io::fd_watch>(descriptor_of(c.asked), c.new_handle());
}

task<> run_unwatch_fd(std::shared_ptr<io::fd_watch> which) {
  const std::error_code said = co_await which->close();
  if (said) throw error(said, "unwatch_fd");
}

task<> prepare_unwatch_fd(call& c) {
  return run_unwatch_fd(c.handles.find<io::fd_watch>(c.asked.text("h")));
}

// ----- terminals -----

/// A size that the terminal does not tell is left out.
task<> run_tty(call& c, std::shared_ptr<terminal> on, std::string op) {
  const int fd = on->native_handle();
  if (op == "raw" && on->raw)
    on->raw->again();
  else if (op == "raw")
    on->raw.emplace(fd);
  else if (op == "cooked")
    on->raw.reset();
  if (const auto size = io::size_of_terminal(fd)) {
    c.members["rows"] = size->rows;
    c.members["cols"] = size->columns;
  }
  co_return;
}

task<> prepare_tty(call& c) {
  std::string op = c.asked.choice("op", {"raw", "cooked", "size"});
  return run_tty(c, c.handles.find<terminal>(c.asked.text("h")), std::move(op));
}

const verb table[] = {
    {"pipe", {"as"}, prepare_pipe},
    {"open_pipe", {"path", "mode", "as"}, prepare_open_pipe},
    {"adopt", {"fd", "kind", "as"}, prepare_adopt},
    {"watch_fd", {"fd", "as"}, prepare_watch_fd},
    {"unwatch_fd", {"h"}, prepare_unwatch_fd},
    {"tty", {"h", "op"}, prepare_tty},
};

}  // namespace

std::span<const verb> descriptor_verbs() { return table; }

}  // namespace cove::driver
