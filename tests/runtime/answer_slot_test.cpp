#include "answer_slot.hpp"

#include <doctest/doctest.h>

// Each order in which an answer and the end of the wait can come. No threads: the word decides.

using cove::detail::answer_slot;
using outcome = cove::detail::answer_slot::outcome;

TEST_CASE("M19 an answer in time is read, and the slot is free again") {
  answer_slot slot;
  const std::uint32_t token = slot.ask();
  CHECK_FALSE(slot.is_answered(token));
  CHECK(slot.claim(token));
  CHECK_FALSE(slot.is_answered(token));
  slot.finish(token);
  CHECK(slot.is_answered(token));
  CHECK(slot.settle(token) == outcome::answered);
  CHECK(slot.ask() != 0);
}

TEST_CASE("M19 an answer after the limit is refused") {
  answer_slot slot;
  const std::uint32_t token = slot.ask();
  CHECK(slot.settle(token) == outcome::not_answered);
  CHECK_FALSE(slot.claim(token));
}

TEST_CASE("M19 an answer to an old request is refused, whatever becomes of the new one") {
  answer_slot slot;
  const std::uint32_t old = slot.ask();
  CHECK(slot.settle(old) == outcome::not_answered);
  const std::uint32_t token = slot.ask();
  CHECK(token != old);
  CHECK_FALSE(slot.claim(old));
  CHECK(slot.claim(token));
  CHECK_FALSE(slot.claim(old));
  slot.finish(token);
  CHECK_FALSE(slot.claim(old));
  CHECK(slot.settle(token) == outcome::answered);
  CHECK_FALSE(slot.claim(old));
}

TEST_CASE("M19 a request is answered once") {
  answer_slot slot;
  const std::uint32_t token = slot.ask();
  CHECK(slot.claim(token));
  CHECK_FALSE(slot.claim(token));
  slot.finish(token);
  CHECK_FALSE(slot.claim(token));
}

TEST_CASE("M19 nobody is asked while an answer that nobody waits for is under way") {
  answer_slot slot;
  const std::uint32_t token = slot.ask();
  CHECK(slot.claim(token));
  CHECK(slot.settle(token) == outcome::under_way);
  CHECK(slot.ask() == 0);
  slot.finish(token);
  const std::uint32_t next = slot.ask();
  CHECK(next != 0);
  CHECK(next != token);
  CHECK_FALSE(slot.is_answered(next));
  CHECK(slot.settle(next) == outcome::not_answered);
}

TEST_CASE("M19 a signal without a value answers nothing") {
  answer_slot slot;
  CHECK_FALSE(slot.claim(0));
  const std::uint32_t token = slot.ask();
  CHECK_FALSE(slot.claim(0));
  CHECK(slot.settle(token) == outcome::not_answered);
  CHECK_FALSE(slot.claim(0));
}
