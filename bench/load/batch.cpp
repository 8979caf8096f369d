#include "batch.hpp"

#include "client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace load {

namespace {

using namespace std::string_view_literals;

constexpr auto http_request =
    "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n"sv;
constexpr auto http_good = "HTTP/1.1 200"sv;

// The size of a whole response, or 0 while these bytes do not hold it.
std::size_t response_size(std::string_view seen) {
  constexpr auto length_field = "\r\nContent-Length: "sv;
  const std::size_t head = seen.find("\r\n\r\n");
  if (head == seen.npos) return 0;
  const std::size_t field = seen.find(length_field);
  if (!seen.starts_with(http_good) || field >= head)
    throw failure("a response needs status 200 and a Content-Length");
  const std::size_t body = std::strtoul(seen.data() + field + length_field.size(), nullptr, 10);
  return seen.size() >= head + 4 + body ? head + 4 + body : 0;
}

std::size_t learn_response_size(int port) {
  constexpr int limit_ms = 5000;
  const int fd = start_connect(port);
  pollfd ready{fd, POLLOUT, 0};
  if (poll(&ready, 1, limit_ms) != 1 ||
      send(fd, http_request.data(), http_request.size(), MSG_NOSIGNAL) < 0)
    fail("ask for one response");
  std::string seen;
  std::size_t size = 0;
  ready.events = POLLIN;
  while (size == 0) {
    char part[4096];
    if (poll(&ready, 1, limit_ms) != 1) throw failure("no response within 5 s");
    const ssize_t got = recv(fd, part, sizeof part, 0);
    if (got <= 0) throw failure("the server ended the connection within a response");
    seen.append(part, static_cast<std::size_t>(got));
    size = response_size(seen);
  }
  close(fd);
  return size;
}

}  // namespace

batch::batch(const options& wanted)
    : is_http_(wanted.mode == mode::http),
      depth_(wanted.depth),
      size_(is_http_ ? http_request.size() : wanted.size),
      reply_size_(is_http_ ? learn_response_size(wanted.port) : size_) {
  for (std::size_t i = 0; i < depth_; ++i)
    bytes_ += is_http_ ? std::string(http_request) : std::string(size_, 'x');
}

std::span<const char> batch::request(std::uint64_t serial) {
  if (!is_http_) {
    for (std::size_t i = 0; i < depth_; ++i) {
      const std::uint64_t stamp = serial * depth_ + i;
      std::memcpy(bytes_.data() + i * size_, &stamp, sizeof stamp);
    }
  }
  return bytes_;
}

bool batch::is_right(std::uint64_t serial, std::size_t from, std::span<const char> got) {
  if (from + got.size() > reply_size()) return false;
  if (!is_http_) return std::memcmp(request(serial).data() + from, got.data(), got.size()) == 0;
  // Of a response its size is known, and its beginning where that came in one piece.
  const std::string_view seen(got.data(), got.size());
  for (std::size_t at = (reply_size_ - from % reply_size_) % reply_size_;
       at + http_good.size() <= seen.size(); at += reply_size_)
    if (seen.substr(at, http_good.size()) != http_good) return false;
  return true;
}

}  // namespace load
