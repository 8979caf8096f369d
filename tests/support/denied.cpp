#include "support/system_call_filter.hpp"

#include <unistd.h>

#include <cstdio>
#include <string_view>

// Starts a program to which some system calls are denied, as a container's filter would:
//
//     denied io_uring_setup=EPERM -- build/tests/cove-net-tests -tc='S12*'

int main(int argc, char** argv) {
  int at = 1;
  for (; at < argc && std::string_view(argv[at]) != "--"; ++at) {
    const auto which = cove::test::denied_call_from(argv[at]);
    if (!which) {
      std::fprintf(stderr, "denied: \"%s\" is no CALL=ERROR that it knows\n", argv[at]);
      return 2;
    }
    if (!cove::test::deny(*which)) {
      std::fprintf(stderr, "denied: this system has no filters of system calls; left out\n");
      return 77;
    }
  }
  if (at + 1 >= argc) {
    std::fprintf(stderr, "usage: denied CALL=ERROR... -- PROGRAM ARGUMENT...\n");
    return 2;
  }
  ::execv(argv[at + 1], argv + at + 1);
  std::perror(argv[at + 1]);
  return 2;
}
