#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "load.hpp"

namespace cove::examples {

/// One connection's side of an echo load, without the connection: which bytes to send next, and
/// whether what came back is what was sent. Every message differs from every other one, in all its
/// bytes, so that bytes which are lost, swapped, repeated or sent to the wrong connection show.
class conversation {
 public:
  conversation(const load_plan& plan, tally& results, unsigned id, clock::time_point end)
      : plan_(plan),
        results_(results),
        id_(id),
        end_(end),
        batch_(std::clamp(batch_bytes / plan.size, 1U, plan.depth)),
        out_(std::size_t{batch_} * plan.size),
        in_(out_.size()),
        expected_(plan.size),
        sent_at_(plan.depth) {}

  /// What is to be sent now; new messages as far as the depth allows.
  std::span<const std::byte> to_send() {
    if (!unsent_.empty() || in_flight() == plan_.depth) return unsent_;
    const clock::time_point now = clock::now();
    if (plan_.messages == 0 && now >= end_) over_ = true;
    std::size_t bytes = 0;
    for (; bytes < out_.size() && in_flight() < plan_.depth && !over_; bytes += plan_.size) {
      fill(std::span(out_).subspan(bytes, plan_.size), sent_);
      sent_at_[sent_++ % plan_.depth] = now;
      over_ = sent_ == plan_.messages;
    }
    return unsent_ = std::span(out_).first(bytes);
  }
  void was_sent(std::size_t bytes) { unsent_ = unsent_.subspan(bytes); }

  /// Where to put what comes back.
  std::span<std::byte> room() { return std::span(in_).subspan(held_); }

  /// So many bytes came back. False if they are not what was sent.
  bool check(std::size_t bytes) {
    const clock::time_point now = clock::now();
    held_ += bytes;
    std::size_t start = 0;
    for (; held_ - start >= plan_.size; start += plan_.size) {
      fill(expected_, answered_);
      if (in_flight() == 0 || std::memcmp(expected_.data(), &in_[start], plan_.size) != 0) {
        results_.corrupted(id_);
        return false;
      }
      results_.answered(id_, now - sent_at_[answered_++ % plan_.depth]);
    }
    held_ -= start;
    std::memmove(in_.data(), in_.data() + start, held_);
    return true;
  }

  std::uint64_t in_flight() const { return sent_ - answered_; }
  /// Nothing more will be sent, and all has come back.
  bool done() const { return over_ && in_flight() == 0; }

 private:
  static constexpr unsigned batch_bytes = 64 * 1024;

  /// The bytes of a message: a stream of words that connection and number choose (splitmix64).
  void fill(std::span<std::byte> message, std::uint64_t number) const {
    std::uint64_t state = (number << 32 | id_) * 0x9e3779b97f4a7c15;
    for (; !message.empty(); message = message.subspan(std::min<std::size_t>(8, message.size()))) {
      std::uint64_t word = state += 0x9e3779b97f4a7c15;
      word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
      word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
      std::memcpy(message.data(), &word, std::min(sizeof word, message.size()));
    }
  }

  const load_plan& plan_;
  tally& results_;
  const unsigned id_;
  const clock::time_point end_;
  const unsigned batch_;  // Messages that are made and sent together.
  std::vector<std::byte> out_;
  std::vector<std::byte> in_;
  std::vector<std::byte> expected_;
  std::vector<clock::time_point> sent_at_;  // Of message n at n % depth.
  std::span<const std::byte> unsent_;       // In out_.
  std::size_t held_ = 0;                    // Bytes in in_ of a message that is not all there.
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  bool over_ = false;
};

}  // namespace cove::examples
