#include <cove/io/copy.hpp>

namespace cove::io::detail {

task<transfer_outcome> refuse_offset() {
  co_return transfer_outcome(0, std::make_error_code(std::errc::invalid_argument),
                             "only a file can be copied from an offset; read or skip what is "
                             "before it, and give no offset");
}

}  // namespace cove::io::detail
