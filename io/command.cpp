#include <cove/io/command.hpp>

#include "process_launch.hpp"

#include <cove/io/pipe.hpp>

#include <cstdlib>

// What can be said of a command without asking the system.

namespace cove::io {
namespace {

[[noreturn]] void refuse(const std::string& what, std::string_view why) {
  throw error(std::make_error_code(std::errc::invalid_argument), what, why);
}

/// `text` up to a NUL byte, for people.
std::string shown(const std::string& text) { return '"' + text.substr(0, text.find('\0')) + '"'; }

void check(const std::string& text, const std::string& what) {
  if (text.find('\0') != std::string::npos)
    refuse("spawn: " + what + " " + shown(text) + "...",
           "there is a NUL byte in it, where the system would end it");
}

void check_variable(const std::string& name) {
  check(name, "environment");
  if (name.empty() || name.find('=') != std::string::npos)
    refuse("spawn: environment " + shown(name), "a name is not empty and has no '=' in it");
}

void check_streams(const command& what) {
  using detail::launch_access;
  const auto check_path = [](const stdio& each) { check(launch_access::path_of(each), "file"); };
  const auto refuse_at = [&what](const char* at, const char* why) {
    refuse("spawn \"" + what.program + "\": " + at, why);
  };
  check_path(what.input);
  check_path(what.output);
  check_path(what.errors);
  for (const stdio* each : {&what.input, &what.output})
    if (launch_access::kind_of(*each) == launch_access::kind::same_as_output)
      refuse_at("same_as_output", "only errors can be");
  for (const stdio& each : what.more_descriptors) {
    check_path(each);
    if (launch_access::kind_of(each) == launch_access::kind::pipe)
      refuse_at("more_descriptors: pipe", "make_pipe(), and give one of its ends");
    if (launch_access::kind_of(each) == launch_access::kind::inherit)
      refuse_at("more_descriptors: inherit", "say which one: stdio::copy_of(number)");
  }
}

std::vector<std::string> candidates_for(const std::string& program) {
  if (program.find('/') != std::string::npos) return {program};
  const char* path = std::getenv("PATH");
  std::string_view left = path != nullptr ? path : "/bin:/usr/bin";
  std::vector<std::string> all;
  for (;;) {
    const std::size_t end = left.find(':');
    std::string folder(left.substr(0, end));
    // As everywhere, nothing between two colons is the current directory.
    if (!folder.empty() && folder.back() != '/') folder += '/';
    all.push_back(folder + program);
    if (end == std::string_view::npos) return all;
    left.remove_prefix(end + 1);
  }
}

void remove_variable(std::vector<std::string>& from, const std::string& name) {
  std::erase_if(from, [&name](const std::string& each) {
    return each.size() > name.size() && each[name.size()] == '=' && each.starts_with(name);
  });
}

std::vector<std::string> environment_of(const child_environment& which) {
  using detail::launch_access;
  std::vector<std::string> all;
  if (!launch_access::starts_empty(which)) all = detail::own_environment();
  for (const auto& [name, value] : launch_access::changes_of(which)) {
    check_variable(name);
    remove_variable(all, name);
    if (!value) continue;
    check(*value, "environment " + name + "=");
    all.push_back(name + "=" + *value);
  }
  return all;
}

/// The pipe's own object goes, and this is what is left of the end.
stdio child_end(int fd) {
  stdio made = stdio::copy_of(fd);
  detail::let_wait(fd);
  return made;
}

}  // namespace

stdio stdio::copy_of(int fd) {
  return detail::launch_access::given(detail::duplicate(fd, "copy_of"));
}

stdio stdio::from(pipe_reader end) { return end.with_native_handle(child_end); }
stdio stdio::from(pipe_writer end) { return end.with_native_handle(child_end); }

detail::launch_plan detail::plan_of(command what) {
  if (what.program.empty()) refuse("spawn \"\"", "name a program");
  check(what.program, "program");
  check(what.directory, "directory");
  if (what.name) check(*what.name, "name");
  for (const std::string& each : what.arguments) check(each, "argument");
  check_streams(what);

  std::vector<std::string> arguments;
  arguments.reserve(what.arguments.size() + 1);
  arguments.push_back(what.name ? *what.name : what.program);
  for (std::string& each : what.arguments) arguments.push_back(std::move(each));
  std::vector<std::string> candidates = candidates_for(what.program);
  std::vector<std::string> environment = environment_of(what.environment);
  return {std::move(candidates), std::move(arguments), std::move(environment), std::move(what)};
}

}  // namespace cove::io
