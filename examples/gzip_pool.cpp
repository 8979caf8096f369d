// Compresses files on the pool's threads, several pieces at a time, as fast as the machine has
// processors: workers read and write meanwhile, and are never held up by zlib. Each piece becomes a
// gzip member of its own, which any gunzip takes as one file. It shows what the user lane is for,
// and how work is kept in order and bounded: no more pieces than threads are in memory.
//
//     build/release/examples/gzip_pool --threads 4 access.log      # makes access.log.gz
//     gunzip --test access.log.gz

#include "support/options.hpp"

#include <cove/io/file.hpp>

#include <zlib.h>

#include <cstdio>
#include <deque>
#include <filesystem>

using cove::io::file;
using cove::io::open_options;
using bytes = std::vector<std::byte>;

struct plan {
  std::vector<std::string> paths;
  unsigned threads = 4;
  unsigned piece = 1 << 20;
  unsigned level = 6;
  bool force = false;
};

/// One gzip member. Runs on a thread of the pool.
bytes make_member(bytes piece, int level) {
  z_stream stream{};
  constexpr int gzip_header = 16;
  if (deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + gzip_header, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    throw std::bad_alloc();
  bytes packed(deflateBound(&stream, static_cast<uLong>(piece.size())));
  stream.next_in = reinterpret_cast<Bytef*>(piece.data());
  stream.avail_in = static_cast<uInt>(piece.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int outcome = deflate(&stream, Z_FINISH);  // The bound has room for all of it.
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) throw std::runtime_error("zlib: deflate did not end");
  return packed;
}

cove::task<bytes> compress_on_pool(bytes piece, int level) {
  co_return co_await cove::blocking(cove::pool_lane::user, make_member, std::move(piece), level);
}

/// The next piece; empty at the end of the file.
cove::task<bytes> read_piece(file& from, std::size_t size) {
  bytes piece(size);
  std::size_t filled = 0;
  while (filled < size) {
    const std::size_t n = co_await from.read_some(std::span(piece).subspan(filled));
    if (n == 0) break;
    filled += n;
  }
  piece.resize(filled);
  co_return piece;
}

/// Pieces are read ahead and compressed side by side, and written in their order.
cove::task<std::size_t> pack(file& from, file& to, const plan& how) {
  std::deque<cove::join_handle<bytes>> under_way;
  std::size_t written = 0;
  for (bool more = true; more || !under_way.empty();) {
    while (more && under_way.size() < how.threads) {
      bytes piece = co_await read_piece(from, how.piece);
      more = !piece.empty();
      if (more || (written == 0 && under_way.empty()))  // An empty file has one empty member.
        under_way.push_back(
            cove::spawn(compress_on_pool, std::move(piece), static_cast<int>(how.level)));
    }
    if (under_way.empty()) continue;
    const bytes packed = co_await under_way.front();
    under_way.pop_front();
    co_await to.write_all(packed);
    written += packed.size();
  }
  co_return written;
}

cove::task<> pack_file(const std::string& path, const plan& how) {
  file from = co_await file::open(path);
  open_options target;
  target.write().create(0666);
  if (how.force)
    target.truncate();
  else
    target.exclusive();
  file to = co_await file::open(path + ".gz", target);
  const std::size_t written = co_await pack(from, to, how);
  const std::error_code why = co_await to.close();
  if (why) throw std::system_error(why, "close \"" + path + ".gz\"");
  const auto status = co_await from.stat();
  std::printf("%s.gz: %zu of %llu bytes\n", path.c_str(), written,
              static_cast<unsigned long long>(status.size));
}

cove::task<int> run(plan what) {
  int failed = 0;
  for (const std::string& path : what.paths) {
    std::string why;
    try {
      co_await pack_file(path, what);
    } catch (const cove::canceled&) {
      throw;
    } catch (const std::system_error& failure) {
      why = failure.what();
    }
    if (why.empty()) continue;
    std::fprintf(stderr, "gzip_pool: %s\n", why.c_str());
    failed = 1;
  }
  co_return failed;
}

int main(int argc, char** argv) {
  plan what;
  cove::examples::options options("Compresses files on the threads of the pool.");
  options.texts("files", what.paths, "each FILE becomes FILE.gz, and stays");
  options.number("--threads", what.threads, "pieces at a time", 1, 256);
  options.number("--piece", what.piece, "bytes of a piece", 1024, 1 << 28);
  options.number("--level", what.level, "1 is fast, 9 is small", 1, 9);
  options.flag("--force", what.force, "write over what is there");
  if (auto code = options.parse(argc, argv)) return *code;
  cove::runtime_options runtime = options.runtime();
  runtime.pool.user.threads = runtime.pool.user.threads_max = what.threads;
  return cove::run_with(runtime, run, what);
}
