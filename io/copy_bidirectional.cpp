#include <cove/io/copy_bidirectional.hpp>

#include <string>

namespace cove::io::detail {

void throw_relayed(const relayed& ended) {
  constexpr const char* verb = "copy_bidirectional";
  const std::size_t moved = ended.a_to_b + ended.b_to_a;
  if (ended.error == std::make_error_code(std::errc::operation_canceled))
    throw canceled(verb, moved);
  throw io_error(ended.error, verb, moved,
                 std::to_string(ended.a_to_b) + " bytes went one way and " +
                     std::to_string(ended.b_to_a) + " the other");
}

}  // namespace cove::io::detail
