#include "verbs.hpp"

#include "begun.hpp"
#include "file_words.hpp"
#include "kinds.hpp"
#include "vectored.hpp"

// Open files: at an offset, at the cursor, and as a whole. Reading and writing at the cursor are
// the verbs of streams.

namespace cove::driver {
namespace {

using file_ptr = std::shared_ptr<open_file>;

file_ptr file_of(const call& c) { return c.handles.find<open_file>(c.asked.text("h")); }
/// What is below zero is for the library to refuse.
std::int64_t offset_of(const request& asked) { return asked.number("off", INT64_MIN); }

// ----- opening -----

io::open_options options_of(const request& asked) {
  io::open_options chosen;
  const json& flags = asked.member("flags");
  if (!flags.is_array()) throw refusal::bad_request("\"flags\" has to be a list of words");
  const std::uint32_t mode = permissions_or(asked, io::open_options::default_mode);
  for (const json& flag : flags) {
    if (flag == "r")
      chosen.read();
    else if (flag == "w")
      chosen.write();
    else if (flag == "append")
      chosen.append();
    else if (flag == "creat")
      chosen.create(mode);
    else if (flag == "excl")
      chosen.exclusive();
    else if (flag == "trunc")
      chosen.truncate();
    else if (flag == "dir")
      chosen.directory();
    else
      throw refusal::unsupported(flag.is_string() ? flag.get<std::string>() : flag.dump());
  }
  return chosen;
}

task<> run_open(call& c, io::open_options options, handle_table::reservation name) {
  auto opening = io::file::open(c.asked.text("path"), options);
  auto made = std::make_shared<open_file>(co_await opening);
  tell_ends(c.members, *made);
  name.fill(std::move(made));
}

task<> prepare_open(call& c) {
  static_cast<void>(c.asked.text("path"));
  return run_open(c, options_of(c.asked), c.new_handle());
}

// ----- at an offset -----

/// A read of something that gave nothing has met the end of the file.
void took(call& c, std::size_t n, std::size_t wanted) {
  c.moved(n);
  if (n == 0 && wanted != 0) c.fail("eof", "");
}

task<> run_pread(call& c, file_ptr from, std::int64_t offset) {
  auto operation = from->read_at(c.room(), offset);
  begun reading(std::move(operation), std::move(from));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, c.room().size());
}

task<> prepare_pread(call& c) {
  c.receives();
  return run_pread(c, file_of(c), offset_of(c.asked));
}

task<> run_preadv(call& c, file_ptr from, receive_vector into, std::int64_t offset) {
  auto operation = from->read_at(into.parts(), offset);
  begun reading(std::move(operation), std::move(from));
  const std::size_t n = co_await reading;
  c.end();
  took(c, n, into.size());
  into.tell(c, n);
}

task<> prepare_preadv(call& c) {
  receive_vector into(c);
  return run_preadv(c, file_of(c), std::move(into), offset_of(c.asked));
}

task<> run_pwrite(call& c, file_ptr to, bytes data, std::int64_t offset) {
  auto operation = to->write_all_at(data, offset);
  begun writing(std::move(operation), std::move(to));
  co_await writing;
  c.moved(data.size());
}

task<> prepare_pwrite(call& c) {
  c.moves_bytes();
  bytes data = payload_of(c.asked, "poff");
  return run_pwrite(c, file_of(c), std::move(data), offset_of(c.asked));
}

task<> run_pwritev(call& c, file_ptr to, send_vector from, std::int64_t offset) {
  auto operation = to->write_all_at(from.parts(), offset);
  begun writing(std::move(operation), std::move(to));
  co_await writing;
  c.moved(from.size());
}

task<> prepare_pwritev(call& c) {
  c.moves_bytes();
  send_vector from(c.asked, "poff");
  return run_pwritev(c, file_of(c), std::move(from), offset_of(c.asked));
}

// ----- the cursor, and the file as a whole -----

task<> run_seek(call& c, file_ptr on, std::int64_t offset, io::seek_from from) {
  auto operation = on->seek(offset, from);
  begun seeking(std::move(operation), std::move(on));
  c.members["pos"] = co_await seeking;
}

task<> prepare_seek(call& c) {
  io::seek_from from = io::seek_from::begin;
  if (c.asked.has("whence")) {
    const std::string whence = c.asked.choice("whence", {"set", "cur", "end"});
    if (whence == "cur") from = io::seek_from::current;
    if (whence == "end") from = io::seek_from::end;
  }
  return run_seek(c, file_of(c), offset_of(c.asked), from);
}

task<> run_fsync(file_ptr on) {
  auto operation = on->sync();
  begun syncing(std::move(operation), std::move(on));
  co_await syncing;
}

task<> prepare_fsync(call& c) { return run_fsync(file_of(c)); }

task<> run_truncate(file_ptr on, std::int64_t size) {
  auto operation = on->truncate(size);
  begun cutting(std::move(operation), std::move(on));
  co_await cutting;
}

task<> run_truncate_path(std::string path, std::uint64_t size) {
  auto cutting = io::fs::truncate(std::move(path), size);
  co_await cutting;
}

/// Is it an open file, and not the path of one?
bool is_of_handle(const request& asked) {
  if (asked.has("h") == asked.has("path"))
    throw refusal::bad_request("either \"h\" or \"path\" says which file");
  return asked.has("h");
}

task<> prepare_truncate(call& c) {
  if (is_of_handle(c.asked)) return run_truncate(file_of(c), c.asked.number("size", INT64_MIN));
  return run_truncate_path(c.asked.text("path"),
                           static_cast<std::uint64_t>(c.asked.number("size")));
}

task<> run_stat(call& c, file_ptr of) {
  auto operation = of->stat();
  begun asking(std::move(operation), std::move(of));
  tell_status(c.members, co_await asking);
}

template <class Operation>
task<> run_stat_path(call& c, Operation asking) {
  tell_status(c.members, co_await asking);
}

task<> prepare_stat(call& c) {
  const bool follow = !c.asked.has("follow") || c.asked.flag("follow");
  if (!is_of_handle(c.asked) && follow) return run_stat_path(c, io::fs::stat(c.asked.text("path")));
  if (!is_of_handle(c.asked)) return run_stat_path(c, io::fs::lstat(c.asked.text("path")));
  if (c.asked.has("follow")) throw refusal::bad_request("\"follow\" belongs to \"path\"");
  return run_stat(c, file_of(c));
}

const verb table[] = {
    {"open", {"path", "flags", "mode", "as"}, prepare_open},
    {"pread", {"h", "off", "n", "guard_ms", "data"}, prepare_pread},
    {"preadv", {"h", "off", "lens", "data"}, prepare_preadv},
    {"pwrite", {"h", "off", "count", "seed", "poff", "hex", "text"}, prepare_pwrite},
    {"pwritev", {"h", "off", "lens", "seed", "poff"}, prepare_pwritev},
    {"seek", {"h", "off", "whence"}, prepare_seek},
    {"fsync", {"h"}, prepare_fsync},
    {"truncate", {"h", "path", "size"}, prepare_truncate},
    {"stat", {"path", "h", "follow"}, prepare_stat},
};

}  // namespace

std::span<const verb> file_verbs() { return table; }

}  // namespace cove::driver
