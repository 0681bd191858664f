// The slab allocator's front: magazines of threads and the depot between them.
//
// Bonwick and Adams, "Magazines and Vmem" (USENIX 2001). A magazine is a list of up to `rounds` free objects,
// linked through the objects themselves, so it needs no additional memory, and an empty one is a null
// pointer. A thread has two for each size class: `loaded`, which it allocates from and frees to, and
// `previous`, which is full or empty. It uses the depot only when both are empty, or both are full, so a
// thread whose demand oscillates around a boundary does not. The depot has a bounded stack of full magazines
// (magazine_stack.hpp); the surplus goes back to the chunks (slab_chunks.hpp).
//
//   thread: loaded <-> previous  --full-->  depot  --surplus-->  chunks  --whole-->  OS
//                                <-full---         <-refill----          <-carve---
//
// Owner: the process. A thread's magazines are its own; other threads only read their counts. They go back to
// the chunks when the thread ends; later calls of the thread, in destructors of thread-local and static
// objects, go directly to the chunks.
#include "memory/lasting.hpp"
#include "memory/magazine_stack.hpp"
#include "memory/slab_chunks.hpp"
#include "memory/slab_poison.hpp"
#include "scheduler/thread_end.hpp"

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mutex.hpp>
#include <troupe/runtime/detail/slab.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace troupe::detail {

namespace {

// 288: an actor with a small state.
constexpr std::array<std::uint32_t, 17> class_bytes{16,  32,  48,  64,  80,  96,  112, 128, 160,
                                                    192, 224, 256, 288, 320, 384, 448, 512};
constexpr std::size_t classes = class_bytes.size();
static_assert(class_bytes.back() == slab_max_bytes);

// slab_class() names the smallest class that holds an object.
static_assert([] {
  unsigned c = 0;
  for (std::size_t bytes = 1; bytes <= slab_max_bytes; ++bytes) {
    while (class_bytes[c] < bytes) ++c;
    if (slab_class(bytes) != c) return false;
  }
  return slab_class(0) == 0;
}());

constexpr std::uint32_t rounds_of(std::size_t size_class) noexcept {
  return size_class < 12 ? 64 : 32;
}

struct bin {
  free_block* loaded = nullptr;
  // count: the length of `loaded`. Written by the owning thread only, read by slab_statistics(): relaxed,
  // pairs with nothing, because the count says nothing about other memory. Broken by:
  // tests/runtime/memory/slab_test.
  atomic<std::uint32_t> count{0};
  // rounds_of the class; 0 before the first use and after the thread's exit. Changed by the thread, under
  // depot::threads_mutex_.
  std::uint32_t limit = 0;
  // previous: null or full. Relaxed, as count, and broken by the same test.
  atomic<free_block*> previous{nullptr};
};

enum class cache_state : std::uint8_t { unused, in_use, ended };

// Constant-initialized and trivially destructible, so it can be used from the thread's first instruction to
// its last.
struct thread_cache {
  std::array<bin, classes> bins{};
  // Large objects that this thread allocated and freed. Relaxed, as bin::count, and broken by the same test.
  atomic<std::uint64_t> large_allocated{0};
  atomic<std::uint64_t> large_freed{0};
  cache_state state = cache_state::unused;
  thread_cache* prev = nullptr;  // in the list depot::threads_, under depot::threads_mutex_
  thread_cache* next = nullptr;
};

TROUPE_QUICK_TLS constinit thread_local thread_cache this_thread{};

void add_to(atomic<std::uint64_t>& mine) noexcept {
  mine.store(mine.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// The part of a size class that all threads share.
struct size_class {
  chunk_store store;
  magazine_stack full;
};

class depot {
 public:
  depot() noexcept {
    for (std::size_t c = 0; c < classes; ++c) classes_[c].store.configure(supply_, class_bytes[c]);
  }

  [[nodiscard]] size_class& at(std::size_t c) noexcept { return classes_[c]; }

  static void push(size_class& c, free_block* magazine) noexcept {
    if (c.store.sparse()) {
      // A burst ends: few objects hold many chunks, and those in the depot may be among them.
      c.store.put(magazine);
      if (free_block* const another = c.full.pop()) c.store.put(another);
      return;
    }
    if (!c.full.push(magazine)) c.store.put(magazine);
  }

  [[nodiscard]] bool enter(thread_cache& cache) noexcept;
  void leave(thread_cache& cache) noexcept;
  void flush(thread_cache& cache) noexcept;
  void trim() noexcept;
  [[nodiscard]] slab_stats statistics() noexcept;

  // Large objects of threads that ended. Relaxed, as bin::count, and broken by the same test.
  atomic<std::uint64_t> large_allocated{0};
  atomic<std::uint64_t> large_freed{0};

 private:
  chunk_supply supply_;
  std::array<size_class, classes> classes_;
  mutex threads_mutex_;
  thread_cache* threads_ TROUPE_GUARDED_BY(threads_mutex_) = nullptr;
};

// Never destroyed: objects may be freed later than any static object.
depot& the_depot() noexcept {
  return lasting<depot>();
}

// False when the end of the thread could not be noticed: then it has no magazines.
bool depot::enter(thread_cache& cache) noexcept {
  static thread_end end([](void*) { the_depot().leave(this_thread); });
  if (!end.ask()) {
    cache.state = cache_state::ended;
    return false;
  }
  cache.state = cache_state::in_use;
  const scoped_lock guard(threads_mutex_);
  for (std::size_t c = 0; c < classes; ++c) cache.bins[c].limit = rounds_of(c);
  cache.next = threads_;
  if (threads_ != nullptr) threads_->prev = &cache;
  threads_ = &cache;
  return true;
}

void depot::leave(thread_cache& cache) noexcept {
  flush(cache);
  cache.state = cache_state::ended;
  const scoped_lock guard(threads_mutex_);
  for (bin& b : cache.bins) b.limit = 0;
  (cache.prev != nullptr ? cache.prev->next : threads_) = cache.next;
  if (cache.next != nullptr) cache.next->prev = cache.prev;
  large_allocated.fetch_add(cache.large_allocated.load(std::memory_order_relaxed), std::memory_order_relaxed);
  large_freed.fetch_add(cache.large_freed.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void depot::flush(thread_cache& cache) noexcept {
  for (std::size_t c = 0; c < classes; ++c) {
    bin& b = cache.bins[c];
    if (b.loaded != nullptr) classes_[c].store.put(b.loaded);
    b.loaded = nullptr;
    b.count.store(0, std::memory_order_relaxed);
    if (free_block* const full = b.previous.load(std::memory_order_relaxed)) classes_[c].store.put(full);
    b.previous.store(nullptr, std::memory_order_relaxed);
  }
}

void depot::trim() noexcept {
  for (size_class& c : classes_) {
    while (free_block* const magazine = c.full.pop()) c.store.put(magazine);
  }
  supply_.trim();
}

slab_stats depot::statistics() noexcept {
  slab_stats stats;
  std::size_t out = 0;
  std::size_t cached = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    out += classes_[c].store.objects_out();
    cached += classes_[c].full.size() * rounds_of(c);
    stats.chunks += classes_[c].store.chunks();
    stats.chunk_visits += classes_[c].store.visits();
  }
  std::uint64_t large_gone = large_freed.load(std::memory_order_relaxed);
  stats.heap_calls = large_allocated.load(std::memory_order_relaxed);
  {
    const scoped_lock guard(threads_mutex_);
    for (const thread_cache* t = threads_; t != nullptr; t = t->next) {
      for (const bin& b : t->bins) {
        cached += b.count.load(std::memory_order_relaxed);
        if (b.previous.load(std::memory_order_relaxed) != nullptr) cached += b.limit;
      }
      stats.heap_calls += t->large_allocated.load(std::memory_order_relaxed);
      large_gone += t->large_freed.load(std::memory_order_relaxed);
    }
  }
  // Counts read at different times may contradict each other for a moment.
  stats.live_objects = out > cached ? out - cached : 0;
  stats.large_objects = stats.heap_calls > large_gone ? stats.heap_calls - large_gone : 0;
  stats.mapped_bytes = supply_.mapped_bytes();
  return stats;
}

// The loaded magazine is empty. Loads the next one and takes an object from it.
[[gnu::noinline, gnu::cold]] free_block* allocate_slowly(std::size_t size_class_index) {
  thread_cache& cache = this_thread;
  depot& shared = the_depot();
  size_class& c = shared.at(size_class_index);
  std::uint32_t count = 1;
  if (cache.state == cache_state::ended) return c.store.take(1, count);
  if (cache.state == cache_state::unused && !shared.enter(cache)) return c.store.take(1, count);

  bin& b = cache.bins[size_class_index];
  free_block* magazine = b.previous.load(std::memory_order_relaxed);
  count = b.limit;
  if (magazine != nullptr) {
    b.previous.store(nullptr, std::memory_order_relaxed);
  } else if (magazine = c.full.pop(); magazine == nullptr) {
    magazine = c.store.take(b.limit, count);
  }
  b.loaded = next_of(magazine);
  b.count.store(count - 1, std::memory_order_relaxed);
  return magazine;
}

// The loaded magazine is full. Makes room and frees the object.
[[gnu::noinline, gnu::cold]] void deallocate_slowly(std::size_t size_class_index,
                                                    free_block* block) noexcept {
  thread_cache& cache = this_thread;
  depot& shared = the_depot();
  size_class& c = shared.at(size_class_index);
  set_next(block, nullptr);
  if (cache.state == cache_state::ended) return c.store.put(block);
  if (cache.state == cache_state::unused && !shared.enter(cache)) return c.store.put(block);

  bin& b = cache.bins[size_class_index];
  if (b.loaded != nullptr) {
    free_block* const previous = b.previous.load(std::memory_order_relaxed);
    b.previous.store(b.loaded, std::memory_order_relaxed);
    if (previous != nullptr) depot::push(c, previous);
  }
  b.loaded = block;
  b.count.store(1, std::memory_order_relaxed);
}

[[gnu::noinline, gnu::cold]] void* allocate_large(std::size_t bytes) {
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= slab_alignment);
  void* const p = ::operator new(bytes);
  check_address(p);
  thread_cache& cache = this_thread;
  if (cache.state == cache_state::unused) (void)the_depot().enter(cache);
  if (cache.state == cache_state::ended) {
    the_depot().large_allocated.fetch_add(1, std::memory_order_relaxed);
  } else {
    add_to(cache.large_allocated);
  }
  return p;
}

[[gnu::noinline, gnu::cold]] void deallocate_large(void* p, std::size_t bytes) noexcept {
  ::operator delete(p, bytes);
  thread_cache& cache = this_thread;
  if (cache.state == cache_state::unused) (void)the_depot().enter(cache);
  if (cache.state == cache_state::ended) {
    the_depot().large_freed.fetch_add(1, std::memory_order_relaxed);
  } else {
    add_to(cache.large_freed);
  }
}

}  // namespace

void* slab_allocate_in(unsigned c, std::size_t bytes) {
  bin& b = this_thread.bins[c];
  free_block* block = b.loaded;
  if (block != nullptr) [[likely]] {
    b.loaded = next_of(block);
    b.count.store(b.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  } else {
    block = allocate_slowly(c);
  }
  unpoison(block, std::max(bytes, std::size_t{1}));
  return block;
}

void slab_deallocate_in(unsigned c, void* p, [[maybe_unused]] std::size_t bytes) noexcept {
  auto* const block = static_cast<free_block*>(p);
  require_live(p);
  poison(block, class_bytes[c]);
  bin& b = this_thread.bins[c];
  const std::uint32_t count = b.count.load(std::memory_order_relaxed);
  if (count == b.limit) [[unlikely]] {
    return deallocate_slowly(c, block);
  }
  set_next(block, b.loaded);
  b.loaded = block;
  b.count.store(count + 1, std::memory_order_relaxed);
}

void* slab_allocate(std::size_t bytes) {
  if (bytes > slab_max_bytes) [[unlikely]] {
    return allocate_large(bytes);
  }
  return slab_allocate_in(slab_class(bytes), bytes);
}

void slab_deallocate(void* p, std::size_t bytes) noexcept {
  if (p == nullptr) return;
  if (bytes > slab_max_bytes) [[unlikely]] {
    return deallocate_large(p, bytes);
  }
  slab_deallocate_in(slab_class(bytes), p, bytes);
}

void slab_trim() noexcept {
  depot& shared = the_depot();
  if (this_thread.state == cache_state::in_use) shared.flush(this_thread);
  shared.trim();
}

slab_stats slab_statistics() noexcept {
  return the_depot().statistics();
}

}  // namespace troupe::detail
