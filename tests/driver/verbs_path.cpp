#include "verbs.hpp"

#include "file_words.hpp"

// Operations on paths, and what happens to them.

namespace cove::driver {
namespace {

namespace fs = io::fs;

/// An operation that gives nothing.
template <class Operation>
task<> run_call(Operation operation) {
  co_await operation;
}

/// One that gives the member `name` of the reply.
template <class Operation>
task<> run_told(call& c, Operation operation, const char* name) {
  c.members[name] = co_await operation;
}

fs::if_exists then_of(const request& asked) {
  return asked.flag("excl") ? fs::if_exists::refuse : fs::if_exists::replace;
}

task<> prepare_rename(call& c) {
  return run_call(fs::rename(c.asked.text("path"), c.asked.text("to"), then_of(c.asked)));
}
task<> prepare_unlink(call& c) { return run_call(fs::unlink(c.asked.text("path"))); }
task<> prepare_rmdir(call& c) { return run_call(fs::rmdir(c.asked.text("path"))); }
task<> prepare_mkdir(call& c) {
  return run_call(fs::mkdir(c.asked.text("path"), permissions_or(c.asked, 0777)));
}
/// A link `path` that leads to `to`.
task<> prepare_symlink(call& c) {
  return run_call(fs::symlink(c.asked.text("to"), c.asked.text("path")));
}
task<> prepare_readlink(call& c) {
  return run_told(c, fs::readlink(c.asked.text("path")), "target");
}
task<> prepare_chmod(call& c) {
  static_cast<void>(c.asked.member("mode"));
  return run_call(fs::chmod(c.asked.text("path"), permissions_or(c.asked, 0)));
}
/// Both times; now, if no other is asked for.
task<> prepare_utime(call& c) {
  io::file_time when = std::chrono::system_clock::now();
  if (c.asked.has("mtime_ns"))
    when = io::file_time(std::chrono::nanoseconds(c.asked.number("mtime_ns", INT64_MIN)));
  return run_call(fs::utimes(c.asked.text("path"), when, when));
}
task<> prepare_remove_all(call& c) {
  return run_told(c, fs::remove_all(c.asked.text("path")), "n");
}
task<> prepare_copy_file(call& c) {
  return run_told(c, fs::copy_file(c.asked.text("path"), c.asked.text("to"), then_of(c.asked)),
                  "n");
}

struct path_operation {
  std::string_view name;
  std::vector<std::string_view> members;  ///< Beside `op` and `path`.
  task<> (*prepare)(call& c);
};

const path_operation operations[] = {
    {"rename", {"to", "excl"}, prepare_rename}, {"unlink", {}, prepare_unlink},
    {"mkdir", {"mode"}, prepare_mkdir},         {"rmdir", {}, prepare_rmdir},
    {"symlink", {"to"}, prepare_symlink},       {"readlink", {}, prepare_readlink},
    {"utime", {"mtime_ns"}, prepare_utime},     {"chmod", {"mode"}, prepare_chmod},
    {"remove_all", {}, prepare_remove_all},     {"copy", {"to", "excl"}, prepare_copy_file},
};

task<> prepare_fs(call& c) {
  const std::string& name = c.asked.text("op");
  for (const path_operation& known : operations) {
    if (known.name != name) continue;
    std::vector<std::string_view> members{"op", "path"};
    members.insert(members.end(), known.members.begin(), known.members.end());
    c.asked.allow_only(members, c.is_step);
    return known.prepare(c);
  }
  throw refusal::unsupported(name);
}

/// The names up to a failure are told with it.
task<> run_readdir(call& c, std::string path) {
  json& names = c.members["names"];
  auto entries = fs::read_directory(std::move(path));
  for (;;) {
    const fs::directory_entry* entry = co_await entries.next();
    if (entry == nullptr) break;
    names.push_back(entry->name);
    c.moved(1);
  }
}

task<> prepare_readdir(call& c) {
  c.members["names"] = json::array();
  c.moves_bytes();
  return run_readdir(c, c.asked.text("path"));
}

// ----- watching -----

task<> run_watch_path(std::string path, handle_table::reservation name) {
  auto made = std::make_shared<fs::watch>();
  auto adding = made->add(std::move(path));
  co_await std::move(adding);
  name.fill(std::move(made));
}

task<> prepare_watch_path(call& c) {
  static_cast<void>(c.asked.member("as"));
  return run_watch_path(c.asked.text("path"), c.new_handle());
}

std::string_view word_for(fs::change_kind kind) {
  switch (kind) {
    case fs::change_kind::created: return "create";
    case fs::change_kind::modified: return "modify";
    case fs::change_kind::attributes: return "attributes";
    case fs::change_kind::removed: return "delete";
    case fs::change_kind::renamed: return "rename";
    case fs::change_kind::gone: return "gone";
    case fs::change_kind::overflow: break;
  }
  return "overflow";
}

task<> run_watch_next(call& c, std::shared_ptr<fs::watch> from) {
  auto waiting = from->next();
  const fs::change what = co_await std::move(waiting);
  c.members["kind"] = word_for(what.kind);
  c.members["name"] = what.name;
  if (what.kind == fs::change_kind::renamed) c.members["from"] = what.from;
}

task<> prepare_watch_next(call& c) {
  return run_watch_next(c, c.handles.find<fs::watch>(c.asked.text("h")));
}

const verb table[] = {
    {"fs", {"op", "path", "to", "mode", "excl", "mtime_ns"}, prepare_fs},
    {"readdir", {"path"}, prepare_readdir},
    {"watch_path", {"path", "as"}, prepare_watch_path},
    {"watch_next", {"h"}, prepare_watch_next},
};

}  // namespace

std::span<const verb> path_verbs() { return table; }

}  // namespace cove::driver
