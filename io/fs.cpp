#include <cove/io/fs.hpp>

#include "path_calls.hpp"

namespace cove::io {
namespace detail {

const pool::job_type path_op::moves{run, hand_back};

path_op::path_op(path_job&& what) noexcept
    : blocking_op(moves, cove::pool_lane::file), job_(std::move(what)) {
  name = name_of(job_.verb);
}

void path_op::run(pool::job& which) noexcept {
  auto& self = static_cast<path_op&>(which);
  perform(self.job_, self.asked());
}

std::error_code path_op::outcome() const noexcept {
  if (const std::error_code why = refusal()) return why;
  return job_.broken_off ? code_of(cause) : job_.code;
}

void path_op::check() {
  const std::error_code why = outcome();
  if (!why) return;
  if (why == refusal() && why == std::errc::resource_unavailable_try_again) check_ended();
  throw_path_error(job_, why);
}

}  // namespace detail

namespace fs {
namespace {

using detail::path_job;
using detail::path_verb;

path_job with_other(path_verb verb, std::string path, std::string other) noexcept {
  path_job job(verb, std::move(path));
  job.other = std::move(other);
  return job;
}

path_job with_mode(path_verb verb, std::string path, std::uint32_t mode) noexcept {
  path_job job(verb, std::move(path));
  job.mode = mode;
  return job;
}

path_job onto(path_verb verb, std::string from, std::string to, if_exists then) noexcept {
  path_job job = with_other(verb, std::move(from), std::move(to));
  job.exclusive = then == if_exists::refuse;
  return job;
}

}  // namespace

detail::path_call<file_status> stat(std::string path) {
  return detail::path_call<file_status>({path_verb::stat, std::move(path)});
}

detail::path_call<file_status> lstat(std::string path) {
  return detail::path_call<file_status>({path_verb::lstat, std::move(path)});
}

detail::path_call<bool> exists(std::string path) {
  return detail::path_call<bool>({path_verb::exists, std::move(path)});
}

detail::path_call<void> access(std::string path, right wanted) {
  return detail::path_call<void>(
      with_mode(path_verb::access, std::move(path), static_cast<std::uint32_t>(wanted)));
}

detail::path_call<void> mkdir(std::string path, std::uint32_t mode) {
  return detail::path_call<void>(with_mode(path_verb::mkdir, std::move(path), mode));
}

detail::path_call<bool> create_directories(std::string path, std::uint32_t mode) {
  return detail::path_call<bool>(with_mode(path_verb::create_directories, std::move(path), mode));
}

detail::path_call<std::string> mkdtemp(std::string prefix) {
  return detail::path_call<std::string>({path_verb::mkdtemp, std::move(prefix)});
}

detail::path_call<void> remove(std::string path) {
  return detail::path_call<void>({path_verb::remove, std::move(path)});
}

detail::path_call<void> unlink(std::string path) {
  return detail::path_call<void>({path_verb::unlink, std::move(path)});
}

detail::path_call<void> rmdir(std::string path) {
  return detail::path_call<void>({path_verb::rmdir, std::move(path)});
}

detail::path_call<std::uint64_t> remove_all(std::string path) {
  return detail::path_call<std::uint64_t>({path_verb::remove_all, std::move(path)});
}

detail::path_call<void> rename(std::string from, std::string to, if_exists then) {
  return detail::path_call<void>(onto(path_verb::rename, std::move(from), std::move(to), then));
}

detail::path_call<std::uint64_t> copy_file(std::string from, std::string to, if_exists then) {
  return detail::path_call<std::uint64_t>(
      onto(path_verb::copy_file, std::move(from), std::move(to), then));
}

detail::path_call<void> symlink(std::string target, std::string path) {
  return detail::path_call<void>(
      with_other(path_verb::symlink, std::move(path), std::move(target)));
}

detail::path_call<std::string> readlink(std::string path) {
  return detail::path_call<std::string>({path_verb::readlink, std::move(path)});
}

detail::path_call<void> link(std::string existing, std::string path) {
  return detail::path_call<void>(with_other(path_verb::link, std::move(path), std::move(existing)));
}

detail::path_call<std::string> realpath(std::string path) {
  return detail::path_call<std::string>({path_verb::realpath, std::move(path)});
}

detail::path_call<void> chmod(std::string path, std::uint32_t mode) {
  return detail::path_call<void>(with_mode(path_verb::chmod, std::move(path), mode));
}

detail::path_call<void> utimes(std::string path, file_time accessed, file_time modified) {
  path_job job(path_verb::utimes, std::move(path));
  job.moments = {accessed, modified};
  return detail::path_call<void>(std::move(job));
}

detail::path_call<void> truncate(std::string path, std::uint64_t size) {
  path_job job(path_verb::truncate, std::move(path));
  job.count = size;
  return detail::path_call<void>(std::move(job));
}

detail::path_call<file_system_status> statfs(std::string path) {
  return detail::path_call<file_system_status>({path_verb::statfs, std::move(path)});
}

}  // namespace fs
}  // namespace cove::io
