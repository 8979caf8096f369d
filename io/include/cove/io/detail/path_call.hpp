#pragma once

#include <cove/io/detail/path_job.hpp>
#include <cove/runtime/detail/blocking_op.hpp>
#include <cove/runtime/result.hpp>

// The awaitables of the path operations: a call on the file lane of the pool, in the caller's
// frame, with its paths.

namespace cove::io::fs {
class batch;
}

namespace cove::io::detail {

/// What does not depend on the answer.
class path_op : public cove::detail::blocking_op {
 public:
  explicit path_op(path_job&& what) noexcept;
  /// Before its start only.
  path_op(path_op&& other) noexcept : path_op(std::move(other.job_)) {}

 protected:
  friend class fs::batch;

  /// Zero if it succeeded.
  std::error_code outcome() const noexcept;
  /// Throws what it was if it did not succeed.
  void check();

  path_job job_;

 private:
  static void run(pool::job& which) noexcept;
  static const pool::job_type moves;
};

template <class T>
class path_result;

/// `co_await fs::stat(path)` throws; `co_await fs::stat(path).as_result()` reports.
template <class T>
class [[nodiscard]] path_call : public path_op {
 public:
  using path_op::path_op;
  path_call(path_call&&) noexcept = default;

  T await_resume() {
    check();
    return take_answer<T>(job_);
  }
  /// Gives a result<T>, and does not throw.
  auto as_result() && noexcept { return path_result<T>(std::move(*this)); }
};

template <class T>
class [[nodiscard]] path_result : public path_op {
 public:
  explicit path_result(path_call<T>&& from) noexcept : path_op(std::move(from)) {}
  path_result(path_result&&) noexcept = default;

  cove::result<T> await_resume() noexcept {
    if (const std::error_code why = outcome()) return why;
    if constexpr (std::is_void_v<T>)
      return {};
    else
      return take_answer<T>(job_);
  }
};

}  // namespace cove::io::detail
