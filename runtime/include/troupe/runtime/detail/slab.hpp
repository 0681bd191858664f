// The memory of envelopes, coroutine frames, actor cells and other small short-lived objects.
//
// One allocator for the whole process: each thread keeps two magazines of free objects for each size class,
// threads exchange full magazines through a depot, and the depot's surplus goes back to the chunks it came
// from and, once a chunk is whole again, to the operating system. So a message that is sent by one thread and
// handled by another makes no heap call, and a burst's memory goes back. Owner: the process; nothing here is
// ever destroyed, so objects may outlive the runtime and every static object. runtime/src/memory/slab.cpp
// holds the design.
#pragma once

#include <troupe/runtime/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace troupe {

/// Statistics of the slab allocator. Exact while no other thread allocates or frees, else approximate.
struct slab_stats {
  /// Bytes of chunks in use or kept as the reserve; memory given back to the OS does not count.
  std::size_t mapped_bytes = 0;
  /// Chunks that hold, or may again hold, objects of some size class; without the reserve.
  std::size_t chunks = 0;
  /// Objects handed out and not freed, of all size classes; without the large ones.
  std::size_t live_objects = 0;
  /// Objects beyond the largest size class that were handed out and not freed.
  std::size_t large_objects = 0;
  /// Calls of the global operator new so far: one for each large object, zero for others.
  std::uint64_t heap_calls = 0;
  /// Times that a thread took objects out of chunks, or put some back, under a size class's lock, so far.
  /// Does not grow in steady state, for then the magazines suffice.
  std::uint64_t chunk_visits = 0;
};

namespace detail {

inline constexpr std::size_t slab_max_bytes = 512;  // larger objects come from operator new
inline constexpr std::size_t slab_alignment = 16;

/// Memory for an object of `bytes` bytes (0 counts as 1), aligned to 16. Throws std::bad_alloc.
/// Threads: any, at any time, also while the thread or the process ends.
/// Cost: about 2 ns while the thread's magazines last; else a lock of the size class, or a system call.
// Out of line on purpose: a compiler may keep the address of a thread-local across a coroutine's suspension,
// after which the coroutine may run on another thread.
[[nodiscard, gnu::noinline, gnu::malloc, gnu::returns_nonnull]] void* slab_allocate(std::size_t bytes);

/// Frees the memory that slab_allocate(bytes) returned, with the same `bytes`; null is allowed. Under
/// AddressSanitizer it is poisoned until it is handed out again.
/// Threads: any, at any time.
[[gnu::noinline]] void slab_deallocate(void* p, std::size_t bytes) noexcept;

/// Gives free memory back to the OS: the magazines of the calling thread, all depots and the reserve of empty
/// chunks. Magazines of other threads stay. They keep little, and most memory goes back without this call, so
/// it is for the end of a long busy phase, not for each idle moment: the next objects come out of chunks
/// again.
/// Threads: any.
/// Blocks: takes the lock of every size class in turn.
void slab_trim() noexcept;

/// The statistics now. Not for a hot path.
/// Threads: any.
/// Blocks: takes the locks of the allocator in turn.
[[nodiscard]] slab_stats slab_statistics() noexcept;

/// The size class of an object of `bytes` bytes, at most slab_max_bytes: steps of 16 up to 128, of 32 up to
/// 320, then of 64.
[[nodiscard]] constexpr unsigned slab_class(std::size_t bytes) noexcept {
  const auto units = static_cast<unsigned>((bytes + 15) / 16);
  if (units <= 8) return units > 0 ? units - 1 : 0;
  return units <= 20 ? 8 + (units - 9) / 2 : 14 + (units - 21) / 4;
}

/// slab_allocate() and slab_deallocate() for a size class that is known at compile time, as most are: half
/// the instructions.
[[nodiscard, gnu::noinline, gnu::malloc, gnu::returns_nonnull]] void* slab_allocate_in(unsigned size_class,
                                                                                       std::size_t bytes);
[[gnu::noinline]] void slab_deallocate_in(unsigned size_class, void* p, std::size_t bytes) noexcept;

template <class T>
[[nodiscard]] void* slab_allocate_for() {
  if constexpr (sizeof(T) <= slab_max_bytes) {
    return slab_allocate_in(slab_class(sizeof(T)), sizeof(T));
  } else {
    return slab_allocate(sizeof(T));
  }
}
template <class T>
void slab_deallocate_for(void* p) noexcept {
  if constexpr (sizeof(T) <= slab_max_bytes) {
    slab_deallocate_in(slab_class(sizeof(T)), p, sizeof(T));
  } else {
    slab_deallocate(p, sizeof(T));
  }
}

/// Creates a T in slab memory, to be freed by slab_delete<T> of the same type, on any thread.
template <class T, class... Args>
[[nodiscard]] T* slab_new(Args&&... args) {
  static_assert(alignof(T) <= slab_alignment, "slab_new: T is over-aligned; slab memory is aligned to 16");
  void* const memory = slab_allocate_for<T>();
  if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
    return ::new (memory) T(std::forward<Args>(args)...);
  } else {
    try {
      return ::new (memory) T(std::forward<Args>(args)...);
    } catch (...) {
      slab_deallocate_for<T>(memory);
      throw;
    }
  }
}

/// Destroys and frees an object of slab_new<T>; null is allowed. T must be the type that was created, not a
/// base of it.
template <class T>
void slab_delete(T* object) noexcept {
  if (object == nullptr) return;
  object->~T();
  slab_deallocate_for<T>(object);
}

}  // namespace detail
}  // namespace troupe
