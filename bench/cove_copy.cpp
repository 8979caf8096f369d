// Copies one file by fs::copy_file, for bench/copy.
//
//     cove_copy FROM TO

#include <cove/io/fs.hpp>
#include <cove/runtime.hpp>

#include <cstdio>
#include <string>

namespace {

cove::task<> copy(std::string from, std::string to) {
  co_await cove::io::fs::copy_file(std::move(from), std::move(to));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: cove_copy FROM TO\n");
    return 2;
  }
  return cove::run(copy, std::string(argv[1]), std::string(argv[2]));
}
