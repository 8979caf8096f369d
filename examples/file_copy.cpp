// Copies a file, and shows how far it is where somebody watches. Reading and writing overlap: while
// one buffer is written the next one is filled. Where they can say "not without waiting", reads
// from memory cost no thread; all else goes to the pool, or to the kernel's ring. Ctrl-C ends the
// copy after the buffer that is under way, and removes what was made. With --force it writes over
// what is there, as cp does, but not before it has read from the source.
//
//     build/release/examples/file_copy big.iso copy.iso
//     COVE_BACKEND=io_uring build/release/examples/file_copy --sync big.iso copy.iso

#include "support/options.hpp"
#include "support/progress_bar.hpp"

#include <cove/io/file.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/signal_set.hpp>

#include <csignal>
#include <cstdio>

namespace fs = cove::io::fs;
using cove::io::file;
using cove::io::open_options;

struct plan {
  std::string from;
  std::string to;
  unsigned piece = 4 << 20;  ///< Bytes of a buffer.
  bool force = false;
  bool sync = false;
};

cove::task<std::size_t> read_piece(file& from, std::span<std::byte> into) {
  co_return co_await from.read_some(into);
}

/// Two buffers take turns; the first `filled` bytes of one have been read.
cove::task<> copy_bytes(file& from, file& to, std::vector<std::byte>& filling, std::size_t filled,
                        cove::examples::progress_bar& shown) {
  std::vector<std::byte> emptying(filling.size());
  while (filled != 0) {
    std::swap(filling, emptying);
    auto next = cove::spawn(read_piece, std::ref(from), std::span(filling));
    const auto written = co_await to.write_all(std::span(emptying).first(filled)).as_result();
    // Before anything else, and even if this task is asked to end: it uses the buffer.
    filled = co_await cove::shield(next);
    if (written.error == std::errc::operation_canceled) throw cove::canceled("write the copy");
    if (written.error) throw cove::error(written.error, "write the copy");
    shown.add(written.n);
  }
}

/// What has become of the target.
enum class target_is { untouched, made, written_over };

/// Opens the target, and changes nothing that is there: that may be the source.
cove::task<file> open_target(const plan& what, std::uint32_t mode, target_is& target) {
  open_options fresh;
  fresh.write().create(mode).exclusive();
  if (!what.force) {
    file made = co_await file::open(what.to, fresh);
    target = target_is::made;
    co_return made;
  }
  auto made = co_await file::open(what.to, fresh).as_result();
  if (made) {
    target = target_is::made;
    co_return std::move(*made);
  }
  if (made.error() != std::errc::file_exists)
    throw cove::error(made.error(), "open \"" + what.to + "\"");
  open_options there;
  there.write();
  auto found = co_await file::open(what.to, there).as_result();
  if (found) co_return std::move(*found);
  if (found.error() != std::errc::no_such_file_or_directory)
    throw cove::error(found.error(), "open \"" + what.to + "\"");
  // A symbolic link to a name that is free. The link is not ours to remove.
  there.create(mode);
  co_return co_await file::open(what.to, there);
}

/// What was there loses its contents, unless it is the source.
cove::task<> clear_target(const plan& what, const cove::io::file_status& source, file& to,
                          target_is& target) {
  const auto found = co_await to.stat();
  if (found.device == source.device && found.inode == source.inode)
    throw cove::error(std::make_error_code(std::errc::invalid_argument),
                      "copy \"" + what.from + "\" to \"" + what.to + "\"",
                      "they are the same file");
  target = target_is::written_over;
  if (found.is_regular()) co_await to.truncate(0);
}

cove::task<> copy_file(const plan& what, target_is& target) {
  file from = co_await file::open(what.from);
  const auto status = co_await from.stat();
  // What cannot be read, as a directory, must not cost the target its contents.
  std::vector<std::byte> first(what.piece);
  const std::size_t filled = co_await from.read_some(first);
  file to = co_await open_target(what, status.mode & 0777, target);
  if (target != target_is::made) co_await clear_target(what, status, to, target);
  cove::examples::progress_bar shown(status.size);
  bool whole = false;
  std::exception_ptr failure;
  try {
    co_await copy_bytes(from, to, first, filled, shown);
    if (what.sync) co_await to.sync();
    const std::error_code closed = co_await to.close();
    if (closed) throw cove::error(closed, "close \"" + what.to + "\"");
    whole = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (whole) co_return;
  // Half a file must not look like a whole one; but what was there is not ours to remove.
  if (target == target_is::made)
    static_cast<void>(co_await cove::shield(fs::remove(what.to)).as_result());
  std::rethrow_exception(failure);
}

/// What an end before its time has left of the target, for people.
std::string left_of(const plan& what, target_is target) {
  switch (target) {
    case target_is::untouched: return "nothing was written";
    case target_is::made: return "\"" + what.to + "\" was removed";
    case target_is::written_over: return "\"" + what.to + "\" has lost what it held";
  }
  return {};
}

/// Ends with success either way, as the first success is what race() waits for.
cove::task<int> copy_or_complain(const plan& what, target_is& target) {
  std::string why;
  try {
    co_await copy_file(what, target);
  } catch (const cove::canceled&) {
    throw;
  } catch (const std::system_error& failure) {
    why = failure.what();
  }
  if (why.empty()) co_return 0;
  if (target == target_is::written_over) why += "; " + left_of(what, target);
  std::fprintf(stderr, "file_copy: %s\n", why.c_str());
  co_return 1;
}

cove::task<int> run(plan what) {
  cove::io::signal_set signals(SIGINT, SIGTERM);
  target_is target = target_is::untouched;
  auto copying = copy_or_complain(what, target);
  const auto first = co_await cove::race(std::move(copying), signals.wait());
  if (first.index == 0) co_return std::get<0>(first.results).value();
  std::fprintf(stderr, "file_copy: stopped; %s\n", left_of(what, target).c_str());
  co_return 128 + std::get<1>(first.results).value();
}

int main(int argc, char** argv) {
  plan what;
  cove::examples::options options("Copies a file.");
  options.argument("from", what.from, "what to copy");
  options.argument("to", what.to, "where to");
  options.number("--piece", what.piece, "bytes of a buffer", 4096, 1 << 30);
  options.flag("--force", what.force, "write over what is there");
  options.flag("--sync", what.sync, "end when all of it is on the disk");
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run, what);
}
