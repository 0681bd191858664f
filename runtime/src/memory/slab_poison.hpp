// Tells AddressSanitizer and LeakSanitizer about slab memory; does nothing in other builds.
//
// A free object is poisoned, so that using it is reported as on the heap. Regions are roots for
// LeakSanitizer: heap memory that only a live slab object points to has not leaked. Called by the slab, on
// any thread.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_SLAB_ASAN 1
#endif
#endif

#ifdef TROUPE_SLAB_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace troupe::detail {

#ifdef TROUPE_SLAB_ASAN
inline void poison(void* p, std::size_t bytes) noexcept {
  __asan_poison_memory_region(p, bytes);
}
inline void unpoison(void* p, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(p, bytes);
}
/// Reads a byte, so that freeing an object twice is reported at the second free.
inline void require_live(const void* p) noexcept {
  static_cast<void>(*static_cast<const volatile char*>(p));
}
inline void add_leak_root(void* p, std::size_t bytes) noexcept {
  __lsan_register_root_region(p, bytes);
}
inline void remove_leak_root(void* p, std::size_t bytes) noexcept {
  __lsan_unregister_root_region(p, bytes);
}
#else
inline void poison(void*, std::size_t) noexcept {}
inline void unpoison(void*, std::size_t) noexcept {}
inline void require_live(const void*) noexcept {}
inline void add_leak_root(void*, std::size_t) noexcept {}
inline void remove_leak_root(void*, std::size_t) noexcept {}
#endif

}  // namespace troupe::detail
