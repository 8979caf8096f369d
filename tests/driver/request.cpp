#include "request.hpp"

#include <algorithm>

namespace cove::driver {
namespace {

constexpr std::string_view of_every_request[] = {"do", "timeout_us", "timeout_ms", "cancel_us",
                                                 "cancel_from"};
/// A step runs where its composite runs, and is answered with it.
constexpr std::string_view of_whole_requests[] = {"id", "by", "rt"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

refusal wrong(std::string_view name, const std::string& should) {
  return refusal::bad_request("\"" + std::string(name) + "\" has to be " + should);
}

}  // namespace

std::int64_t whole_number(const json& value, std::string_view name, std::int64_t least,
                          std::int64_t most) {
  if (!value.is_number_integer()) throw wrong(name, "a whole number");
  const bool fits = !value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX;
  if (!fits || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most)
    throw wrong(name, "from " + std::to_string(least) + " to " + std::to_string(most));
  return value.get<std::int64_t>();
}

request::request(json object) : object_(std::move(object)) {
  if (!object_.is_object()) throw refusal::bad_request("a request is an object");
}

void request::allow_only(const std::vector<std::string_view>& members, bool is_step) const {
  for (const auto& [name, value] : object_.items()) {
    const bool known = contains(of_every_request, name) || contains(members, name) ||
                       (!is_step && contains(of_whole_requests, name));
    if (!known) throw refusal::unsupported(name);
  }
}

const json& request::member(std::string_view name) const {
  const auto found = object_.find(name);
  if (found == object_.end())
    throw refusal::bad_request("\"" + std::string(name) + "\" is missing");
  return *found;
}

const std::string& request::text(std::string_view name) const {
  const json& value = member(name);
  if (!value.is_string()) throw wrong(name, "a text");
  return value.get_ref<const std::string&>();
}

std::string request::text_or(std::string_view name, std::string fallback) const {
  return has(name) ? text(name) : std::move(fallback);
}

std::int64_t request::number(std::string_view name, std::int64_t least, std::int64_t most) const {
  return whole_number(member(name), name, least, most);
}

std::int64_t request::number_or(std::string_view name, std::int64_t fallback, std::int64_t least,
                                std::int64_t most) const {
  return has(name) ? number(name, least, most) : fallback;
}

bool request::flag(std::string_view name) const {
  if (!has(name)) return false;
  if (!member(name).is_boolean()) throw wrong(name, "true or false");
  return member(name).get<bool>();
}

std::string request::choice(std::string_view name,
                            std::initializer_list<std::string_view> words) const {
  const std::string& word = text(name);
  if (!contains(words, word)) throw refusal::unsupported(word);
  return word;
}

std::vector<std::size_t> request::sizes(std::string_view name) const {
  const json& list = member(name);
  if (!list.is_array()) throw wrong(name, "a list of sizes");
  std::vector<std::size_t> all;
  for (const json& size : list) all.push_back(static_cast<std::size_t>(whole_number(size, name)));
  return all;
}

const json& request::steps(std::string_view name) const {
  const json& list = member(name);
  if (!list.is_array() ||
      !std::all_of(list.begin(), list.end(), [](const json& step) { return step.is_object(); }))
    throw wrong(name, "a list of requests");
  return list;
}

std::optional<std::chrono::microseconds> request::time(std::string_view us,
                                                       std::string_view ms) const {
  if (has(us) && has(ms)) throw wrong(us, "alone, without \"" + std::string(ms) + "\"");
  if (has(us)) return std::chrono::microseconds(number(us, INT64_MIN));
  if (!has(ms)) return std::nullopt;
  // What does not fit into microseconds is as good as for ever.
  constexpr std::int64_t most = INT64_MAX / 1000;
  return std::chrono::microseconds(std::clamp(number(ms, INT64_MIN), -most, most) * 1000);
}

std::chrono::microseconds request::required_time(std::string_view us, std::string_view ms) const {
  const auto given = time(us, ms);
  if (!given)
    throw refusal::bad_request("\"" + std::string(us) + "\" or \"" + std::string(ms) +
                               "\" is missing");
  return *given;
}

}  // namespace cove::driver
