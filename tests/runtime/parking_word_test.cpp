#include <cove/runtime/detail/parking_word.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace {

using cove::detail::parking_word;
using outcome = parking_word::outcome;

// ----- the moves one by one -----

TEST_CASE("a task that parks is woken by its completion") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.complete());
  CHECK_FALSE(word.claimed());
}

TEST_CASE("a completion that comes before the park is not lost") {
  parking_word word;
  CHECK_FALSE(word.complete());
  CHECK(word.park(false) == outcome::completed);
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.complete());
}

TEST_CASE("a request claims a parked task, once") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.ask(parking_word::request));
  CHECK(word.claimed());
  CHECK_FALSE(word.ask(parking_word::request));
  CHECK_FALSE(word.ask(parking_word::closed));
  CHECK_FALSE(word.take());
  CHECK_FALSE(word.claimed());
}

TEST_CASE("a request that comes before the park is told") {
  parking_word word;
  CHECK_FALSE(word.ask(parking_word::request));
  CHECK(word.asked());
  CHECK(word.park(false) == outcome::requested);
  CHECK_FALSE(word.claimed());
}

TEST_CASE("a completion goes before a request") {
  parking_word word;
  CHECK_FALSE(word.ask(parking_word::request));
  CHECK_FALSE(word.complete());
  CHECK(word.park(false) == outcome::completed);
  CHECK(word.park(false) == outcome::requested);
}

TEST_CASE("a masked task is not claimed, and finds the request at its next wait") {
  parking_word word;
  CHECK(word.park(true) == outcome::parked);
  CHECK_FALSE(word.ask(parking_word::request));
  CHECK_FALSE(word.ask(parking_word::deadline));
  CHECK(word.complete());
  CHECK(word.park(false) == outcome::requested);
}

TEST_CASE("a mask parks over a request") {
  parking_word word;
  CHECK_FALSE(word.ask(parking_word::request));
  CHECK(word.park(true) == outcome::parked);
  CHECK(word.complete());
}

TEST_CASE("a mask ends with its wait") {
  parking_word word;
  CHECK(word.park(true) == outcome::parked);
  CHECK(word.complete());
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.ask(parking_word::request));
}

TEST_CASE("a claimed task that is completed stays the canceller's") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.ask(parking_word::request));
  CHECK_FALSE(word.complete());
  CHECK(word.take());
  CHECK_FALSE(word.claimed());
}

TEST_CASE("a claim without a reason is given back") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.ask(parking_word::request));
  SUBCASE("and the task waits on") {
    word.forget_request();
    CHECK(word.unclaim() == outcome::parked);
    CHECK(word.complete());
  }
  SUBCASE("and the task can be claimed again") {
    word.forget_request();
    CHECK(word.unclaim() == outcome::parked);
    CHECK(word.ask(parking_word::request));
  }
  SUBCASE("unless the completion came") {
    word.forget_request();
    CHECK_FALSE(word.complete());
    CHECK(word.unclaim() == outcome::completed);
    CHECK_FALSE(word.claimed());
    CHECK(word.park(false) == outcome::parked);
  }
  SUBCASE("unless somebody asks again") {
    word.forget_request();
    CHECK_FALSE(word.ask(parking_word::request));
    CHECK(word.unclaim() == outcome::requested);
    CHECK(word.claimed());
  }
}

TEST_CASE("a claimed task can wait on, masked, for a completion in flight") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.ask(parking_word::request));
  SUBCASE("which comes later") {
    CHECK(word.remask());
    CHECK_FALSE(word.ask(parking_word::closed));
    CHECK(word.complete());
    CHECK_FALSE(word.claimed());
  }
  SUBCASE("which was there already") {
    CHECK_FALSE(word.complete());
    CHECK_FALSE(word.remask());
    CHECK_FALSE(word.claimed());
    CHECK(word.park(true) == outcome::parked);
  }
}

TEST_CASE("the bits of an operation end with it, the request does not") {
  parking_word word;
  CHECK(word.park(false) == outcome::parked);
  CHECK(word.complete(parking_word::closed));
  CHECK(word.asked(parking_word::closed));
  CHECK_FALSE(word.ask(parking_word::deadline));
  CHECK_FALSE(word.ask(parking_word::request));
  word.end_operation();
  CHECK_FALSE(word.asked(parking_word::closed | parking_word::deadline));
  CHECK(word.asked(parking_word::request));
  word.forget_request();
  CHECK_FALSE(word.asked());
}

// ----- every move from every state -----

// The same machine written down a second time, without bits. Each state that legal moves can reach
// is set up anew for each pair of moves that are legal there; word and table must agree on what
// every move gives and on what can be read afterwards. Two moves, because what the first did to the
// bits that cannot be read shows in what the second gives.

enum class place : std::uint8_t { owner, parked, masked, claimed };

struct state {
  place where = place::owner;
  bool armed = false;  ///< A completion is owed.
  bool done = false;
  std::uint32_t asks = 0;

  auto operator<=>(const state&) const = default;
};

enum class move : std::uint8_t {
  arm,  ///< The owner starts an operation; no move of the word.
  park,
  park_masked,
  complete,
  complete_closed,
  ask_request,
  ask_closed,
  ask_deadline,
  take,
  unclaim,
  remask,
  forget_request,
  end_operation
};
constexpr unsigned move_count = 13;

using trail = std::vector<move>;

/// What a move gives, whatever its type.
using given = int;
constexpr given nothing = -1;

bool legal(const state& in, move what) {
  const bool owned = in.where == place::owner;
  const bool claimed = in.where == place::claimed;
  switch (what) {
    case move::arm: return owned && !in.armed && !in.done;
    case move::park:
    case move::park_masked: return owned && (in.armed || in.done);
    case move::complete:
    case move::complete_closed: return in.armed;
    case move::ask_request:
    case move::ask_closed:
    case move::ask_deadline: return true;
    case move::take:
    case move::unclaim:
    case move::remask: return claimed;
    case move::forget_request: return owned || claimed;
    case move::end_operation: return owned && !in.armed && !in.done;
  }
  return false;
}

given model_park(state& in, bool mask) {
  if (in.done) {
    in.done = false;
    return static_cast<given>(outcome::completed);
  }
  if (!mask && in.asks != 0) return static_cast<given>(outcome::requested);
  in.where = mask ? place::masked : place::parked;
  return static_cast<given>(outcome::parked);
}

given model_complete(state& in, std::uint32_t bits) {
  in.armed = false;
  in.asks |= bits;
  if (in.where == place::parked || in.where == place::masked) {
    in.where = place::owner;
    return 1;
  }
  in.done = true;
  return 0;
}

given model_ask(state& in, std::uint32_t bit) {
  in.asks |= bit;
  if (in.where != place::parked) return 0;
  in.where = place::claimed;
  return 1;
}

/// The owner took the operation back, or takes note of its completion.
given model_take(state& in) {
  const bool came = in.done;
  in = {place::owner, false, false, in.asks};
  return came ? 1 : 0;
}

given model_unclaim(state& in) {
  if (in.done) {
    model_take(in);
    return static_cast<given>(outcome::completed);
  }
  if (in.asks != 0) return static_cast<given>(outcome::requested);
  in.where = place::parked;
  return static_cast<given>(outcome::parked);
}

given model_remask(state& in) {
  if (in.done) {
    model_take(in);
    return 0;
  }
  in.where = place::masked;
  return 1;
}

given apply(state& in, move what) {
  switch (what) {
    case move::arm: in.armed = true; break;
    case move::park: return model_park(in, false);
    case move::park_masked: return model_park(in, true);
    case move::complete: return model_complete(in, 0);
    case move::complete_closed: return model_complete(in, parking_word::closed);
    case move::ask_request: return model_ask(in, parking_word::request);
    case move::ask_closed: return model_ask(in, parking_word::closed);
    case move::ask_deadline: return model_ask(in, parking_word::deadline);
    case move::take: return model_take(in);
    case move::unclaim: return model_unclaim(in);
    case move::remask: return model_remask(in);
    case move::forget_request: in.asks &= ~parking_word::request; break;
    case move::end_operation: in.asks &= parking_word::request; break;
  }
  return nothing;
}

given apply(parking_word& word, move what) {
  switch (what) {
    case move::arm: break;
    case move::park: return static_cast<given>(word.park(false));
    case move::park_masked: return static_cast<given>(word.park(true));
    case move::complete: return word.complete() ? 1 : 0;
    case move::complete_closed: return word.complete(parking_word::closed) ? 1 : 0;
    case move::ask_request: return word.ask(parking_word::request) ? 1 : 0;
    case move::ask_closed: return word.ask(parking_word::closed) ? 1 : 0;
    case move::ask_deadline: return word.ask(parking_word::deadline) ? 1 : 0;
    case move::take: return word.take() ? 1 : 0;
    case move::unclaim: return static_cast<given>(word.unclaim());
    case move::remask: return word.remask() ? 1 : 0;
    case move::forget_request: word.forget_request(); break;
    case move::end_operation: word.end_operation(); break;
  }
  return nothing;
}

bool agree(const parking_word& word, const state& in) {
  bool same = word.claimed() == (in.where == place::claimed) && word.asked() == (in.asks != 0);
  for (const std::uint32_t bit :
       {parking_word::request, parking_word::closed, parking_word::deadline})
    same = same && word.asked(bit) == ((in.asks & bit) != 0);
  return same;
}

std::string written(const trail& moves) {
  static constexpr std::array<const char*, move_count> names{
      "arm",          "park",           "park(mask)",    "complete", "complete(closed)",
      "ask(request)", "ask(closed)",    "ask(deadline)", "take",     "unclaim",
      "remask",       "forget_request", "end_operation"};
  std::string text;
  for (const move each : moves) text += std::string(names[static_cast<unsigned>(each)]) + " ";
  return text;
}

/// Does the word do what the table says, all the way?
void check_trail(const trail& moves) {
  parking_word word;
  state in;
  for (const move each : moves) {
    const given expected = apply(in, each);
    const given got = apply(word, each);
    if (got != expected || !agree(word, in)) {
      INFO(written(moves));
      CHECK(got == expected);
      CHECK(agree(word, in));
      return;
    }
  }
}

/// A shortest way to every state.
std::map<state, trail> reachable_states() {
  std::map<state, trail> ways{{state{}, trail{}}};
  std::deque<state> open{state{}};
  while (!open.empty()) {
    const state from = open.front();
    open.pop_front();
    for (unsigned i = 0; i < move_count; ++i) {
      const auto what = static_cast<move>(i);
      if (!legal(from, what)) continue;
      state to = from;
      apply(to, what);
      trail way = ways[from];
      way.push_back(what);
      if (ways.emplace(to, way).second) open.push_back(to);
    }
  }
  return ways;
}

TEST_CASE("every move does the same from every state that it can meet") {
  unsigned tried = 0;
  const auto ways = reachable_states();
  for (const auto& [from, way] : ways) {
    for (unsigned i = 0; i < move_count; ++i) {
      const auto first = static_cast<move>(i);
      if (!legal(from, first)) continue;
      state between = from;
      apply(between, first);
      for (unsigned j = 0; j < move_count; ++j) {
        const auto second = static_cast<move>(j);
        if (!legal(between, second)) continue;
        trail moves = way;
        moves.push_back(first);
        moves.push_back(second);
        check_trail(moves);
        ++tried;
      }
    }
  }
  // 4 places, of which owner and claimed may be done, with all sets of asks that can stand there.
  CHECK(ways.size() > 40);
  CHECK(tried > 2000);
}

}  // namespace
