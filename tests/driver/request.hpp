#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace cove::driver {

/// Requests and replies; members stay in the order in which they were written.
using json = nlohmann::ordered_json;

/// Why a request is answered without having been run: it is faulty, or asks for what is not there.
class refusal : public std::runtime_error {
 public:
  static refusal bad_request(const std::string& detail) { return {"badreq", "", detail}; }
  static refusal no_handle(const std::string& name) {
    return {"nohandle", "", "there is no \"" + name + "\""};
  }
  /// `what`: the verb, member or value that is not known here.
  static refusal unsupported(const std::string& what) { return {"unsupported", what, ""}; }

  const std::string error_class;
  const std::string named;

 private:
  refusal(const char* its_class, std::string what, const std::string& detail)
      : std::runtime_error(detail), error_class(its_class), named(std::move(what)) {}
};

/// One request, or one step of a composite, read strictly: a missing or mistyped member is a bad
/// request, an unknown member or value is unsupported, and nothing is ever ignored.
class request {
 public:
  explicit request(json object);

  /// Refuses members that are neither common to all requests nor named here.
  void allow_only(const std::vector<std::string_view>& members, bool is_step) const;

  bool has(std::string_view name) const { return object_.contains(name); }
  const json& member(std::string_view name) const;

  const std::string& text(std::string_view name) const;
  std::string text_or(std::string_view name, std::string fallback) const;
  std::int64_t number(std::string_view name, std::int64_t least = 0,
                      std::int64_t most = INT64_MAX) const;
  std::int64_t number_or(std::string_view name, std::int64_t fallback, std::int64_t least = 0,
                         std::int64_t most = INT64_MAX) const;
  /// A member that is left out is false.
  bool flag(std::string_view name) const;
  /// One of these words; any other is an unsupported value.
  std::string choice(std::string_view name, std::initializer_list<std::string_view> words) const;
  std::vector<std::size_t> sizes(std::string_view name) const;
  /// A list of objects.
  const json& steps(std::string_view name) const;

  /// The member `us` or the member `ms`, whichever is given; at most one is.
  std::optional<std::chrono::microseconds> time(std::string_view us, std::string_view ms) const;
  std::chrono::microseconds required_time(std::string_view us, std::string_view ms) const;

 private:
  json object_;
};

/// `value` as a whole number; a bad request that names `name` otherwise.
std::int64_t whole_number(const json& value, std::string_view name, std::int64_t least = 0,
                          std::int64_t most = INT64_MAX);

}  // namespace cove::driver
