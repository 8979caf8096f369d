#pragma once

#include <cove/io/detail/byte_buffer.hpp>
#include <cove/io/transfer.hpp>
#include <cove/runtime/detail/descriptor.hpp>

#include <cstdint>

namespace cove::io::detail {

class file_state;

/// How a copy by the kernel ended.
struct kernel_outcome {
  std::size_t n = 0;      ///< Bytes that were written.
  bool refused = false;   ///< The kernel cannot do it: copy plainly what is left.
  bool cold = false;      ///< A file: what follows has to be read from its disk first.
  std::error_code error;  ///< Zero with neither set: the end of the source, or `most`.
  const char* verb = nullptr;
};

/// Copies up to `most` bytes from one descriptor to the other. What was taken from `from` and could
/// not be written is put into `held`, which is empty before.
task<kernel_outcome> splice_all(cove::detail::descriptor& from, cove::detail::descriptor& to,
                                std::uint64_t most, byte_buffer& held);

/// Copies up to `most` bytes of a file, from `offset` on, as far as the system has them in memory.
task<kernel_outcome> send_file(file_state& file, std::int64_t offset, cove::detail::descriptor& to,
                               std::uint64_t most);

inline constexpr const char* copy_reads = "copy, reading";
inline constexpr const char* copy_writes = "copy, writing";

}  // namespace cove::io::detail
