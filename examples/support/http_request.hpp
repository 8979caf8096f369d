#pragma once

#include <http_parser.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cove::examples {

/// The head of an HTTP/1.x request without a body, as far as a server of files needs it.
///
/// Source: RFC 9110, RFC 9112.
struct http_request {
  unsigned method = HTTP_GET;
  std::string target;
  std::string range;  ///< The value of Range; empty without one.
  bool keep_alive = false;
  bool old = false;             ///< HTTP/1.0, which closes unless both sides say otherwise.
  const char* wrong = nullptr;  ///< What makes it no such request.

  bool head_only() const noexcept { return method == HTTP_HEAD; }

  /// `head` goes to the empty line and has it.
  static http_request parse(std::string_view head);
};

/// Bytes of a file: `count` from `first` on.
struct byte_range {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// What a Range header asks of a file of `size` bytes: nothing where it says nothing that a server
/// must understand (several ranges, another unit), so that the whole file is the answer. A range
/// with `count` 0 cannot be had.
///
/// Source: RFC 9110, 14.1.2.
inline std::optional<byte_range> parse_range(std::string_view text, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!text.starts_with(unit)) return std::nullopt;
  text.remove_prefix(unit.size());
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [rest, why] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (why != std::errc() || rest != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (dash == 0 && last) {  // The last so many.
    const std::uint64_t count = *last < size ? *last : size;
    return byte_range{size - count, count};
  }
  const bool open = dash + 1 == text.size();
  if (!first || (!open && (!last || *last < *first))) return std::nullopt;
  if (*first >= size) return byte_range{};
  const std::uint64_t left = size - *first;
  return byte_range{*first, open || *last - *first >= left ? left : *last - *first + 1};
}

/// What a target of a request names: its path without query, with percent signs decoded. Nothing if
/// it is no path below the root: not absolute, with ".." as a part of it, with a byte 0, or decoded
/// from nonsense.
std::optional<std::string> path_in(std::string_view target);

namespace detail {

inline int digit_of(char hex) noexcept {
  if (hex >= '0' && hex <= '9') return hex - '0';
  if (hex >= 'a' && hex <= 'f') return hex - 'a' + 10;
  if (hex >= 'A' && hex <= 'F') return hex - 'A' + 10;
  return -1;
}

/// What the parser is told to fill.
struct request_parser {
  http_request into;
  std::string field;
  bool value_follows = false;
  bool complete = false;

  static request_parser& self(http_parser* at) { return *static_cast<request_parser*>(at->data); }

  int name(std::string_view part) {
    if (value_follows) field.clear();
    value_follows = false;
    for (const char c : part) field += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return 0;
  }
  int value(std::string_view part) {
    value_follows = true;
    if (field == "range") into.range.append(part);
    return 0;
  }
};

}  // namespace detail

inline http_request http_request::parse(std::string_view head) {
  using detail::request_parser;
  http_parser parser;
  http_parser_init(&parser, HTTP_REQUEST);
  request_parser found;
  parser.data = &found;
  http_parser_settings react{};
  react.on_url = [](http_parser* at, const char* part, std::size_t size) {
    request_parser::self(at).into.target.append(part, size);
    return 0;
  };
  react.on_header_field = [](http_parser* at, const char* part, std::size_t size) {
    return request_parser::self(at).name({part, size});
  };
  react.on_header_value = [](http_parser* at, const char* part, std::size_t size) {
    return request_parser::self(at).value({part, size});
  };
  react.on_headers_complete = [](http_parser* at) {
    request_parser::self(at).into.keep_alive = http_should_keep_alive(at) != 0;
    at->upgrade = 0;  // Upgrading is a wish that a server may pass over.
    return 0;
  };
  react.on_message_complete = [](http_parser* at) {
    request_parser::self(at).complete = true;
    return 0;
  };
  http_parser_execute(&parser, &react, head.data(), head.size());
  found.into.method = parser.method;
  found.into.old = parser.http_minor == 0;
  const http_errno why = HTTP_PARSER_ERRNO(&parser);
  if (why != HPE_OK)
    found.into.wrong = http_errno_description(why);
  else if (!found.complete)
    found.into.wrong = "a request with a body is not understood here";
  if (found.into.wrong != nullptr) found.into.keep_alive = false;
  return found.into;
}

inline std::optional<std::string> path_in(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      if (i + 2 >= target.size()) return std::nullopt;
      const int high = detail::digit_of(target[i + 1]);
      const int low = detail::digit_of(target[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    path += c;
  }
  if (!path.starts_with('/')) return std::nullopt;
  for (std::size_t at = 0, end = 0; at < path.size(); at = end) {
    end = std::min(path.find('/', at + 1), path.size());
    if (path.substr(at, end - at) == "/..") return std::nullopt;
  }
  return path;
}

}  // namespace cove::examples
