#include <cove/runtime/detail/frame_cache.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace {

using cove::detail::frame_allocate;
using cove::detail::frame_cache_bytes;
using cove::detail::frame_free;

/// Whether frames are kept at all: under AddressSanitizer they are not.
bool frames_are_kept() {
  frame_free(frame_allocate(24), 24);
  return frame_cache_bytes() != 0;
}

/// Takes everything out of a size class as long as it lives, so that a test knows what is in it.
class emptied_class {
 public:
  explicit emptied_class(std::size_t bytes) : bytes_(bytes) {
    for (std::size_t before = 1, after = 0; after < before;) {
      before = frame_cache_bytes();
      taken_.push_back(frame_allocate(bytes));
      after = frame_cache_bytes();
    }
  }
  ~emptied_class() {
    for (void* each : taken_) frame_free(each, bytes_);
  }
  emptied_class(const emptied_class&) = delete;
  emptied_class& operator=(const emptied_class&) = delete;

 private:
  std::size_t bytes_;
  std::vector<void*> taken_;
};

struct frame {
  unsigned char* memory;
  std::size_t bytes;
  unsigned char mark;

  frame(std::size_t size, unsigned char fill)
      : memory(static_cast<unsigned char*>(frame_allocate(size))), bytes(size), mark(fill) {
    std::memset(memory, mark, bytes);
  }
  bool intact() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (memory[i] != mark) return false;
    }
    return true;
  }
  void free() const { frame_free(memory, bytes); }
};

TEST_CASE("frames of all sizes are aligned, writable and apart from each other") {
  std::mt19937 random(1);
  std::vector<frame> live;
  std::size_t damaged = 0;
  std::size_t misaligned = 0;
  for (int step = 0; step < 50000; ++step) {
    if (live.size() < 500 && random() % 5 < 3) {
      live.emplace_back(random() % 2500 + 1, static_cast<unsigned char>(random()));
      const auto address = reinterpret_cast<std::uintptr_t>(live.back().memory);
      if (address % __STDCPP_DEFAULT_NEW_ALIGNMENT__ != 0) ++misaligned;
    } else if (!live.empty()) {
      std::swap(live[random() % live.size()], live.back());
      if (!live.back().intact()) ++damaged;
      live.back().free();
      live.pop_back();
    }
  }
  for (const frame& each : live) {
    if (!each.intact()) ++damaged;
    each.free();
  }
  CHECK(damaged == 0);
  CHECK(misaligned == 0);
}

TEST_CASE("the frame freed last is the next one of its size class" *
          doctest::skip(!frames_are_kept())) {
  void* first = frame_allocate(89);
  void* second = frame_allocate(104);
  frame_free(first, 89);
  frame_free(second, 104);
  CHECK(frame_allocate(100) == second);
  CHECK(frame_allocate(104) == first);
  frame_free(first, 104);
  frame_free(second, 100);
}

TEST_CASE("a frame above the largest class is not kept") {
  const std::size_t before = frame_cache_bytes();
  void* large = frame_allocate(2057);
  frame_free(large, 2057);
  CHECK(frame_cache_bytes() == before);
}

TEST_CASE("the largest class is kept" * doctest::skip(!frames_are_kept())) {
  void* largest = frame_allocate(2056);
  const std::size_t before = frame_cache_bytes();
  frame_free(largest, 2056);
  CHECK(frame_cache_bytes() == before + 2056);
}

TEST_CASE("a thread keeps at most 64 frames of a class for itself" *
          doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 200;
  const emptied_class emptied(bytes);
  std::size_t seen_by_others = 0;
  std::size_t seen_by_all = 0;
  // The outer thread has no frames of its own: it sees what all share.
  std::thread([&] {
    const std::size_t before = frame_cache_bytes();
    std::thread([&] {
      std::vector<void*> frames;
      for (int i = 0; i < 1000; ++i) frames.push_back(frame_allocate(bytes));
      for (void* each : frames) frame_free(each, bytes);
      seen_by_all = frame_cache_bytes() - before;
      std::thread([&] { seen_by_others = frame_cache_bytes() - before; }).join();
    }).join();
  }).join();
  CHECK(seen_by_all == 1000 * bytes);
  CHECK(seen_by_others >= (1000 - 64) * bytes);
}

TEST_CASE("a frame freed on another thread is reused there" * doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 264;
  const emptied_class emptied(bytes);
  void* migrated = frame_allocate(bytes);
  void* reused = nullptr;
  std::thread([&] {
    frame_free(migrated, bytes);
    reused = frame_allocate(bytes);
    frame_free(reused, bytes);
  }).join();
  CHECK(reused == migrated);
}

TEST_CASE("a thread that ends leaves its frames to the others" *
          doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 328;
  const emptied_class emptied(bytes);
  std::set<void*> left;
  std::thread([&] {
    // Two magazines and a part of a third.
    for (int i = 0; i < 75; ++i) left.insert(frame_allocate(bytes));
    for (void* each : left) frame_free(each, bytes);
  }).join();
  std::set<void*> found;
  for (int i = 0; i < 75; ++i) found.insert(frame_allocate(bytes));
  CHECK(found == left);
  for (void* each : found) frame_free(each, bytes);
}

TEST_CASE("a thread that only frees leaves its frames too" * doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 392;
  const emptied_class emptied(bytes);
  void* only = frame_allocate(bytes);
  std::thread([&] { frame_free(only, bytes); }).join();
  void* found = frame_allocate(bytes);
  CHECK(found == only);
  frame_free(found, bytes);
}

/// Uses frames when the cache of its thread is gone already; notes what is kept before and after.
struct late_user {
  static constexpr std::size_t bytes = 456;
  void* held = frame_allocate(bytes);
  std::size_t* kept_before = nullptr;
  std::size_t* kept_after = nullptr;

  ~late_user() {
    *kept_before = frame_cache_bytes();
    frame_free(held, bytes);
    void* another = frame_allocate(bytes);
    frame_free(another, bytes);
    *kept_after = frame_cache_bytes();
  }
};

TEST_CASE("a frame freed by a thread's last destructors is not kept by a thread that is gone") {
  const emptied_class emptied(late_user::bytes);
  std::size_t kept_before = 0;
  std::size_t kept_after = 1;
  std::thread([&] {
    static thread_local std::unique_ptr<late_user> user;  // Made before the cache, destroyed after.
    user = std::make_unique<late_user>();
    user->kept_before = &kept_before;
    user->kept_after = &kept_after;
  }).join();
  CHECK(kept_after == kept_before);
}

TEST_CASE("every frame that is kept is counted and used before a new one is made" *
          doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 584;
  const emptied_class emptied(bytes);
  const std::size_t others = frame_cache_bytes();
  std::mt19937 random(2);
  std::set<void*> distinct;
  std::vector<void*> live;
  std::size_t miscounted = 0;
  std::size_t needless = 0;
  for (int phase = 0; phase < 400; ++phase) {
    const bool growing = phase % 2 == 0;
    for (auto steps = random() % 200; steps != 0; --steps) {
      const std::size_t kept = distinct.size() - live.size();
      if (random() % 4 == 0 ? !growing : growing) {
        live.push_back(frame_allocate(bytes));
        if (distinct.insert(live.back()).second && kept != 0) ++needless;
      } else if (!live.empty()) {
        frame_free(live.back(), bytes);
        live.pop_back();
      }
      if (frame_cache_bytes() - others != (distinct.size() - live.size()) * bytes) ++miscounted;
    }
  }
  for (void* each : live) frame_free(each, bytes);
  CHECK(miscounted == 0);
  CHECK(needless == 0);
  CHECK(distinct.size() > 3 * 32);
}

TEST_CASE("frames that one thread allocates and another frees flow back in batches" *
          doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 520;
  const emptied_class emptied(bytes);
  constexpr int total = 100000;
  constexpr std::size_t in_flight = 256;
  std::mutex mutex;
  std::deque<frame> channel;
  std::size_t damaged = 0;
  std::thread consumer([&] {
    for (int received = 0; received < total;) {
      std::unique_lock lock(mutex);
      if (channel.empty()) {
        lock.unlock();
        std::this_thread::yield();
        continue;
      }
      const frame one = channel.front();
      channel.pop_front();
      lock.unlock();
      ++received;
      if (!one.intact()) ++damaged;
      one.free();
    }
  });
  std::set<void*> distinct;
  for (int sent = 0; sent < total;) {
    const frame one(bytes, static_cast<unsigned char>(sent));
    distinct.insert(one.memory);
    std::unique_lock lock(mutex);
    while (channel.size() >= in_flight) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    channel.push_back(one);
    ++sent;
  }
  consumer.join();
  CHECK(damaged == 0);
  // What is in flight, what two threads keep, and what was on its way through the depot.
  CHECK(distinct.size() <= in_flight + 2 * 64 + 2 * 32);
}

TEST_CASE("the memory of a burst goes back to the general allocator" *
          doctest::skip(!frames_are_kept())) {
  constexpr std::size_t bytes = 1032;
  const emptied_class emptied(bytes);
  constexpr std::size_t kept_bytes = std::size_t{4} << 20;
  const std::size_t before = frame_cache_bytes();
  std::vector<void*> burst;
  for (std::size_t i = 0; i < 3 * kept_bytes / bytes; ++i) burst.push_back(frame_allocate(bytes));
  for (void* each : burst) frame_free(each, bytes);
  CHECK(frame_cache_bytes() - before >= kept_bytes / 2);
  CHECK(frame_cache_bytes() - before <= kept_bytes + 64 * bytes);
}

}  // namespace
