// Copies a file, and shows how far it is where somebody watches. Reading and writing overlap: while
// one buffer is written the next one is filled. Where they can say "not without waiting", reads
// from memory cost no thread; all else goes to the pool, or to the kernel's ring. Ctrl-C ends the
// copy after the buffer that is under way, and removes what was made.
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

/// Two buffers take turns.
cove::task<> copy_bytes(file& from, file& to, std::size_t piece,
                        cove::examples::progress_bar& shown) {
  std::vector<std::byte> filling(piece);
  std::vector<std::byte> emptying(piece);
  std::size_t filled = co_await from.read_some(filling);
  while (filled != 0) {
    std::swap(filling, emptying);
    auto next = cove::spawn(read_piece, std::ref(from), std::span(filling));
    const auto written = co_await to.write_all(std::span(emptying).first(filled)).as_result();
    filled = co_await next;  // Before anything else: it uses the buffer.
    if (written.error) throw cove::error(written.error, "write the copy");
    shown.add(written.n);
  }
}

cove::task<> copy_file(const plan& what) {
  file from = co_await file::open(what.from);
  const auto status = co_await from.stat();
  open_options target;
  target.write().create(status.mode & 0777);
  if (what.force)
    target.truncate();
  else
    target.exclusive();
  file to = co_await file::open(what.to, target);
  cove::examples::progress_bar shown(status.size);
  bool whole = false;
  std::exception_ptr failure;
  try {
    co_await copy_bytes(from, to, what.piece, shown);
    if (what.sync) co_await to.sync();
    const std::error_code closed = co_await to.close();
    if (closed) throw cove::error(closed, "close \"" + what.to + "\"");
    whole = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (whole) co_return;
  // Whatever was asked for: half a file must not look like a whole one.
  static_cast<void>(co_await cove::shield(fs::remove(what.to)).as_result());
  std::rethrow_exception(failure);
}

/// Ends with success either way, as the first success is what race() waits for.
cove::task<int> copy_or_complain(const plan& what) {
  std::string why;
  try {
    co_await copy_file(what);
  } catch (const cove::canceled&) {
    throw;
  } catch (const std::system_error& failure) {
    why = failure.what();
  }
  if (why.empty()) co_return 0;
  std::fprintf(stderr, "file_copy: %s\n", why.c_str());
  co_return 1;
}

cove::task<int> run(plan what) {
  cove::io::signal_set signals(SIGINT, SIGTERM);
  const auto first = co_await cove::race(copy_or_complain(what), signals.wait());
  if (first.index == 0) co_return std::get<0>(first.results).value();
  std::fprintf(stderr, "file_copy: stopped; \"%s\" was removed\n", what.to.c_str());
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
