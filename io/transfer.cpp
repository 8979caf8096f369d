#include <cove/io/detail/transfer.hpp>
#include <cove/io/transfer.hpp>

namespace cove::io::detail {

void throw_io(const cove::detail::io_op& op) {
  const std::error_code why = io_outcome(op);
  if (op.stopped == cove::detail::stop_reason::canceled) throw canceled(op.name, op.transferred);
  std::string remedy;
  if (op.wrong == cove::detail::io_op::fault::invalid)
    remedy = "give a buffer of at least one byte: 0 bytes read means end of stream";
  if (op.wrong == cove::detail::io_op::fault::busy)
    remedy = "one task reads and one writes a stream at a time";
  if (op.wrong == cove::detail::io_op::fault::wrong_runtime) remedy = wrong_runtime_remedy(op);
  if (op.wrong == cove::detail::io_op::fault::too_high)
    remedy = cove::detail::too_high_remedy(op.handle->number());
  throw io_error(why, op.name, op.transferred, remedy);
}

io_result try_once(cove::detail::descriptor& on, io_kind what, void* data,
                   std::size_t size) noexcept {
  cove::detail::io_op op(&on, what);
  op.buffer = data;
  op.size = size;
  const bool ready = on.try_now(op);
  if (!ready) return {0, std::make_error_code(std::errc::operation_would_block)};
  return {op.transferred, io_outcome(op)};
}

void throw_transfer(const char* verb, const transfer_outcome& ended) {
  if (ended.verb != nullptr) verb = ended.verb;
  if (ended.error == std::make_error_code(std::errc::operation_canceled))
    throw canceled(verb, ended.n);
  throw io_error(ended.error, verb, ended.n, ended.remedy);
}

}  // namespace cove::io::detail
