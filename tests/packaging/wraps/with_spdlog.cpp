// A line through the compiled library, formatted by the fmt beside it.

#include <spdlog/spdlog.h>

#if !defined(SPDLOG_COMPILED_LIB) || !defined(SPDLOG_FMT_EXTERNAL)
#error "spdlog came without what its users have to define"
#endif

int main() {
  spdlog::set_pattern("%v");
  spdlog::info("{} lines", 1);
}
