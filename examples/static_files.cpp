// Serves the files below a folder over HTTP/1.1: GET and HEAD, single ranges, index.html. The
// kernel sends the files from its memory to the socket (sendfile); what has to come from the disk
// is read by the pool or a ring, so no worker waits for a disk. Nothing outside of the folder can
// be had, be it by ".." or by a symbolic link. Try it:
//
//     build/release/examples/static_files --root docs --address 127.0.0.1:8080
//     curl -i http://127.0.0.1:8080/testing.md
//     curl -r 0-99 http://127.0.0.1:8080/testing.md

#include "support/ending.hpp"
#include "support/http_request.hpp"

#include <cove/io.hpp>
#include <cove/net.hpp>

#include <cstdio>

using namespace std::chrono_literals;
namespace fs = cove::io::fs;
using cove::examples::http_request;
using cove::io::file;
using cove::net::tcp_stream;

constexpr std::size_t head_most = 16 * 1024;

std::string_view type_of(std::string_view path) {
  struct known {
    std::string_view ending, type;
  };
  static constexpr known all[] = {{".html", "text/html; charset=utf-8"},
                                  {".css", "text/css"},
                                  {".js", "text/javascript"},
                                  {".json", "application/json"},
                                  {".txt", "text/plain; charset=utf-8"},
                                  {".md", "text/markdown; charset=utf-8"},
                                  {".svg", "image/svg+xml"},
                                  {".png", "image/png"},
                                  {".jpg", "image/jpeg"},
                                  {".gif", "image/gif"},
                                  {".pdf", "application/pdf"},
                                  {".wasm", "application/wasm"}};
  for (const known& each : all)
    if (path.ends_with(each.ending)) return each.type;
  return "application/octet-stream";
}

/// A status line and headers. Bodies of `count` bytes follow, or would if it were a GET.
std::string head_of(const http_request& asked, std::string_view status, std::uint64_t count,
                    std::string_view more) {
  std::string head = "HTTP/1.1 ";
  head.append(status).append("\r\nContent-Length: ").append(std::to_string(count)).append("\r\n");
  head.append(more);
  if (!asked.keep_alive) head.append("Connection: close\r\n");
  if (asked.keep_alive && asked.old) head.append("Connection: keep-alive\r\n");
  return head.append("\r\n");
}

cove::task<> refuse(tcp_stream& peer, const http_request& asked, std::string_view status,
                    std::string more = {}) {
  const std::string body = std::string(status) + "\n";
  std::string answer =
      head_of(asked, status, body.size(), "Content-Type: text/plain\r\n" + std::move(more));
  if (!asked.head_only()) answer += body;
  co_await peer.write_all(cove::io::bytes_of(answer));
}

/// The file that a path of a request leads to; its path is real, and below the root. Nothing if
/// there is none. Who may change what is below the root may change it in between.
cove::task<std::optional<std::string>> find_file(const std::string& root, std::string path) {
  auto real = co_await fs::realpath(root + path).as_result();
  if (!real || (*real != root && !real->starts_with(root + "/"))) co_return std::nullopt;
  auto status = co_await fs::stat(*real).as_result();
  if (status && status->is_directory()) {
    real = co_await fs::realpath(*real + "/index.html").as_result();
    if (!real || !real->starts_with(root + "/")) co_return std::nullopt;
    status = co_await fs::stat(*real).as_result();
  }
  // Anything but a regular file might never end.
  if (!status || !status->is_regular()) co_return std::nullopt;
  co_return std::move(*real);
}

cove::task<> send(tcp_stream& peer, const http_request& asked, std::string path) {
  auto opened = co_await file::open(path).as_result();
  if (!opened) {
    const bool denied = opened.error() == std::errc::permission_denied;
    co_return co_await refuse(peer, asked, denied ? "403 Forbidden" : "404 Not Found");
  }
  const cove::io::file_status status = co_await opened->stat();
  const std::string whole = std::to_string(status.size);
  const auto wanted = cove::examples::parse_range(asked.range, status.size);
  if (wanted && wanted->count == 0)
    co_return co_await refuse(peer, asked, "416 Range Not Satisfiable",
                              "Content-Range: bytes */" + whole + "\r\n");
  cove::examples::byte_range part{0, status.size};
  std::string more = "Accept-Ranges: bytes\r\nContent-Type: ";
  more.append(type_of(path)).append("\r\n");
  if (wanted) {
    part = *wanted;
    more += "Content-Range: bytes " + std::to_string(part.first) + "-" +
            std::to_string(part.first + part.count - 1) + "/" + whole + "\r\n";
  }
  const std::string head =
      head_of(asked, wanted ? "206 Partial Content" : "200 OK", part.count, more);
  co_await peer.write_all(cove::io::bytes_of(head));
  if (asked.head_only()) co_return;
  cove::io::copy_options bytes(part.count);
  bytes.offset = static_cast<std::int64_t>(part.first);
  const std::size_t sent = co_await cove::io::copy(*opened, peer, bytes);
  // The length was promised. Only a broken connection says that it was not kept.
  if (sent != part.count) peer.abort();
}

cove::task<> answer(tcp_stream& peer, const http_request& asked, const std::string& root) {
  if (asked.wrong != nullptr) co_return co_await refuse(peer, asked, "400 Bad Request");
  if (asked.method != HTTP_GET && asked.method != HTTP_HEAD)
    co_return co_await refuse(peer, asked, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
  std::optional<std::string> path = cove::examples::path_in(asked.target);
  if (!path) co_return co_await refuse(peer, asked, "400 Bad Request");
  std::optional<std::string> found = co_await find_file(root, std::move(*path));
  if (!found) co_return co_await refuse(peer, asked, "404 Not Found");
  co_await send(peer, asked, std::move(*found));
}

cove::task<> session(tcp_stream peer, std::string root) {
  cove::io::buffered_reader reader(peer);
  for (bool more = true; more;) {
    // Browsers leave as they like, and who sends nothing for long is asked to.
    auto waiting = cove::with_timeout(reader.read_until("\r\n\r\n", head_most), 30s);
    const auto head = co_await std::move(waiting).as_result();
    if (!head && head.error() != std::errc::message_size) co_return;
    http_request asked;
    if (head) asked = http_request::parse(*head);
    more = asked.keep_alive;
    if (head)
      co_await answer(peer, asked, root);
    else
      co_await refuse(peer, asked, "431 Request Header Fields Too Large");
  }
  peer.shutdown_write();
  // Closing with bytes unread would reset the connection, and the last answer might get lost.
  auto rest = cove::io::read_to_end(peer, 1 << 20);
  static_cast<void>(co_await cove::with_timeout(std::move(rest), 2s).as_result());
}

cove::task<> serve(cove::net::tcp_listener& listener, std::string root) {
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  const auto with_root = [root](tcp_stream peer) { return session(std::move(peer), root); };
  co_await cove::net::serve(listener, with_root);
}

cove::task<> run_server(std::string address, std::string root, cove::examples::ending how) {
  root = co_await fs::realpath(std::move(root));
  auto listener = cove::net::tcp_listener::bind(address);
  co_await cove::examples::serve_gracefully(listener, serve(listener, root), how);
}

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:8080";
  std::string root = ".";
  cove::examples::ending how;
  cove::examples::options options("Serves the files below a folder over HTTP/1.1.");
  options.text("--address", address,
               "where to listen, as 127.0.0.1:8080 or [::1]:8080; port 0: any");
  options.text("--root", root, "the folder");
  how.add_to(options);
  if (auto code = options.parse(argc, argv)) return *code;
  return cove::run_with(options.runtime(), run_server, address, root, how);
}
