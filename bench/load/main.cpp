// The client of the benchmarks: one thread, plain sockets, nothing of cove. It checks every byte
// that comes back, and prints one line of JSON.

#include "client.hpp"

int main(int argc, char** argv) {
  const load::options wanted = load::parse_arguments(argc, argv);
  try {
    switch (wanted.mode) {
      case load::mode::echo:
      case load::mode::http: return load::run_exchange(wanted);
      case load::mode::churn: return load::run_churn(wanted);
      case load::mode::idle: return load::run_idle(wanted);
    }
  } catch (const load::failure& reason) {
    std::fprintf(stderr, "cove_load: %s\n", reason.what());
  }
  return 1;
}
