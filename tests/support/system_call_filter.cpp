#include "support/system_call_filter.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

// The filter is a program of classic BPF that the kernel runs before each system call: load the
// number of the call, and where only some of them are denied its first argument; if it is ours,
// answer with the error; else go on. It does not look at the architecture: the tests make no calls
// of a foreign one.

namespace cove::test {
namespace {

struct entry {
  std::string_view name;
  int value;
};

// The same on every processor; headers before Linux 5.9 do not know all of them.
constexpr int pidfd_send_signal_call = 424;
constexpr int close_range_call = 436;

constexpr std::array calls{
    entry{"io_uring_setup", SYS_io_uring_setup}, entry{"io_uring_enter", SYS_io_uring_enter},
    entry{"io_uring_register", SYS_io_uring_register}, entry{"epoll_pwait2", SYS_epoll_pwait2},
    entry{"pwritev2", SYS_pwritev2},
    // Of the ways to copy a file.
    entry{"copy_file_range", SYS_copy_file_range}, entry{"ftruncate", SYS_ftruncate},
    entry{"ioctl", SYS_ioctl}, entry{"lseek", SYS_lseek}, entry{"sendfile", SYS_sendfile},
    entry{"splice", SYS_splice},
    // Of processes.
    entry{"close_range", close_range_call}, entry{"pidfd_send_signal", pidfd_send_signal_call},
    entry{"waitid_by_pidfd", SYS_waitid}};
constexpr std::array errors{entry{"EPERM", EPERM}, entry{"ENOSYS", ENOSYS}, entry{"EACCES", EACCES},
                            entry{"EINVAL", EINVAL}, entry{"EOPNOTSUPP", EOPNOTSUPP}};

template <std::size_t Size>
std::optional<int> value_of(const std::array<entry, Size>& all, std::string_view name) {
  for (const entry& each : all)
    if (each.name == name) return each.value;
  return std::nullopt;
}

}  // namespace

std::optional<denied_call> denied_call_from(std::string_view text) {
  const std::size_t sign = text.find('=');
  if (sign == std::string_view::npos) return std::nullopt;
  const std::optional<int> number = value_of(calls, text.substr(0, sign));
  const std::optional<int> error = value_of(errors, text.substr(sign + 1));
  if (!number || !error) return std::nullopt;
  constexpr std::uint32_t by_pidfd = 3;
  denied_call which{*number, *error, std::nullopt};
  if (*number == SYS_waitid) which.first_argument = by_pidfd;
  return which;
}

bool deny(denied_call which) {
  const auto number = static_cast<std::uint32_t>(which.number);
  const auto answer = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(which.error);
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (which.first_argument) {
    // Its lower half, where the low byte comes first.
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *which.first_argument, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // Without the promise to gain no rights, only root may install a filter.
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace cove::test
