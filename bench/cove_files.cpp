// The file rows with cove: what peers/files/files.h says, by tasks.
//
//     cove_files FOLDER [FILE]  prints `name value` lines in ns, the median of several repetitions
//
// COVE_BACKEND chooses how: with io_uring the ring carries what memory does not have at once, with
// any other backend the pool does.

#include <cove/io/file.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/fs_batch.hpp>
#include <cove/runtime.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace {

using cove::task;
using cove::io::file;
using cove::io::open_options;

constexpr int repetitions = 7;
constexpr std::int64_t block_bytes = 4096;
constexpr std::int64_t blocks = 256;
constexpr int depth = 64;
constexpr std::int64_t copied_bytes = 64 << 20;
constexpr std::int64_t chunk_bytes = 256 << 10;
constexpr long stats = 20'000;

using block = std::array<std::byte, block_bytes>;

/// The files, for as long as it lives.
class work_files {
 public:
  explicit work_files(const std::string& folder)
      : blocks_(create(folder, "blocks", blocks * block_bytes)),
        from_(create(folder, "from", copied_bytes)),
        to_(create(folder, "to", 0)) {}
  work_files(const work_files&) = delete;
  work_files& operator=(const work_files&) = delete;
  ~work_files() {
    for (const std::string* path : {&blocks_, &from_, &to_}) std::remove(path->c_str());
  }
  const std::string& blocks_path() const noexcept { return blocks_; }
  const std::string& from() const noexcept { return from_; }
  const std::string& to() const noexcept { return to_; }

 private:
  static std::string create(const std::string& folder, const char* name, std::int64_t bytes) {
    std::string path = folder + "/" + name + "." + std::to_string(::getpid());
    std::ofstream made(path, std::ios::binary);
    const std::string zeros(block_bytes, '\0');
    for (std::int64_t done = 0; done < bytes; done += block_bytes) made << zeros;
    if (!made.flush()) throw std::runtime_error("create \"" + path + "\"");
    return path;
  }

  std::string blocks_;
  std::string from_;
  std::string to_;
};

/// A part of the transfers, one after the other.
task<> read_blocks(file& from, long first, long count) {
  block into;
  for (long i = first; i < first + count; ++i)
    co_await from.read_exact_at(into, i % blocks * block_bytes);
}
task<> write_blocks(file& to, long first, long count) {
  const block from{};
  for (long i = first; i < first + count; ++i)
    co_await to.write_all_at(from, i % blocks * block_bytes);
}

using transfer = task<> (*)(file&, long, long);

/// `depth` tasks share the operations.
task<> transfers(std::string path, open_options how, transfer some, long operations) {
  file on = co_await file::open(path, how);
  std::vector<cove::join_handle<>> all;
  all.reserve(depth);
  const long share = operations / depth;
  for (int i = 0; i < depth; ++i) all.push_back(cove::spawn(some, std::ref(on), i * share, share));
  for (auto& each : all) co_await each;
}

task<> read_4k(const work_files& files, long operations) {
  return transfers(files.blocks_path(), open_options{}.read(), read_blocks, operations);
}
task<> write_4k(const work_files& files, long operations) {
  return transfers(files.blocks_path(), open_options{}.write(), write_blocks, operations);
}

task<> open_close(const work_files& files, long operations) {
  for (long i = 0; i < operations; ++i) {
    file opened = co_await file::open(files.blocks_path());
    co_await opened.close();
  }
}

task<> stat_each(const work_files& files, long operations) {
  for (long i = 0; i < operations; ++i) co_await cove::io::fs::stat(files.blocks_path());
}

task<> copy(const work_files& files, long mebibytes) {
  file from = co_await file::open(files.from());
  file to = co_await file::open(files.to(), open_options{}.write().truncate());
  std::vector<std::byte> chunk(chunk_bytes);
  for (std::int64_t left = std::int64_t{mebibytes} << 20; left > 0; left -= chunk_bytes) {
    co_await from.read_exact(chunk);
    co_await to.write_all(chunk);
  }
}

std::FILE* out = stdout;

task<> measure(const char* name, const work_files& files, long operations,
               task<> (*run)(const work_files&, long)) {
  co_await run(files, operations / 8);
  std::array<double, repetitions> results{};
  for (double& each : results) {
    const auto start = std::chrono::steady_clock::now();
    co_await run(files, operations);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    each = took.count() / static_cast<double>(operations);
  }
  std::sort(results.begin(), results.end());
  std::fprintf(out, "%s %.2f\n", name, results[repetitions / 2]);
  std::fflush(out);
}

task<> measure_all(std::string folder) {
  const work_files files(folder);
  co_await measure("file_read_4k_d64", files, 100'000, read_4k);
  co_await measure("file_write_4k_d64", files, 50'000, write_4k);
  co_await measure("file_open_close", files, 20'000, open_close);
  co_await measure("file_stat", files, stats, stat_each);
  co_await measure("file_copy_mib", files, copied_bytes >> 20, copy);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: cove_files FOLDER [FILE]\n");
    return 2;
  }
  if (argc == 3 && (out = std::fopen(argv[2], "w")) == nullptr) {
    std::perror(argv[2]);
    return 1;
  }
  cove::runtime_options options;
  options.workers = 1;
  cove::runtime in(options);
  in.block_on(measure_all, std::string(argv[1]));
  return 0;
}
