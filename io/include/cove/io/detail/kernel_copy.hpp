#pragma once

#include <cove/io/detail/byte_buffer.hpp>
#include <cove/io/transfer.hpp>
#include <cove/runtime/detail/descriptor.hpp>

#include <cstdint>

namespace cove::io::detail {

/// How a copy by the kernel ended.
struct kernel_outcome {
  std::size_t n = 0;      ///< Bytes that were written.
  bool refused = false;   ///< The kernel cannot do it: copy plainly what is left.
  std::error_code error;  ///< Zero with `refused` unset: the end of the source, or `most`.
  const char* verb = nullptr;
};

/// Copies up to `most` bytes from one descriptor to the other. What was taken from `from` and could
/// not be written is put into `held`, which is empty before.
task<kernel_outcome> splice_all(cove::detail::descriptor& from, cove::detail::descriptor& to,
                                std::uint64_t most, byte_buffer& held);

/// Copies up to `most` bytes of a file, from `offset` on.
task<kernel_outcome> send_file(int file, std::int64_t offset, cove::detail::descriptor& to,
                               std::uint64_t most);

inline constexpr const char* copy_reads = "copy, reading";
inline constexpr const char* copy_writes = "copy, writing";

}  // namespace cove::io::detail
