#pragma once

#include <http_parser.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cove::examples {

/// What an HTTP/1.x server that knows only `/` says on one connection: takes what was received,
/// cut anywhere, and gives what is to be sent. A request is answered when all of it is there.
///
/// Source: RFC 9112.
class http_exchange {
 public:
  http_exchange() {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
  }
  http_exchange(const http_exchange&) = delete;  // The parser points here.
  http_exchange& operator=(const http_exchange&) = delete;

  /// Heads of requests above this size are refused.
  static void limit_heads(unsigned bytes) { http_parser_set_max_header_size(bytes); }

  void feed(std::span<const std::byte> received) {
    http_parser_settings react{};
    react.on_message_begin = [](http_parser* at) { return self(at).begin(); };
    react.on_url = [](http_parser* at, const char* part, std::size_t size) {
      return self(at).extend_target({part, size});
    };
    react.on_headers_complete = [](http_parser* at) { return self(at).stay_with_http1(); };
    react.on_message_complete = [](http_parser* at) { return self(at).reply(); };
    http_parser_execute(&parser_, &react, reinterpret_cast<const char*>(received.data()),
                        received.size());
    const http_errno why = HTTP_PARSER_ERRNO(&parser_);
    if (why == HPE_OK || last_) return;
    last_ = true;
    head_only_ = false;
    answer(why == HPE_HEADER_OVERFLOW ? "431 Request Header Fields Too Large" : "400 Bad Request",
           std::string(http_errno_description(why)) + "\n");
  }

  /// The answers that are to be sent; the sender clears them.
  std::string& answers() { return answers_; }
  /// The connection ends with these answers.
  bool last() const { return last_; }

 private:
  static http_exchange& self(http_parser* parser) {
    return *static_cast<http_exchange*>(parser->data);
  }

  // The parser's events. 0: go on.
  int begin() {
    target_.clear();
    return 0;
  }
  int extend_target(std::string_view part) {
    target_.append(part);
    return 0;
  }
  int stay_with_http1() {
    parser_.upgrade = 0;  // Upgrading is a wish that a server may pass over.
    return 0;
  }
  int reply() {
    head_only_ = parser_.method == HTTP_HEAD;
    last_ = http_should_keep_alive(&parser_) == 0;
    const bool reads = parser_.method == HTTP_GET || head_only_;
    if (parser_.http_major != 1)
      answer("505 HTTP Version Not Supported", "HTTP/1.0 and HTTP/1.1 are spoken here\n");
    else if (reads && target_.substr(0, target_.find('?')) == "/")
      answer("200 OK", "Hello, World!\n");
    else
      answer("404 Not Found", "there is only GET /\n");
    if (last_) http_parser_pause(&parser_, 1);  // What follows gets no answer.
    return 0;
  }

  void answer(std::string_view status, std::string_view body) {
    answers_.append("HTTP/1.1 ").append(status);
    answers_.append("\r\nContent-Type: text/plain\r\nContent-Length: ");
    answers_.append(std::to_string(body.size()));
    if (last_) answers_.append("\r\nConnection: close");
    // HTTP/1.0 closes unless both sides ask to go on.
    if (!last_ && parser_.http_minor == 0) answers_.append("\r\nConnection: keep-alive");
    answers_.append("\r\n\r\n");
    if (!head_only_) answers_.append(body);
  }

  http_parser parser_;
  std::string target_;
  std::string answers_;
  bool head_only_ = false;
  bool last_ = false;
};

}  // namespace cove::examples
