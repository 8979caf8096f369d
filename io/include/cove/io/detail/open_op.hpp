#pragma once

#include <cove/io/detail/offloaded.hpp>
#include <cove/io/open_options.hpp>
#include <cove/runtime/result.hpp>

#include <string>
#include <string_view>

// Opening a file. It waits for disks, or longer, so it goes to a ring or to the pool at once. A
// descriptor that it got is its result, whatever was asked meanwhile; if nobody takes the result it
// is closed.

namespace cove::io {

class file;

namespace detail {

class open_op : public offloaded {
 public:
  open_op(std::string_view path, open_options options);
  /// Before its start only.
  open_op(open_op&& other) noexcept;
  ~open_op();

  bool await_ready() noexcept;

 protected:
  /// What it reports; a zero code for success.
  std::error_code outcome() const noexcept;
  [[noreturn]] void fail() const;
  bool failed() const noexcept { return static_cast<bool>(outcome()); }
  file take();

 private:
  friend struct open_moves;

  static void run(cove::pool::job& which) noexcept;
  static const cove::pool::job_type work;

  void book(std::int64_t outcome) noexcept;

  std::string path_;
  open_options options_;
  const char* contradiction_ = nullptr;
  int error_ = 0;
  int fd_ = -1;
};

class open_result_operation;

/// `co_await file::open(...)`; `.as_result()` reports in place of a throw.
class [[nodiscard]] open_operation : public open_op {
 public:
  using open_op::open_op;
  open_operation(open_operation&&) noexcept = default;

  file await_resume();
  open_result_operation as_result() && noexcept;
};

class [[nodiscard]] open_result_operation : public open_op {
 public:
  explicit open_result_operation(open_operation&& from) noexcept : open_op(std::move(from)) {}
  open_result_operation(open_result_operation&&) noexcept = default;

  result<file> await_resume();
};

inline open_result_operation open_operation::as_result() && noexcept {
  return open_result_operation(std::move(*this));
}

}  // namespace detail
}  // namespace cove::io
