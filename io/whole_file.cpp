#include <cove/io/whole_file.hpp>

#include "file_calls.hpp"
#include "file_status.hpp"

#include <cove/runtime/blocking.hpp>
#include <cove/runtime/error.hpp>

#include <algorithm>

namespace cove::io {
namespace {

/// Opens, and closes at its end; its failures name the path.
class opened {
 public:
  opened(const std::string& path, const open_options& options) : path_(path) {
    if (path.find('\0') != std::string::npos)
      throw error(std::make_error_code(std::errc::invalid_argument), "open \"" + path + '"',
                  "the path has a NUL inside, where the system would end it");
    fd_ = static_cast<int>(check(
        "open", detail::open_file(path.c_str(), detail::open_flags(options), options.mode())));
  }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() {
    if (fd_ >= 0) static_cast<void>(detail::close_file(fd_));
  }

  std::size_t size_guess() const noexcept {
    file_status status;
    return detail::read_status(fd_, status) ? 0 : static_cast<std::size_t>(status.size);
  }
  /// 0 at the end.
  std::size_t read(char* into, std::size_t size) const {
    return static_cast<std::size_t>(
        check("read", detail::read_file(fd_, {into, size, nullptr, detail::at_cursor})));
  }
  std::size_t write(const char* from, std::size_t size) const {
    const detail::transfer_piece piece{const_cast<char*>(from), size, nullptr, detail::at_cursor};
    return static_cast<std::size_t>(check("write", detail::write_file(fd_, piece)));
  }
  [[noreturn]] void fail(const char* verb, std::error_code why, const char* remedy = "") const {
    throw error(why, std::string(verb) + " \"" + path_ + '"', remedy);
  }

 private:
  std::int64_t check(const char* verb, std::int64_t outcome) const {
    if (outcome < 0) fail(verb, system_error_code(static_cast<int>(-outcome)));
    return outcome;
  }

  const std::string& path_;
  int fd_ = -1;
};

/// On a thread of the pool.
std::string read_now(const std::string& path, std::size_t most) {
  constexpr std::size_t step = 4096;
  const opened in(path, open_options{}.read());
  const std::size_t limit = most == SIZE_MAX ? most : most + 1;  // That one is too many.
  std::string text;
  // A byte more than there should be shows the end without another round.
  std::size_t room = std::min(limit, in.size_guess() + 1);
  for (std::size_t size = 0;;) {
    if (size == room) room = std::min(limit, size + std::max(step, size));
    text.resize(room);
    const std::size_t n = in.read(text.data() + size, room - size);
    size += n;
    if (size > most)
      in.fail("read", std::make_error_code(std::errc::file_too_large),
              "it has more bytes than the limit that was given");
    if (n == 0) {
      text.resize(size);
      return text;
    }
  }
}

/// On a thread of the pool.
void write_now(const std::string& path, const std::string& contents, std::uint32_t mode) {
  const opened out(path, open_options{}.write().create(mode).truncate());
  for (std::size_t done = 0; done < contents.size();)
    done += out.write(contents.data() + done, contents.size() - done);
}

}  // namespace

task<std::string> read_whole(std::string path, std::size_t most) {
  const std::string* from = &path;
  co_return co_await blocking(
      pool_lane::file,
      +[](const std::string* name, std::size_t limit) { return read_now(*name, limit); }, from,
      most);
}

task<> write_whole(std::string path, std::string contents, std::uint32_t mode) {
  const std::string* to = &path;
  const std::string* what = &contents;
  co_await blocking(
      pool_lane::file,
      +[](const std::string* name, const std::string* bytes, std::uint32_t m) {
        write_now(*name, *bytes, m);
      },
      to, what, mode);
}

}  // namespace cove::io
