#include "verbs.hpp"

#include "kinds.hpp"
#include "signal_names.hpp"

// Processes, and signals that tasks wait for.

namespace cove::driver {
namespace {

using io::stdio;
using process_ptr = std::shared_ptr<io::process>;

// ----- starting -----

/// The ends of a child's pipes; those that it has not stay unnamed.
struct names_of_ends {
  handle_table::reservation in;
  handle_table::reservation out;
  handle_table::reservation err;
};

/// What the member `name` says that the child finds there, `otherwise` without one. For a child's
/// output "inherit" is the driver's standard error: its standard output is for the protocol alone.
stdio stream_of_child(const request& asked, const std::string& name, const char* otherwise) {
  constexpr std::string_view file = "file:";
  constexpr int standard_error = 2;
  const std::string word = asked.text_or(name, otherwise);
  if (word == "pipe") return stdio::pipe();
  if (word == "null") return stdio::null();
  if (word == "inherit")
    return name == "stdout" ? stdio::copy_of(standard_error) : stdio::inherit();
  if (word == "stdout" && name == "stderr") return stdio::same_as_output();
  if (word.starts_with(file)) return stdio::file(word.substr(file.size()));
  throw refusal::unsupported(word);
}

/// An end of a pipe goes to the child, and is closed here; of anything else it gets a duplicate.
stdio descriptor_for_child(call& c, const std::string& name) {
  return std::visit(
      [](const auto& object) -> stdio {
        using kind = typename std::decay_t<decltype(object)>::element_type;
        if constexpr (std::is_same_v<kind, pipe_source>)
          return stdio::from(static_cast<io::pipe_reader&&>(*object));
        else if constexpr (std::is_same_v<kind, pipe_sink>)
          return stdio::from(std::move(*object));
        else if constexpr (has_descriptor<kind>)
          return stdio::copy_of(object->native_handle());
        else
          throw refusal::unsupported("extra");
      },
      c.handles.find_any(name));
}

void read_environment(const request& asked, io::command& into) {
  if (!asked.has("env")) return;
  const json& list = asked.member("env");
  if (!list.is_object()) throw refusal::bad_request("\"env\" has to be an object");
  into.environment.clear();
  const request variables(list);
  for (const auto& [name, value] : list.items()) into.environment.set(name, variables.text(name));
}

std::vector<std::string> words_of(const request& asked, std::string_view name) {
  const json& list = asked.member(name);
  std::vector<std::string> words;
  for (const json& word : list) {
    if (!list.is_array() || !word.is_string())
      throw refusal::bad_request("\"" + std::string(name) + "\" has to be a list of texts");
    words.push_back(word.get<std::string>());
  }
  return words;
}

io::command command_of(call& c) {
  std::vector<std::string> words = words_of(c.asked, "argv");
  if (words.empty()) throw refusal::bad_request("\"argv\" has to name a program");
  io::command chosen(std::move(words.front()));
  chosen.arguments.assign(std::make_move_iterator(words.begin() + 1),
                          std::make_move_iterator(words.end()));
  if (c.asked.has("argv0")) chosen.name = c.asked.text("argv0");
  chosen.directory = c.asked.text_or("cwd", "");
  if (c.asked.has("kill_on_drop")) chosen.kill_on_drop = c.asked.flag("kill_on_drop");
  read_environment(c.asked, chosen);
  chosen.input = stream_of_child(c.asked, "stdin", "null");
  chosen.output = stream_of_child(c.asked, "stdout", "null");
  chosen.errors = stream_of_child(c.asked, "stderr", "inherit");
  if (c.asked.has("extra"))
    for (const std::string& name : words_of(c.asked, "extra"))
      chosen.more_descriptors.push_back(descriptor_for_child(c, name));
  return chosen;
}

task<> run_spawn(call& c, io::command what, handle_table::reservation name, names_of_ends ends) {
  auto spawning = io::process::spawn(std::move(what));
  auto made = std::make_shared<io::process>(co_await std::move(spawning));
  c.members["pid"] = made->pid();
  ends.in.fill(std::make_shared<pipe_sink>(std::move(made->in())));
  ends.out.fill(std::make_shared<pipe_source>(std::move(made->out())));
  ends.err.fill(std::make_shared<pipe_source>(std::move(made->err())));
  name.fill(std::move(made));
}

task<> prepare_spawn(call& c) {
  const auto end_of = [&](const char* member, const char* suffix) {
    if (c.asked.text_or(member, "") != "pipe") return handle_table::reservation();
    return c.handles.reserve(c.asked.text("as") + suffix, c.runtime);
  };
  static_cast<void>(c.asked.text("as"));
  auto name = c.new_handle();
  names_of_ends ends{end_of("stdin", ".in"), end_of("stdout", ".out"), end_of("stderr", ".err")};
  return run_spawn(c, command_of(c), std::move(name), std::move(ends));
}

// ----- what becomes of it -----

task<> run_wait(call& c, task<io::exit_status> waiting) {
  const io::exit_status ended = co_await std::move(waiting);
  if (ended.signal != 0)
    c.members["signal"] = ended.signal;
  else
    c.members["code"] = ended.code;
}

/// A wait goes on without its object.
task<> prepare_wait(call& c) {
  return run_wait(c, c.handles.find<io::process>(c.asked.text("h"))->wait());
}

task<> run_kill(process_ptr which, int signal) {
  which->signal(signal);
  co_return;
}

task<> prepare_kill(call& c) {
  const int signal = signal_of(c.asked.text("sig"));
  return run_kill(c.handles.find<io::process>(c.asked.text("h")), signal);
}

// ----- signals -----

task<> run_signal(int signal, handle_table::reservation name) {
  name.fill(std::make_shared<io::signal_set>(signal));
  co_return;
}

task<> prepare_signal(call& c) {
  static_cast<void>(c.asked.member("as"));
  return run_signal(signal_of(c.asked.text("sig")), c.new_handle());
}

/// Signals do not add up: each wait gives one.
task<> run_signal_next(call& c, std::shared_ptr<io::signal_set> from) {
  auto waiting = from->wait();
  static_cast<void>(co_await waiting);
  c.members["count"] = 1;
}

task<> prepare_signal_next(call& c) {
  return run_signal_next(c, c.handles.find<io::signal_set>(c.asked.text("h")));
}

const verb table[] = {
    {"spawn",
     {"argv", "as", "stdin", "stdout", "stderr", "env", "cwd", "argv0", "extra", "kill_on_drop"},
     prepare_spawn},
    {"wait", {"h"}, prepare_wait},
    {"kill", {"h", "sig"}, prepare_kill},
    {"signal", {"sig", "as"}, prepare_signal},
    {"signal_next", {"h"}, prepare_signal_next},
};

}  // namespace

std::span<const verb> process_verbs() { return table; }

}  // namespace cove::driver
