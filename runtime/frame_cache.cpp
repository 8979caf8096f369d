#include <cove/runtime/detail/frame_cache.hpp>

// Frames up to 2 KiB come in 128 size classes, 16 bytes apart: so close, because an idle connection
// is hardly more than its frames. Each thread has two magazines a class: the one in use, a list of
// up to 32 frames, and a full spare. Allocating takes from the one in use, freeing adds to it;
// where that is empty, the spare takes its place, where it is full, it becomes the spare. Only
// where that does not help does a whole magazine move, in one step and without walking its list,
// from or to the process-wide depot of that class. So a thread holds at most 64 frames a class and
// takes a lock at most once in 32 operations, whatever their pattern.
//
// A frame freed on another thread than it came from enters that thread's magazine: a task that
// migrates takes its memory along, and what one thread only allocates and another only frees flows
// back through the depot, 32 at a time. Depots are bounded, so that the memory of a burst returns
// to the general allocator.
//
// The functions are not inline, on purpose. A coroutine's frame is freed by another thread than it
// was allocated by, in what compilers see as one function before they split it; an inlined access
// to thread-local memory could have its address carried over the suspension. It also keeps
// the thread-local out of the header, where a shared library could not export it. The call costs
// less than a nanosecond.
//
// Under AddressSanitizer every frame comes from the general allocator, so that it sees frames used
// after they ended.

#include <cove/runtime/detail/spin_lock.hpp>

#include <atomic>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define COVE_FRAME_CACHE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COVE_FRAME_CACHE 0
#endif
#endif
#ifndef COVE_FRAME_CACHE
#define COVE_FRAME_CACHE 1
#endif

namespace cove::detail {
namespace {

constexpr bool caching = COVE_FRAME_CACHE;

// 24, 40, 56 ... bytes: general allocators add 8 of their own and give multiples of 16.
constexpr std::size_t class_first_bytes = 24;
constexpr std::size_t class_step_bytes = 16;
constexpr std::size_t class_count = 128;
constexpr unsigned magazine_size = 32;
constexpr std::size_t depot_bytes = std::size_t{4} << 20;

/// What a free frame holds. The head of a list in a depot also holds the other two.
struct free_frame {
  free_frame* next;
  free_frame* next_list;
  unsigned count;
};
static_assert(sizeof(free_frame) <= class_first_bytes);

/// The free frames of one class that belong to the process.
struct alignas(64) depot {
  // Under lock.
  spin_lock lock;
  free_frame* top = nullptr;

  // Frames in all lists. Written under lock; read without it as a statistic, and to pass by an
  // empty or a full depot: a wrong guess costs a trip to the general allocator. Hence relaxed.
  std::atomic<std::size_t> frames{0};
};

constinit depot depots[class_count];

/// The free frames of one class that belong to a thread. Zero is the state before the first use and
/// after the last: nothing to take and no room, so that both functions turn to their slow halves.
struct thread_class {
  free_frame* top;
  free_frame* spare;  // a full magazine or null
  unsigned room;      // how many frames may still be added to the list at top
};

enum class phase : unsigned char { unused, open, closed };

struct thread_cache {
  thread_class classes[class_count];
  phase state;
};

// Trivial to construct and destroy, so that reaching it is an address and no call.
constinit thread_local thread_cache cache{};

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  // Below 9 bytes, which no frame has, it wraps to a class beyond the last and so is not cached.
  return (bytes + class_step_bytes - 1 - class_first_bytes) / class_step_bytes;
}

constexpr std::size_t bytes_of(std::size_t index) noexcept {
  return class_first_bytes + index * class_step_bytes;
}

void release(free_frame* list) noexcept {
  while (list != nullptr) {
    free_frame* next = list->next;
    ::operator delete(list);
    list = next;
  }
}

/// Moves a list into the depot, or to the general allocator where the depot holds enough.
void deposit(std::size_t index, free_frame* list, unsigned count) noexcept {
  depot& store = depots[index];
  if ((store.frames.load(std::memory_order_relaxed) + count) * bytes_of(index) > depot_bytes) {
    release(list);
    return;
  }
  list->count = count;
  spin_guard hold(store.lock);
  list->next_list = store.top;
  store.top = list;
  store.frames.store(store.frames.load(std::memory_order_relaxed) + count,
                     std::memory_order_relaxed);
}

/// Takes a list out of the depot; null where it is empty.
free_frame* withdraw(std::size_t index) noexcept {
  depot& store = depots[index];
  if (store.frames.load(std::memory_order_relaxed) == 0) return nullptr;
  spin_guard hold(store.lock);
  free_frame* list = store.top;
  if (list == nullptr) return nullptr;
  store.top = list->next_list;
  store.frames.store(store.frames.load(std::memory_order_relaxed) - list->count,
                     std::memory_order_relaxed);
  return list;
}

/// Empties the thread's magazines when the thread ends. Frames that are freed later still, by the
/// destructors of other thread-local or static objects, go to the general allocator.
struct flush_at_exit {
  ~flush_at_exit() {
    for (std::size_t index = 0; index < class_count; ++index) {
      thread_class& mine = cache.classes[index];
      if (mine.top != nullptr) deposit(index, mine.top, magazine_size - mine.room);
      if (mine.spare != nullptr) deposit(index, mine.spare, magazine_size);
      mine = {};
    }
    cache.state = phase::closed;
  }
  void touch() noexcept {}
};

/// Makes room in every class on the thread's first use; false once the thread is ending.
bool open_cache() noexcept {
  if (cache.state == phase::open) return true;
  if (cache.state == phase::closed) return false;
  thread_local flush_at_exit flusher;
  flusher.touch();
  for (thread_class& each : cache.classes) each.room = magazine_size;
  cache.state = phase::open;
  return true;
}

[[gnu::noinline]] void* allocate_slowly(std::size_t index) {
  if (open_cache()) {
    thread_class& mine = cache.classes[index];
    free_frame* list = mine.spare;
    unsigned count = magazine_size;
    if (list != nullptr) {
      mine.spare = nullptr;
    } else if ((list = withdraw(index)) != nullptr) {
      count = list->count;
    }
    if (list != nullptr) {
      mine.top = list->next;
      mine.room = magazine_size - count + 1;
      return list;
    }
  }
  return ::operator new(bytes_of(index));
}

[[gnu::noinline]] void free_slowly(std::size_t index, free_frame* frame) noexcept {
  if (!open_cache()) {
    ::operator delete(frame);
    return;
  }
  thread_class& mine = cache.classes[index];
  if (mine.room == 0) {
    if (mine.spare != nullptr) deposit(index, mine.spare, magazine_size);
    mine.spare = mine.top;
    mine.top = nullptr;
    mine.room = magazine_size;
  }
  frame->next = mine.top;
  mine.top = frame;
  --mine.room;
}

}  // namespace

void* frame_allocate(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (!caching || index >= class_count) return ::operator new(bytes);
  thread_class& mine = cache.classes[index];
  free_frame* frame = mine.top;
  if (frame == nullptr) [[unlikely]]
    return allocate_slowly(index);
  mine.top = frame->next;
  ++mine.room;
  return frame;
}

void frame_free(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = class_of(bytes);
  if (!caching || index >= class_count) {
    ::operator delete(frame);
    return;
  }
  auto* freed = ::new (frame) free_frame;
  thread_class& mine = cache.classes[index];
  if (mine.room == 0) [[unlikely]]
    return free_slowly(index, freed);
  freed->next = mine.top;
  mine.top = freed;
  --mine.room;
}

std::size_t frame_cache_bytes() noexcept {
  std::size_t total = 0;
  for (std::size_t index = 0; index < class_count; ++index) {
    std::size_t frames = depots[index].frames.load(std::memory_order_relaxed);
    const thread_class& mine = cache.classes[index];
    if (cache.state == phase::open) frames += magazine_size - mine.room;
    if (mine.spare != nullptr) frames += magazine_size;
    total += frames * bytes_of(index);
  }
  return total;
}

}  // namespace cove::detail
